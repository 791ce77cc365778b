//! Whether other points of the rules of a set can show: in the order of reasons, in what the points are compared with,
//! in the rows of tables that they are handed over to. Points are sums of finitely many, so every sum is tried. Absent
//! on purpose: the rules' conditions (`same`).

use std::collections::BTreeSet;

use super::held::{Compared, Held, Step};
use crate::domain::declaration::HitPolicy;
use crate::domain::expression::operators;
use crate::domain::flow::{Flow, Rule, RuleSet};
use crate::domain::table::{Source, Test};
use crate::domain::value::Value;

/// More pairs of sums than this are not tried.
const MOST_PAIRS: usize = 8_192;
/// Points beyond this are not added up: sums stay far from where they would be cut off.
const MOST_POINTS: i64 = 1 << 32;

/// Whether two sets of the same rules, but for their points, are the same to whoever asks the flow. `true` is a proof.
pub(super) fn count_alike(flow: &Flow, held: &Held, (at, a): (u16, &RuleSet), b: &RuleSet) -> bool {
    let is_same = a.rules.iter().zip(&b.rules).all(|(x, y)| x.points == y.points);
    if is_same {
        return true;
    }
    let used = held.used(Step::RuleSet(at));
    if used.escapes || used.is_computed {
        return false;
    }
    let Some(pairs) = sums(a, b) else { return false };
    are_ranked_alike(flow, a, b)
        && used.compared.iter().all(|compared| is_compared_alike(compared, &pairs))
        && used.handed.iter().all(|(step, at)| is_taken_alike(flow, (*step, *at), &pairs))
}

/// Every sum of the one with that of the other, where the same rules hit.
fn sums(a: &RuleSet, b: &RuleSet) -> Option<Vec<(i64, i64)>> {
    let mut all = BTreeSet::from([(0, 0)]);
    for (x, y) in a.rules.iter().zip(&b.rules) {
        if x.points.abs() > MOST_POINTS || y.points.abs() > MOST_POINTS {
            return None;
        }
        let more: Vec<(i64, i64)> = match a.hit_policy {
            HitPolicy::Collect => all.iter().map(|(one, other)| (one + x.points, other + y.points)).collect(),
            HitPolicy::First => vec![(x.points, y.points)],
        };
        all.extend(more);
        if all.len() > MOST_PAIRS {
            return None;
        }
    }
    Some(all.into_iter().filter(|(one, other)| one != other).collect())
}

/// Reasons are ranked by outcome and points: within the set, where the first of equals stands first; and with an
/// outcome among all records of the flow, those of verbs with no points at all.
fn are_ranked_alike(flow: &Flow, a: &RuleSet, b: &RuleSet) -> bool {
    let others = || flow.rule_sets.iter().filter(|set| set.name != a.name).flat_map(|set| &set.rules);
    let pairs: Vec<(&Rule, &Rule)> = a.rules.iter().zip(&b.rules).collect();
    // Whether the earlier of two rules stands first.
    let stands = |earlier: &Rule, later: &Rule| earlier.points >= later.points;
    let among_own = pairs.iter().enumerate().all(|(at, (x, y))| {
        let later = pairs.iter().skip(at + 1).filter(|(other, _)| other.outcome == x.outcome);
        later.into_iter().all(|(other, same)| stands(x, other) == stands(y, same))
    });
    // When the rules of another set are recorded is not looked at: a tie has to stay one.
    let moved = pairs.iter().filter(|(x, y)| x.points != y.points && x.outcome.is_some());
    let among_all = moved.into_iter().all(|(x, y)| {
        let all = others().map(|rule| rule.points).chain([0]);
        all.into_iter().all(|points| x.points.cmp(&points) == y.points.cmp(&points))
    });
    among_own && among_all
}

fn is_compared_alike(compared: &Compared, pairs: &[(i64, i64)]) -> bool {
    let Some(constant) = compared.constant.plain() else { return false };
    let holds = |points: i64| {
        let points = Value::Integer(points);
        let (left, right) = if compared.is_left { (&points, constant) } else { (constant, &points) };
        operators::comparison(compared.operator, left, right).ok()
    };
    pairs.iter().all(|(one, other)| holds(*one).is_some() && holds(*one) == holds(*other))
}

/// Whether no cell that asks what is handed over tells the sums apart.
fn is_taken_alike(flow: &Flow, (step, at): (Step, u16), pairs: &[(i64, i64)]) -> bool {
    let tests: Vec<&Test> = match step {
        Step::Table(table) => {
            let Some(table) = flow.tables.get(usize::from(table)) else { return false };
            let columns =
                table.columns.iter().enumerate().filter(|(_, column)| column.source == Source::Taken(at));
            let places: Vec<usize> = columns.map(|(place, _)| place).collect();
            let tests =
                |place: &usize| table.rows.iter().filter_map(|row| row.tests.get(*place)).collect::<Vec<_>>();
            places.iter().flat_map(tests).collect()
        }
        // Which of several calls of a scorecard were one and the same tells whose points are its score.
        Step::Scorecard(_) | Step::RuleSet(_) => return false,
    };
    let answers = |points: i64, test: &Test| test.matches(&Value::Integer(points));
    tests.iter().all(|test| pairs.iter().all(|(one, other)| answers(*one, test) == answers(*other, test)))
}
