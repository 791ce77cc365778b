//! One number moved from an end to another: what is decided at each step, and exactly where the outcome changes.

use rust_decimal::Decimal;

use super::change::literal_text;
use super::{Situation, WhatIfError, Wish};
use crate::bundle::Bundle;
use crate::domain::value::{Kind, Name, Value};

/// Most steps of one sweep.
const MOST_POINTS: usize = 10_000;
/// Steps where none are asked for.
const USUAL_STEPS: u32 = 20;
/// Digits behind those of the steps to which a change is found.
const FINER: u32 = 4;
const COARSEST: u32 = 6;
const FINEST: u32 = 12;

/// `max_default_risk=0.10..0.60:0.05`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// As in `--set`.
    pub name: String,
    pub from: Decimal,
    pub to: Decimal,
    pub step: Decimal,
}

/// What is decided where the number is this one.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub at: Decimal,
    /// The outcome; `asks for NAME`; or why there is none, as a code.
    pub said: Said,
    pub reasons: Vec<Name>,
    pub output: Vec<(Name, Value)>,
    pub scores: Vec<(Name, f64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    Outcome(Name),
    Asks(Name),
    /// The flow does not take this number, or does not check with it.
    Refused(String),
}

/// Between two numbers that stand as close as is looked, the outcome changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Flip {
    /// The last number that gives `before`, and the first that gives `after`.
    pub last: Decimal,
    pub first: Decimal,
    pub before: Said,
    pub after: Said,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Swept {
    pub flow: Name,
    pub sweep: Sweep,
    /// Mildest first.
    pub outcomes: Vec<Name>,
    pub points: Vec<Point>,
    pub flips: Vec<Flip>,
    /// What the number is now, and what is decided with it.
    pub now: Option<(Decimal, Said)>,
}

impl Said {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Outcome(outcome) => outcome.to_string(),
            Self::Asks(need) => format!("asks for {need}"),
            Self::Refused(code) => format!("refused: {code}"),
        }
    }
}

impl Sweep {
    /// # Errors
    /// When it is no `NAME=from..to:step`, or has too many steps.
    pub fn read(text: &str) -> Result<Self, WhatIfError> {
        let wrong = |why: &str| {
            WhatIfError::wish(
                format!("`--sweep {text}`: {why}"),
                "write NAME=from..to:step, such as `--sweep max_default_risk=0.10..0.60:0.05`",
            )
        };
        let (name, range) = text.split_once('=').ok_or_else(|| wrong("it names no numbers"))?;
        let (range, step) = range.split_once(':').map_or((range, None), |(range, step)| (range, Some(step)));
        let (from, to) = range.split_once("..").ok_or_else(|| wrong("it has no two ends"))?;
        let number = |text: &str| {
            text.trim().parse::<Decimal>().map_err(|_| wrong("an end or step is no plain number"))
        };
        let (from, to) = (number(from)?, number(to)?);
        if from >= to {
            return Err(wrong("it has to go upwards"));
        }
        let usual = || (to - from) / Decimal::from(USUAL_STEPS);
        let step = step.map(number).transpose()?.unwrap_or_else(usual);
        if step <= Decimal::ZERO {
            return Err(wrong("the step has to be above 0"));
        }
        let steps = (to - from).checked_div(step);
        if steps.is_none_or(|steps| steps > Decimal::from(MOST_POINTS)) {
            return Err(wrong("it has more than 10,000 steps"));
        }
        Ok(Self { name: name.trim().to_owned(), from, to, step: step.normalize() })
    }

    fn values(&self) -> Vec<Decimal> {
        let mut values = Vec::new();
        let mut at = self.from;
        while at < self.to {
            values.push(at);
            at += self.step;
        }
        values.push(self.to);
        values
    }

    fn digits(&self) -> u32 {
        [self.from, self.to, self.step]
            .map(|number| number.normalize().scale())
            .into_iter()
            .max()
            .unwrap_or_default()
    }
}

/// Decides at each step; `done` is told how many are.
///
/// # Errors
/// When the name stands for nothing that is a number, or the flow does not take the facts at all.
pub fn sweep(
    situation: &Situation,
    wanted: &Sweep,
    bundle: &Bundle,
    done: &dyn Fn(usize),
) -> Result<Swept, WhatIfError> {
    let finest = finest(situation, wanted)?;
    let moved = Moved { situation, wanted, bundle };
    // What is wrong with the name or the first number is told as it is; later ones may be out of range.
    situation.with(&[wanted.wish(wanted.from)], bundle)?;
    let mut points = Vec::new();
    for value in wanted.values() {
        points.push(moved.point(value));
        done(points.len());
    }
    if points.iter().all(|point| matches!(point.said, Said::Refused(_))) {
        situation.with(&[wanted.wish(wanted.from)], bundle)?.0.verdict()?;
    }
    let pairs = points.iter().zip(points.iter().skip(1));
    let flips =
        pairs.filter(|(a, b)| a.said != b.said).flat_map(|(a, b)| moved.flips((a, b), finest)).collect();
    let now = current(situation, wanted).and_then(|number| {
        let verdict = situation.verdict().ok()?;
        Some((number, said(&verdict)))
    });
    Ok(Swept {
        flow: situation.flow.flow.name.clone(),
        sweep: wanted.clone(),
        outcomes: situation.flow.flow.outcomes.clone(),
        points,
        flips,
        now,
    })
}

impl Sweep {
    fn wish(&self, value: Decimal) -> Wish {
        Wish::of(&self.name, value.to_string())
    }
}

/// To how many digits a change is looked for. A name that is no number is refused.
fn finest(situation: &Situation, wanted: &Sweep) -> Result<u32, WhatIfError> {
    let digits = wanted.digits();
    let finer = (digits + FINER).clamp(COARSEST, FINEST);
    match wanted.wish(wanted.from) {
        Wish::Fact { path, .. } => match situation.kind_of(&path)? {
            Kind::Integer if digits > 0 => Err(WhatIfError::wish(
                format!("`facts.{path}` is a whole number"),
                "give whole numbers as ends and step",
            )),
            Kind::Integer => Ok(0),
            Kind::Decimal | Kind::Number => Ok(finer),
            kind => Err(WhatIfError::wish(
                format!("`facts.{path}` is {}, and only numbers can be moved", kind.word()),
                "try its values one by one with `--set`",
            )),
        },
        Wish::Market { .. } => Err(WhatIfError::wish(
            "a market is no number".to_owned(),
            "try the markets one by one with `--set market=NAME`",
        )),
        Wish::Threshold { .. } | Wish::Model { .. } | Wish::Without { .. } => Ok(finer),
    }
}

/// What the number is as it is.
fn current(situation: &Situation, wanted: &Sweep) -> Option<Decimal> {
    match wanted.wish(wanted.from) {
        Wish::Threshold { flow: None, name, .. } => {
            let thresholds = &situation.flow.declaration.thresholds;
            let found = thresholds.iter().find(|threshold| threshold.name.value == name)?;
            literal_text(&found.literal.value).parse().ok()
        }
        Wish::Fact { path, .. } => {
            let facts = situation.flow.flow.admit(&situation.facts).ok()?;
            let at = situation.flow.flow.inputs.iter().position(|input| *input.name == *path)?;
            match facts.values.get(at)? {
                Value::Integer(number) => Some((*number).into()),
                Value::Decimal(number) => Some(*number),
                Value::Number(number) => number.to_string().parse().ok(),
                _ => None,
            }
        }
        _ => None,
    }
}

fn said(verdict: &crate::domain::verdict::Verdict) -> Said {
    match verdict.needs.first() {
        Some(need) => Said::Asks(need.name.clone()),
        None => Said::Outcome(verdict.outcome.clone()),
    }
}

struct Moved<'a> {
    situation: &'a Situation,
    wanted: &'a Sweep,
    bundle: &'a Bundle,
}

impl Moved<'_> {
    fn point(&self, at: Decimal) -> Point {
        let moved = self.situation.with(&[self.wanted.wish(at)], self.bundle);
        let verdict = match moved.and_then(|(moved, _)| moved.verdict()) {
            Ok(verdict) => verdict,
            Err(error) => {
                let why = match error {
                    WhatIfError::Facts(problems) => problems.first().map_or("facts", |problem| problem.code),
                    WhatIfError::DoesNotCheck(found) => found.first().map_or("error", |finding| finding.code),
                    WhatIfError::Wish { .. } => "no such number",
                };
                let said = Said::Refused(why.to_owned());
                return Point { at, said, reasons: Vec::new(), output: Vec::new(), scores: Vec::new() };
            }
        };
        Point {
            at,
            said: said(&verdict),
            reasons: verdict.reasons,
            output: verdict.output,
            scores: verdict.scores.into_iter().map(|(name, score)| (name, score.rounded)).collect(),
        }
    }

    /// Where between two points the outcome changes: once, or more often where what lies between is another one.
    fn flips(&self, (a, b): (&Point, &Point), digits: u32) -> Vec<Flip> {
        let (mut flips, mut from, mut said) = (Vec::new(), a.at, a.said.clone());
        // Between two points lie at most as many changes as there are answers.
        for _ in 0..8 {
            if said == b.said {
                break;
            }
            let flip = self.flip((from, &said), (b.at, &b.said), digits);
            (from, said) = (flip.first, flip.after.clone());
            flips.push(flip);
        }
        flips
    }

    fn flip(&self, (a, before): (Decimal, &Said), (b, after): (Decimal, &Said), digits: u32) -> Flip {
        let smallest = Decimal::new(1, digits);
        let (mut last, mut first, mut after) = (a, b, after.clone());
        while first - last > smallest {
            let middle = ((last + first) / Decimal::TWO).round_dp(digits);
            if middle <= last || middle >= first {
                break;
            }
            let found = self.point(middle).said;
            if found == *before {
                last = middle;
            } else {
                (first, after) = (middle, found);
            }
        }
        Flip { last: last.normalize(), first: first.normalize(), before: before.clone(), after }
    }
}
