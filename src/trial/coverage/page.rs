//! Coverage as one HTML file that needs nothing else: every source with what the cases reach in it marked, how many
//! cases reach each line, and which.

use maud::{Markup, html};

use super::lcov::by_file;
use super::text::told;
use super::{Covered, FlowCoverage, Kind, Run, State, index, two_decimals, written_place};
use crate::bundle::BASE;
use crate::documents::{Source, html as pages};
use crate::domain::place::Span;

/// Cases that are named where the mouse rests; the others are counted.
const MOST_NAMED: usize = 12;

const STYLE: &str = "
.source { width: 100%; font: 13px/1.45 ui-monospace, monospace; } .source td { padding: 0 .5rem 0 0; vertical-align: top; }
.source td.code { white-space: pre-wrap; width: 100%; } .source td.n { color: #5d6b78; user-select: none; }
.full { background: #d9f2e1; } .part { background: #fdf0c4; } .never { background: #fadcd5; }
summary { cursor: pointer; } details ul { margin: .2rem 0 .6rem; }
";

/// The page of all flows that were tested.
#[must_use]
pub fn page(flows: &[FlowCoverage], sources: &[Source]) -> String {
    let body = html! {
        style { (maud::PreEscaped(STYLE)) }
        h1 { "Coverage" }
        p.quiet {
            "What the cases of each flow reach. "
            span.full { "Reached" } " · " span.part { "partly: only one way it can come out" } " · "
            span.never { "never reached" }
            ". Rest the mouse on a mark to see which cases reach it."
        }
        (overview(flows))
        @for flow in flows { (of_flow(flow, sources)) }
    };
    pages::whole("Coverage of the cases", &body)
}

fn overview(flows: &[FlowCoverage]) -> Markup {
    html! {
        table {
            tr { th { "flow" } th { "market" } th.n { "cases" } th.n { "reached" } th.n { "of" } th.n { "%" } }
            @for flow in flows {
                @let count = flow.count();
                tr {
                    td { a href=(format!("#{}", flow.flow)) { (flow.flow) } }
                    td { "all" }
                    td.n { (flow.runs.len()) }
                    td.n { (count.reached) }
                    td.n { (count.all) }
                    td.n { (two_decimals(count.percent())) }
                }
                @if flow.markets.len() > 1 {
                    @for market in &flow.markets {
                        @let count = flow.count_in(market);
                        tr.quiet {
                            td { "" }
                            td { (market) }
                            td.n { (flow.runs.iter().filter(|run| run.market == *market).count()) }
                            td.n { (count.reached) }
                            td.n { (count.all) }
                            td.n { (two_decimals(count.percent())) }
                        }
                    }
                }
            }
        }
    }
}

fn of_flow(flow: &FlowCoverage, sources: &[Source]) -> Markup {
    html! {
        h2 id=(flow.flow) { (flow.flow) }
        table {
            @for kind in Kind::ALL {
                @let count = flow.count_of(|item| item.kind == kind);
                @if count.all > 0 {
                    tr {
                        td { (kind.plural()) }
                        td.n { (count.reached) " of " (count.all) }
                        td.n { (two_decimals(count.percent())) "%" }
                    }
                }
            }
        }
        @let lacking = flow.lacking();
        @if lacking.is_empty() {
            p { "The cases reach everything." }
        } @else {
            details open {
                summary { "Not reached: " (lacking.len()) }
                ul {
                    @for item in lacking {
                        @let (file, line, _) = written_place(sources, item.place);
                        li { (told(item)) " " span.quiet { (file) ":" (line) } }
                    }
                }
            }
        }
        @for (file, _) in by_file([flow], sources) {
            @if let Some(source) = sources.get(index(file)) { (of_file(flow, file, source)) }
        }
    }
}

fn of_file(flow: &FlowCoverage, file: u32, source: &Source) -> Markup {
    let marks: Vec<&Covered> = flow.items.iter().filter(|item| item.place.file == file).collect();
    let mut start = 0_usize;
    let lines: Vec<(usize, &str)> = source
        .text
        .split_inclusive('\n')
        .map(|line| {
            let from = start;
            start += line.len();
            (from, line.trim_end_matches(['\n', '\r']))
        })
        .collect();
    html! {
        details open {
            summary { h3 style="display:inline" { (source.path) } }
            table.source {
                @for (number, (from, line)) in (1_u32..).zip(lines) {
                    @let cases = cases_on(&marks, from, line);
                    tr {
                        td.n { (number) }
                        td.n title="cases" { @if let Some(cases) = cases { (cases) } }
                        td.code { (marked(flow, &marks, from, line)) }
                    }
                }
            }
        }
    }
}

/// The most cases that reach anything that begins on a line; nothing where nothing does.
fn cases_on(marks: &[&Covered], from: usize, line: &str) -> Option<usize> {
    let whole = Span::new(from, from + line.len());
    let begins = |item: &&&Covered| item.place.span.start >= whole.start && item.place.span.start < whole.end;
    marks.iter().filter(begins).map(|item| item.runs().len()).max()
}

/// One line, cut where marks begin and end; each piece shows the narrowest mark that it lies in.
fn marked(flow: &FlowCoverage, marks: &[&Covered], from: usize, line: &str) -> Markup {
    let whole = Span::new(from, from + line.len());
    let here: Vec<&&Covered> = marks
        .iter()
        .filter(|item| item.place.span.start < whole.end && item.place.span.end > whole.start)
        .collect();
    let mut cuts: Vec<u32> = here
        .iter()
        .flat_map(|item| [item.place.span.start, item.place.span.end])
        .map(|at| at.clamp(whole.start, whole.end))
        .chain([whole.start, whole.end])
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let pieces = cuts.iter().zip(cuts.iter().skip(1)).filter_map(|(start, end)| {
        let text = line.get(index(start - whole.start)..index(end - whole.start))?;
        Some((*start, *end, text))
    });
    html! {
        @for (start, end, text) in pieces {
            @let over: Vec<&Covered> = narrowest(&here, start, end);
            @match over.iter().map(|item| item.state()).min() {
                None => (text),
                Some(_) if text.trim().is_empty() => (text),
                Some(state) => {
                    @let is_mixed = over.iter().any(|item| item.state() != state);
                    span class=(class(if is_mixed { State::Partly } else { state })) title=(title(flow, &over)) { (text) }
                },
            }
        }
    }
}

fn class(state: State) -> &'static str {
    match state {
        State::Never => "never",
        State::Partly => "part",
        State::Full => "full",
    }
}

/// The narrowest marks around a piece: several where they cover the same.
fn narrowest<'c>(here: &[&&'c Covered], start: u32, end: u32) -> Vec<&'c Covered> {
    let around =
        || here.iter().filter(move |item| item.place.span.start <= start && item.place.span.end >= end);
    let width = |item: &Covered| item.place.span.end - item.place.span.start;
    let Some(least) = around().map(|item| width(item)).min() else { return Vec::new() };
    around().filter(|item| width(item) == least).map(|item| **item).collect()
}

/// What a mark says where the mouse rests on it.
fn title(flow: &FlowCoverage, items: &[&Covered]) -> String {
    let mut text: Vec<String> = Vec::new();
    for item in items {
        if item.state() != State::Full {
            text.push(told(item));
        }
        for goal in &item.goals {
            text.push(format!("{} in {}", goal.word, counted(goal.runs.len())));
        }
    }
    let mut runs: Vec<u32> = items.iter().flat_map(|item| item.runs()).collect();
    runs.sort_unstable();
    runs.dedup();
    let named = runs.iter().take(MOST_NAMED).filter_map(|run| flow.runs.get(index(*run)));
    text.extend(named.map(|run: &Run| match &*run.market {
        BASE => format!("- {}", run.case),
        market => format!("- {} ({market})", run.case),
    }));
    let more = runs.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        text.push(format!("and {more} more"));
    }
    text.join("\n")
}

fn counted(cases: usize) -> String {
    match cases {
        1 => "1 case".to_owned(),
        some => format!("{some} cases"),
    }
}
