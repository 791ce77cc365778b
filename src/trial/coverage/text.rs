//! Coverage for people in a terminal: counts by kind, markets, and what no case reaches, worst first.

use std::fmt::Write as _;

use super::{Covered, FlowCoverage, Kind, State, in_markets, two_decimals, written_place};
use crate::documents::Source;

/// The summary of all flows that were tested. Ends without a line break.
#[must_use]
pub fn text(flows: &[FlowCoverage], sources: &[Source]) -> String {
    let mut out = String::new();
    for flow in flows {
        let count = flow.count();
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "coverage of {}: {}% ({} of {})",
            flow.flow,
            two_decimals(count.percent()),
            count.reached,
            count.all
        );
        for kind in Kind::ALL {
            let count = flow.count_of(|item| item.kind == kind);
            if count.all > 0 {
                let _ = writeln!(
                    out,
                    "  {:<20} {:>4} of {:<4} {}%",
                    kind.plural(),
                    count.reached,
                    count.all,
                    two_decimals(count.percent())
                );
            }
        }
        if flow.markets.len() > 1 {
            for market in &flow.markets {
                let count = flow.count_in(market);
                let share = two_decimals(count.percent());
                let _ = writeln!(out, "  in {market}: {} of {} {share}%", count.reached, count.all);
            }
        }
        let lacking = flow.lacking();
        if !lacking.is_empty() {
            out.push_str("  not reached:\n");
        }
        for item in lacking {
            let (file, line, _) = written_place(sources, item.place);
            let _ = writeln!(out, "    {file}:{line} {}{}", told(item), in_markets(item, flow));
        }
    }
    out.trim_end().to_owned()
}

/// `rule under_age in knockout: never hit`
pub(super) fn told(item: &Covered) -> String {
    let what = &item.what;
    let subject = match item.kind {
        Kind::Rule => format!("rule {what}"),
        Kind::Row | Kind::Bin | Kind::Fallback => what.clone(),
        Kind::Branch => format!("branch in {what}"),
        Kind::Arm => format!("switch arm in {what}"),
        Kind::Loop => format!("loop in {what}"),
        Kind::Record => format!("recorded outcome in {what}"),
        Kind::Return => format!("return in {what}"),
        Kind::Condition => format!("part of a condition in {what}"),
        Kind::List => format!("look-up of {what}"),
        Kind::Outcome => format!("outcome {what}"),
        Kind::Reason => format!("reason {what}"),
        Kind::Feature => format!("feature {what}"),
        Kind::Statement => format!("statement in {what}"),
    };
    let lacking: Vec<&str> =
        item.goals.iter().filter(|goal| goal.runs.is_empty()).map(|goal| goal.word).collect();
    match item.state() {
        State::Never if item.goals.len() > 1 => format!("{subject}: never evaluated"),
        _ => format!("{subject}: never {}", lacking.join(", never ")),
    }
}
