//! Scorecards: points for what each characteristic is, and the reasons ranked by points lost.

use super::machine::{Fault, Machine, Outcome};
use super::tables::check_results;
use crate::domain::expression::Expression;
use crate::domain::place::Span;
use crate::domain::scorecard::Scorecard;
use crate::domain::value::{Name, StepHandle, Value};
use crate::domain::verdict::{BinTrace, Score, Step};

/// What a scorecard gave.
#[derive(Debug, Clone, Default)]
pub(super) struct CardResult {
    points: i64,
    /// Of bins in which points were lost: most points lost first, then in the order of the characteristics.
    reasons: Vec<Name>,
    failed: bool,
    card: usize,
    /// What was handed over: the same call is remembered, another one is not.
    handed: Vec<Value>,
}

impl CardResult {
    /// The scorecard's place and its points, if it gave any.
    pub fn score(&self) -> Option<(usize, Score)> {
        #[expect(clippy::cast_precision_loss, reason = "sums of bounded points are far below 2^53")]
        let points = self.points as f64;
        (!self.failed).then_some((self.card, Score { rounded: points, raw: points }))
    }
}

impl<'a> Machine<'a> {
    /// Evaluates a scorecard, once a request for the same values handed over.
    pub(super) fn scorecard(
        &mut self,
        index: u16,
        takes: &'a [(u16, Expression)],
        span: Span,
    ) -> Outcome<Value> {
        let flow = self.flow;
        let index = usize::from(index);
        let Some(card) = flow.scorecards.get(index) else { return Ok(Value::Missing) };
        let handed = self.handed(card.takes.iter().map(|(name, kind)| (name, kind)), takes, span)?;
        let known = self.cards.iter().position(|result| result.card == index && result.handed == handed);
        let at = match known {
            Some(at) => at,
            None => {
                check_results("steps are evaluated", self.cards.len(), span)?;
                let result = self.add_up(index, card, handed, span)?;
                self.cards.push(result);
                let at = self.cards.len().saturating_sub(1);
                self.asked.push(super::steps::AskedScore::Scorecard(at));
                at
            }
        };
        Ok(Value::Step(StepHandle::Scorecard(u16::try_from(at).unwrap_or(u16::MAX))))
    }

    fn add_up(
        &mut self,
        index: usize,
        card: &'a Scorecard,
        handed: Vec<Value>,
        span: Span,
    ) -> Outcome<CardResult> {
        let mut result =
            CardResult { card: index, handed, points: card.base_points, ..CardResult::default() };
        let mut bins: Vec<BinTrace> = Vec::with_capacity(card.characteristics.len());
        for characteristic in &card.characteristics {
            self.tick(span)?;
            let value = self.asked(characteristic.source, &characteristic.kind, &result.handed, span);
            let found = value.and_then(|value| {
                characteristic.bin(&value).ok_or_else(|| {
                    let name = &characteristic.name;
                    let (code, detail) = match value {
                        Value::Missing => {
                            ("missing_value", format!("`{name}` was not given, and no bin says `missing`"))
                        }
                        _ => ("no_bin", format!("no bin of `{name}` takes its value")),
                    };
                    Fault::new(code, detail, span).into()
                })
            });
            match found {
                Ok((at, bin)) => {
                    result.points = result.points.saturating_add(bin.points);
                    bins.push(BinTrace {
                        characteristic: characteristic.name.clone(),
                        bin: u32::try_from(at + 1).unwrap_or(u32::MAX),
                        points: bin.points,
                        lost: characteristic.best().saturating_sub(bin.points),
                        reason: bin.reason.clone(),
                    });
                }
                Err(stop) => {
                    self.fail(format!("scorecard {}", card.name), stop, 0);
                    result.failed = true;
                    break;
                }
            }
        }
        if !result.failed {
            result.reasons = ranked(&bins);
        }
        // Points of some characteristics are no score: a failed scorecard shows only which bins it came to.
        let points = if result.failed { 0 } else { result.points };
        self.trace.push(Step::Scorecard { name: card.name.clone(), points, bins });
        Ok(result)
    }

    /// `.points`, `.reasons` and `.failed`. What failed has neither points nor reasons.
    pub(super) fn scorecard_property(&mut self, result: u16, name: &Name, span: Span) -> Outcome<Value> {
        let flow = self.flow;
        let Some(found) = self.cards.get(usize::from(result)) else { return Ok(Value::Missing) };
        let Some(card) = flow.scorecards.get(found.card) else { return Ok(Value::Missing) };
        if &**name == "failed" {
            return Ok(Value::Boolean(found.failed));
        }
        if found.failed {
            let detail = format!("reads the result of `{}`, which failed", card.name);
            return Err(Fault::new("failed_step", detail, span).into());
        }
        Ok(match &**name {
            "points" => Value::Integer(found.points),
            "reasons" => Value::List(found.reasons.iter().cloned().map(Value::Text).collect()),
            _ => Value::Missing,
        })
    }
}

fn ranked(bins: &[BinTrace]) -> Vec<Name> {
    let mut lost: Vec<&BinTrace> = bins.iter().filter(|bin| bin.lost > 0).collect();
    lost.sort_by_key(|bin| std::cmp::Reverse(bin.lost));
    let mut codes: Vec<Name> = Vec::new();
    for code in lost.into_iter().filter_map(|bin| bin.reason.clone()) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}
