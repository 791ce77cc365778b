//! An explanation as a tree for the terminal: what happened from top to bottom, then what stood in the way.

use crate::documents::findings::Colour;
use crate::documents::outline::{Branch, draw};
use crate::domain::explanation::{
    Condition, Explanation, ModelTold, Obstacle, Read, RecordTold, RuleTold, Told, Truth, WhyNot,
};
use crate::domain::value::Name;
use crate::domain::verdict::{RecordedBy, RuleResult};

/// Contributions of a model that are told; JSON has all.
const MOST_INPUTS: usize = 6;

/// How outcomes, truths and asides are told apart; nothing without colours.
#[derive(Debug, Clone, Copy)]
pub struct Shades<'o> {
    pub colour: Colour,
    /// Mildest first.
    pub outcomes: &'o [Name],
}

impl Shades<'_> {
    fn paint(&self, code: &str, text: &str) -> String {
        match self.colour {
            Colour::Never => text.to_owned(),
            Colour::Always => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    #[must_use]
    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    #[must_use]
    pub fn aside(&self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Green for the mildest outcome, red for the strictest, yellow between.
    #[must_use]
    pub fn outcome(&self, outcome: &str, text: &str) -> String {
        let is = |known: Option<&Name>| known.is_some_and(|known| **known == *outcome);
        let code = match (is(self.outcomes.first()), is(self.outcomes.last())) {
            (true, _) => "32",
            (_, true) => "31",
            _ => "33",
        };
        self.paint(code, text)
    }
}

/// The whole explanation; `text` gives a reason's text by its code.
#[must_use]
pub fn tree(explanation: &Explanation, text: &dyn Fn(&str) -> Option<String>, colour: Colour) -> String {
    let ink = Ink { shades: Shades { colour, outcomes: &explanation.outcomes } };
    let market = explanation.market.as_deref().unwrap_or("base");
    let verdict = &explanation.verdict;
    let decided = if verdict.needs.is_empty() {
        ink.shades.outcome(&verdict.outcome, &verdict.outcome)
    } else {
        "not decided yet".to_owned()
    };
    let mut out = format!("{} (market {market}): {decided}\n", ink.shades.bold(&explanation.flow));
    let reasons = verdict.reasons.iter().filter(|_| verdict.needs.is_empty());
    for code in reasons {
        out.push_str(&format!("  {code}  {}\n", text(code).unwrap_or_default()).replace("  \n", "\n"));
    }
    let reads: Vec<Read> = verdict
        .output
        .iter()
        .map(|(name, value)| Read {
            name: name.clone(),
            value: crate::domain::explanation::Shown::Value(value.clone()),
        })
        .collect();
    if !reads.is_empty() && verdict.needs.is_empty() {
        out.push_str(&format!("  {}\n", listed(&reads)));
    }
    out.push('\n');
    let mut branches = ink.steps(&explanation.steps);
    if explanation.left_out > 0 {
        branches.push(Branch::leaf(format!("… and {} more steps", explanation.left_out)));
    }
    draw(&mut out, "", &branches);
    out.push_str(&why_not(&explanation.why_not, ink.shades));
    out
}

/// What stood in the way of each milder outcome; nothing where the verdict is the mildest.
#[must_use]
pub fn why_not(all: &[WhyNot], shades: Shades<'_>) -> String {
    let ink = Ink { shades };
    all.iter().map(|milder| ink.why_not(milder)).collect()
}

struct Ink<'o> {
    shades: Shades<'o>,
}

fn listed(reads: &[Read]) -> String {
    reads.iter().map(Read::shown).collect::<Vec<_>>().join(", ")
}

fn joined(names: &[Name]) -> String {
    names.iter().map(|name| &**name).collect::<Vec<_>>().join(", ")
}

fn points(points: i64) -> String {
    if points == 1 { "1 point".to_owned() } else { format!("{points} points") }
}

/// Lines whose first columns stand below each other.
fn aligned(lines: Vec<(String, String, Vec<Branch>)>) -> Vec<Branch> {
    let widest = lines.iter().map(|(first, _, _)| first.chars().count()).max().unwrap_or_default().min(40);
    let line = |(first, rest, below): (String, String, Vec<Branch>)| Branch {
        line: format!("{first:<widest$}  {rest}").trim_end().to_owned(),
        below,
    };
    lines.into_iter().map(line).collect()
}

impl Ink<'_> {
    fn steps(&self, steps: &[Told]) -> Vec<Branch> {
        steps.iter().map(|step| self.step(step)).collect()
    }

    fn step(&self, step: &Told) -> Branch {
        match step {
            Told::Feature { name, formula, reads, value } => {
                let value = value.as_ref().map_or("failed".to_owned(), |value| value.text());
                let line = format!("feature {} = {value}", self.shades.bold(name));
                let with = if reads.is_empty() { String::new() } else { format!(" with {}", listed(reads)) };
                Branch { line: line + &self.shades.aside(&format!("  {formula}{with}")), below: Vec::new() }
            }
            Told::Rules { name, rules, not_asked, points: sum } => self.rules(name, rules, *not_asked, *sum),
            Told::Model(model) => self.model(model),
            Told::Scorecard { name, base_points, points: sum, characteristics } => {
                let lines = characteristics.iter().map(|told| {
                    let lost = told.best.saturating_sub(told.points);
                    let lost = if lost == 0 { String::new() } else { format!(", {lost} below the best") };
                    let reason = told.reason.as_ref().map(|code| format!("  {code}")).unwrap_or_default();
                    let first = format!("{} {}", told.name, told.value.text());
                    (first, format!("{:<16}  {}{lost}{reason}", told.bin, points(told.points)), Vec::new())
                });
                let mut below = vec![Branch::leaf(format!("base  {}", points(*base_points)))];
                below.extend(aligned(lines.collect()));
                Branch { line: format!("scorecard {}: {}", self.shades.bold(name), points(*sum)), below }
            }
            Told::Table { name, columns, rows, output, missed } => {
                let numbers: Vec<String> = rows.iter().map(ToString::to_string).collect();
                let which = match rows.as_slice() {
                    [] => "no row".to_owned(),
                    [_] => format!("row {}", numbers.join("")),
                    _ => format!("rows {}", numbers.join(", ")),
                };
                let gave = if output.is_empty() { String::new() } else { format!(" → {}", listed(output)) };
                let line =
                    format!("table {} with {}: {which}{gave}", self.shades.bold(name), listed(columns));
                let below = missed.iter().map(|row| {
                    Branch::leaf(
                        self.shades
                            .aside(&format!("not row {}: {} is not {}", row.row, row.column, row.cell)),
                    )
                });
                Branch { line, below: below.collect() }
            }
            Told::List { name, value, is_listed } => {
                let word = if *is_listed { "in" } else { "not in" };
                Branch::leaf(format!("list {}: {} is {word} it", self.shades.bold(name), value.text()))
            }
            Told::SubFlow { name, outcome, reasons, degraded, steps } => {
                let because =
                    if reasons.is_empty() { String::new() } else { format!(": {}", joined(reasons)) };
                let degraded = if *degraded { ", degraded" } else { "" };
                let outcome = self.shades.outcome(outcome, outcome);
                let line = format!("flow {}: {outcome}{because}{degraded}", self.shades.bold(name));
                Branch { line, below: self.steps(steps) }
            }
            Told::Need { name, with, answer } => {
                let answer = answer.as_ref().map_or("no answer".to_owned(), |answer| answer.text());
                Branch::leaf(format!("need {} with {}: {answer}", self.shades.bold(name), with.text()))
            }
            Told::Branch { line, condition } => {
                let at = self.shades.aside(&format!("  line {line}"));
                let line = format!("if {}: {}{at}", condition.shown, self.truth(condition));
                Branch { line, below: self.parts(condition) }
            }
            Told::Switch { line, on, arm } => {
                let at = self.shades.aside(&format!("  line {line}"));
                let arm = arm.map_or("none of its ways".to_owned(), |arm| format!("way {arm}"));
                Branch::leaf(format!("switch {}: {arm}{at}", on.shown()))
            }
            Told::Computed { line, text, value } => {
                let at = self.shades.aside(&format!("  line {line}"));
                Branch::leaf(format!("{text}: {}{at}", value.text()))
            }
            Told::Record(record) => self.record(record),
            Told::Failed(failure) => Branch::leaf(
                self.shades.bold(&format!("failed: {}: {} ({})", failure.step, failure.detail, failure.code)),
            ),
        }
    }

    fn rules(&self, name: &Name, rules: &[RuleTold], not_asked: usize, sum: i64) -> Branch {
        let hits = rules.iter().filter(|rule| rule.result == RuleResult::Hit).count();
        let hit = match hits {
            0 => "no rule hits".to_owned(),
            1 => "1 rule hits".to_owned(),
            n => format!("{n} rules hit"),
        };
        let sum = if sum == 0 { String::new() } else { format!(", {}", points(sum)) };
        let lines = rules.iter().map(|rule| {
            let effect = if rule.result == RuleResult::Hit { self.effect(rule) } else { String::new() };
            let condition = &rule.condition;
            let first = format!("{:<6} {}", rule.result.word(), rule.id);
            (first, format!("{}: {}{effect}", condition.shown, self.truth(condition)), self.parts(condition))
        });
        let mut below = aligned(lines.collect());
        if not_asked > 0 {
            below.push(Branch::leaf(format!("{not_asked} more were not asked: the first hit ends this set")));
        }
        Branch { line: format!("rule set {}: {hit}{sum}", self.shades.bold(name)), below }
    }

    fn effect(&self, rule: &RuleTold) -> String {
        let mut parts: Vec<String> = Vec::new();
        match (&rule.outcome, &rule.reason) {
            (Some(outcome), Some(reason)) => {
                parts.push(self.shades.outcome(outcome, &format!("{outcome}: {reason}")))
            }
            (Some(outcome), None) => parts.push(self.shades.outcome(outcome, outcome)),
            (None, Some(reason)) => parts.push(reason.to_string()),
            (None, None) => {}
        }
        if rule.points != 0 {
            parts.push(points(rule.points));
        }
        format!(" → {}", parts.join(", "))
    }

    fn model(&self, model: &ModelTold) -> Branch {
        let score = model.score.map_or("no score".to_owned(), |score| score.to_string());
        let how = match (model.is_pinned, model.fallback) {
            (true, _) => ", as said",
            (false, true) => ", as declared for when it fails",
            _ => "",
        };
        let line = format!(
            "model {} ({} {}): {score}{how}",
            self.shades.bold(&model.name),
            model.model,
            model.version
        );
        let Some(found) = &model.contributions else { return Branch::leaf(line) };
        let value = |name: &Name| {
            let read = model.reads.iter().find(|read| read.name == *name);
            read.map(|read| read.value.text()).unwrap_or_default()
        };
        let inputs = found.inputs.iter().take(MOST_INPUTS);
        let lines =
            inputs.map(|(name, by)| (format!("{name} {}", value(name)), format!("{by:+.4}"), Vec::new()));
        let mut below = vec![Branch::leaf(self.shades.aside(&format!(
            "base {:.4} ({}), and what each input adds, the most first",
            found.base,
            found.space.word().replace('_', " ")
        )))];
        below.extend(aligned(lines.collect()));
        if found.inputs.len() > MOST_INPUTS {
            let rest: f64 = found.inputs.iter().skip(MOST_INPUTS).map(|(_, by)| by).sum();
            let more = found.inputs.len() - MOST_INPUTS;
            below.push(Branch::leaf(self.shades.aside(&format!("{more} more inputs  {rest:+.4}"))));
        }
        Branch { line, below }
    }

    fn record(&self, record: &RecordTold) -> Branch {
        let because =
            if record.reasons.is_empty() { String::new() } else { format!(": {}", joined(&record.reasons)) };
        let with = if record.output.is_empty() {
            String::new()
        } else {
            format!(" with {}", listed(&record.output))
        };
        let counts = if record.counts { self.shades.bold("  ← the verdict") } else { String::new() };
        let recorded = self.shades.outcome(&record.outcome, &format!("{}{because}", record.outcome));
        let by = self.shades.aside(&format!("  {}", by(&record.by, record.line)));
        Branch::leaf(format!("recorded {recorded}{with}{by}{counts}"))
    }

    fn truth(&self, condition: &Condition) -> String {
        match condition.truth {
            Truth::True => self.shades.bold("true"),
            Truth::Failed(code) => format!("failed ({code})"),
            other => other.word().to_owned(),
        }
    }

    /// The parts of a condition that is made of several.
    fn parts(&self, condition: &Condition) -> Vec<Branch> {
        let part = |part: &Condition| {
            let decided = if part.decided && condition.parts.len() > 1 {
                self.shades.aside("  ← decided")
            } else {
                String::new()
            };
            Branch { line: format!("{}: {}{decided}", part.shown, self.truth(part)), below: self.parts(part) }
        };
        condition.parts.iter().map(part).collect()
    }

    fn why_not(&self, milder: &WhyNot) -> String {
        let mut out = format!("\n{}\n", self.shades.bold(&format!("why not {}?", milder.outcome)));
        let mut branches: Vec<Branch> = milder.in_the_way.iter().map(|found| self.obstacle(found)).collect();
        if !milder.then.is_empty() {
            let below = milder.then.iter().map(|found| self.obstacle(found)).collect();
            branches.push(Branch { line: "and once these are gone".to_owned(), below });
        }
        draw(&mut out, "", &branches);
        let can_go = milder.in_the_way.iter().any(Obstacle::can_go);
        if can_go {
            let ends = self.shades.outcome(&milder.ends_in, &milder.ends_in);
            out.push_str(&format!("with all of it gone: {ends}\n"));
        }
        out
    }

    fn obstacle(&self, found: &Obstacle) -> Branch {
        let because =
            if found.reasons.is_empty() { String::new() } else { format!(": {}", joined(&found.reasons)) };
        let what = self.shades.outcome(&found.outcome, &format!("{}{because}", found.outcome));
        let still = if found.is_still { "" } else { ", not without the first" };
        let by = self.shades.aside(&format!("  {}{still}", by(&found.by, found.line)));
        let mut below: Vec<Branch> = found
            .conditions
            .iter()
            .map(|condition| Branch {
                line: format!("{}: {}", condition.shown, self.truth(condition)),
                below: self.parts(condition),
            })
            .collect();
        below.extend(found.within.iter().map(|inner| self.obstacle(inner)));
        if let Some(alone) = &found.alone {
            below.push(Branch::leaf(format!("without it alone: {}", self.shades.outcome(alone, alone))));
        }
        Branch { line: format!("{what}{by}"), below }
    }
}

/// Who recorded: `rule knockout/under_age`, `flow.rhai line 12`.
fn by(by: &RecordedBy, line: u32) -> String {
    match by {
        RecordedBy::Verb => format!("line {line}"),
        RecordedBy::Rule { rule_set, rule } => format!("rule {rule_set}/{rule}"),
        RecordedBy::Row { table, row } => format!("row {row} of table {table}"),
        RecordedBy::SubFlow(flow) => format!("flow {flow}"),
        RecordedBy::IfItFails(model) => format!("if_it_fails of model {model}"),
        RecordedBy::OnError => "on_error: something failed".to_owned(),
        RecordedBy::OnInvalid => "on_invalid: a fact is out of its range".to_owned(),
    }
}
