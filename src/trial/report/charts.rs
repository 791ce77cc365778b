//! The report's charts: which figures are drawn how.

use maud::Markup;

use super::{number, percent};
use crate::documents::html::chart::{
    Axis, Bar, Chart, Mark, Part, Point, Row, Size, Tone, Unit, grouped, rows,
};
use crate::trial::batch::{Band, OutcomeSummary, ReasonSummary, ScoreSummary, Summary};

/// A score with as many digits as say something.
pub(super) fn short(value: f64) -> String {
    if value.abs() >= 100.0 { grouped(value, 0) } else { format!("{value:.4}") }
}

const BY_LABEL: &[(&str, Tone)] = &[("good", Tone::Good), ("bad", Tone::Bad), ("not known", Tone::Faint)];

/// Good, bad and unknown rows side by side; without a label one part in the tone given.
fn parts(name: &str, (rows, good, bad): (u64, u64, u64), has_label: bool, plain: Tone) -> Vec<Part> {
    let part = |tone, count: u64, word: &str| Part {
        tone,
        value: count as f64,
        says: format!("{name}: {} {word}", number(count)),
    };
    if !has_label {
        return vec![part(plain, rows, "rows")];
    }
    let unknown = rows.saturating_sub(good + bad);
    vec![part(Tone::Good, good, "good"), part(Tone::Bad, bad, "bad"), part(Tone::Faint, unknown, "not known")]
}

pub(super) fn outcomes(outcomes: &[OutcomeSummary], has_label: bool) -> Markup {
    let row = |(rank, of): (usize, &OutcomeSummary)| Row {
        label: of.outcome.to_string(),
        parts: parts(
            &of.outcome,
            (of.counts.rows, of.counts.good, of.counts.bad),
            has_label,
            Tone::of_rank(rank, outcomes.len()),
        ),
        shown: format!("{} ({})", number(of.counts.rows), percent(of.share)),
    };
    let all: Vec<Row> = outcomes.iter().enumerate().map(row).collect();
    rows("Outcomes", "decided rows by outcome", if has_label { BY_LABEL } else { &[] }, &all)
}

pub(super) fn reasons(reasons: &[ReasonSummary], has_label: bool) -> Markup {
    let row = |of: &ReasonSummary| Row {
        label: of.code.to_string(),
        parts: parts(&of.code, (of.counts.rows, of.counts.good, of.counts.bad), has_label, Tone::Plain),
        shown: format!("{} ({})", number(of.counts.rows), percent(of.share)),
    };
    let all: Vec<Row> = reasons.iter().map(row).collect();
    let says = "decided rows by reason; a row may have several";
    rows("Reasons", says, if has_label { BY_LABEL } else { &[] }, &all)
}

/// How the score is spread; with a label good rows below and bad ones on top.
pub(super) fn distribution(score: &ScoreSummary) -> Markup {
    let highest = score.distribution.iter().map(|band| band.counts.rows).max().unwrap_or(0) as f64;
    let has_label = score.distribution.iter().any(|band| band.counts.good + band.counts.bad > 0);
    type Count = fn(&Band) -> u64;
    let bars = |name: Option<&'static str>, tone, low: Count, high: Count| {
        let bar = |band: &Band| {
            let gap = (band.to - band.from) * 0.04;
            let count = high(band).saturating_sub(low(band));
            Bar {
                from: band.from + gap,
                to: band.to - gap,
                low: low(band) as f64,
                high: high(band) as f64,
                says: format!(
                    "{} to {}: {} {}",
                    short(band.from),
                    short(band.to),
                    number(count),
                    name.unwrap_or("rows")
                ),
            }
        };
        Mark::Bars { name, tone, bars: score.distribution.iter().map(bar).collect() }
    };
    let mut marks = if has_label {
        vec![
            bars(Some("good"), Tone::Good, |_| 0, |band| band.counts.good),
            bars(Some("bad"), Tone::Bad, |band| band.counts.good, |band| band.counts.good + band.counts.bad),
            bars(
                Some("not known"),
                Tone::Faint,
                |band| band.counts.good + band.counts.bad,
                |band| band.counts.rows,
            ),
        ]
    } else {
        vec![bars(None, Tone::Plain, |_| 0, |band| band.counts.rows)]
    };
    if score.distribution.iter().all(|band| band.counts.good + band.counts.bad == band.counts.rows)
        && has_label
    {
        marks.pop();
    }
    let thresholds = score.thresholds.iter();
    marks.extend(thresholds.map(|of| Mark::Upright { at: of.point.cut_off, label: &of.name }));
    let ends = score.distribution.first().map(|band| band.from).zip(score.distribution.last().map(|b| b.to));
    let (from, to) = ends.unwrap_or((0.0, 1.0));
    let chart = Chart {
        title: "Distribution",
        says: format!("how many rows have which {}", score.name),
        across: Axis { label: &score.name, from, to, unit: Unit::Number },
        // There are no halves of rows.
        up: Axis::over("rows", [0.0, highest.max(5.0)], Unit::Number),
        size: Size::Wide,
        marks,
    };
    chart.draw()
}

/// Approval rate against bad rate as a cut-off moves, the thresholds on it, and the flow as it decides.
pub(super) fn frontier(score: &ScoreSummary, approved: Option<(f64, Option<f64>)>) -> Markup {
    let line: Vec<(f64, f64)> =
        score.frontier.iter().filter_map(|point| Some((point.approval_rate, point.bad_rate?))).collect();
    if line.is_empty() {
        return maud::html! {};
    }
    let points = score.thresholds.iter().filter_map(|of| {
        let at = (of.point.approval_rate, of.point.bad_rate?);
        let says = format!(
            "{} ({}): {} approved, {} of them bad",
            of.name,
            short(of.point.cut_off),
            percent(at.0),
            percent(at.1)
        );
        Some(Point { at, says, label: Some(of.name.clone()) })
    });
    let points: Vec<Point> = points.collect();
    let flow = approved.and_then(|(rate, bad)| Some((rate, bad?)));
    let highest = line.iter().map(|(_, bad)| *bad).chain(flow.map(|at| at.1)).fold(0.0, f64::max);
    let mut marks = vec![Mark::Line { name: Some("this score alone"), tone: Tone::Plain, points: line }];
    if !points.is_empty() {
        marks.push(Mark::Points { name: Some("thresholds"), tone: Tone::Second, points });
    }
    if let Some(at) = flow {
        let says =
            format!("the flow as it decides: {} approved, {} of them bad", percent(at.0), percent(at.1));
        let point = Point { at, says, label: Some("the flow".to_owned()) };
        marks.push(Mark::Points { name: Some("the whole flow"), tone: Tone::Bad, points: vec![point] });
    }
    let chart = Chart {
        title: "Approvals against bad rate",
        says: format!("bad rate of the approved as the cut-off of {} moves", score.name),
        across: Axis::whole("share approved", Unit::Share),
        up: Axis::over("bad rate of the approved", [0.0, highest], Unit::Share),
        size: Size::Wide,
        marks,
    };
    chart.draw()
}

/// The outcomes, mildest first, in the colours that all charts give them.
pub(super) fn tones(summary: &Summary) -> Vec<(&str, Tone)> {
    let outcomes = &summary.outcomes;
    let tone = |rank| Tone::of_rank(rank, outcomes.len());
    outcomes.iter().enumerate().map(|(rank, of)| (&*of.outcome, tone(rank))).collect()
}

pub(super) fn markets(summary: &Summary) -> Markup {
    let tones = tones(summary);
    let row = |market: &crate::trial::batch::MarketSummary| Row {
        label: market.market.clone(),
        parts: market
            .outcomes
            .iter()
            .zip(&tones)
            .map(|(of, (name, tone))| Part {
                tone: *tone,
                value: of.share,
                says: format!("{}: {} {name}", market.market, percent(of.share)),
            })
            .collect(),
        shown: format!("{} rows", number(market.counts.rows)),
    };
    let all: Vec<Row> = summary.markets.iter().map(row).collect();
    rows("Outcomes by market", "share of each outcome in each market", &tones, &all)
}
