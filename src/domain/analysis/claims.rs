//! Claims that hold for all facts, by what a rule says: `when C, always outcome == "decline"`, where a rule with that
//! outcome hits whatever C holds for, and its set counts before the script can end. Absent on purpose: claims of
//! numbers, of order, and of what a script makes of points.

use std::collections::BTreeMap;

use super::FlowNames;
use super::formula::Reader;
use super::space::Space;
use crate::domain::declaration::HitPolicy;
use crate::domain::expression::{Code, Expression};
use crate::domain::flow::properties::Condition;
use crate::domain::flow::{Flow, Rule, RuleSet};
use crate::domain::value::Name;

/// The set and the rule that make the claim true: the outcome is the strictest that there is, so what follows cannot
/// change it.
#[must_use]
pub fn rule_that_decides(flow: &Flow, when: &Condition, always: &Condition) -> Option<(Name, Name)> {
    let claimed = always.outcome_that_is_claimed()?;
    let strictest = flow.outcomes.len().checked_sub(1)?;
    if flow.outcomes.get(strictest)? != claimed {
        return None;
    }
    let decides = |rule: &&Rule| rule.outcome.map(usize::from) == Some(strictest);
    applied_first(flow).into_iter().find_map(|set| {
        // Under `first` another rule may answer in its place.
        let counted = if set.hit_policy == HitPolicy::First { 1 } else { set.rules.len() };
        let rule = set.rules.iter().take(counted).filter(decides).find(|rule| hits(flow, when, rule))?;
        Some((set.name.clone(), rule.id.clone()))
    })
}

/// The rule sets that are asked without anything handed over, and applied, before a script does anything else.
fn applied_first(flow: &Flow) -> Vec<&RuleSet> {
    let mut asked: BTreeMap<u16, u16> = BTreeMap::new();
    let mut applied = Vec::new();
    let statements = match &flow.script.body.code {
        Code::Block(statements) => &**statements,
        _ => std::slice::from_ref(&flow.script.body),
    };
    for statement in statements {
        match &statement.code {
            Code::Set { local, value } => match bare(value) {
                Some(set) => asked.insert(*local, set),
                None => break,
            },
            Code::Apply(of) => {
                let held =
                    if let Code::Local(local) = &of.code { asked.get(local).copied() } else { bare(of) };
                let Some(set) = held.and_then(|set| flow.rule_sets.get(usize::from(set))) else { break };
                applied.push(set);
                None
            }
            _ => break,
        };
    }
    applied
}

fn bare(expression: &Expression) -> Option<u16> {
    match &expression.code {
        Code::RuleSet { index, takes } if takes.is_empty() => Some(*index),
        _ => None,
    }
}

/// Whether the rule hits wherever the condition holds.
fn hits(flow: &Flow, when: &Condition, rule: &Rule) -> bool {
    let (claimed, of_rule) = (when.expression(), &rule.condition);
    // The same condition comes to the same, whatever is in it, as long as no answer is read.
    if !when.reads_the_answer() && claimed.without_places() == of_rule.without_places() {
        return true;
    }
    let names = FlowNames { flow, takes: &[] };
    let mut space = Space::default();
    let first = Reader { space: &mut space, names: &names, source: &when.text }.read(claimed);
    let second = Reader { space: &mut space, names: &names, source: &rule.when }.read(of_rule);
    if space.reads_features() {
        return false;
    }
    space.settle();
    let sizes = space.sizes();
    let (first, second) = (first.region(&space, &sizes), second.region(&space, &sizes));
    let apart = |other| first.holds.intersection(other, &sizes).is_ok_and(|both| both.is_empty());
    // What could not be read of the claim only widens it; of the rule, everything must be known.
    second.is_exact && apart(&second.misses) && apart(&second.fails)
}
