//! Rule sets and scorecards: rules, bins, points, and their order where the first that holds counts.

use super::contract::{kind, literal, plain};
use super::{About, ChangeKind, Found, Part, Said, order};
use crate::domain::declaration::{
    BinDeclaration, BinTest, CharacteristicDeclaration, HitPolicy, RuleDeclaration, RuleSetDeclaration,
    ScorecardDeclaration,
};
use crate::domain::outline::details::bin_test;
use crate::domain::place::Located;
use crate::domain::script::by_value;
use crate::domain::value::Kind;

pub(super) fn rule_sets(found: &mut Found, before: &[RuleSetDeclaration], after: &[RuleSetDeclaration]) {
    found.named(
        (before, after),
        |set| About::new(Part::RuleSet, &set.name.value),
        |set| format!("{} rules", set.rules.len()),
        |found, was, is| {
            let about = About::new(Part::RuleSet, &is.name.value);
            let policy = |set: &RuleSetDeclaration| {
                Some(Said::plain(match set.hit_policy {
                    HitPolicy::Collect => "collect",
                    HitPolicy::First => "first",
                }))
            };
            found.field(&about, "hit_policy", policy(was), policy(is));
            found.field(&about, "takes", takes(&was.takes), takes(&is.takes));
            rules(found, was, is);
        },
    );
}

fn takes(taken: &[(Located<String>, Kind)]) -> Option<Said> {
    let mut all: Vec<String> =
        taken.iter().map(|(name, of)| format!("{}: {}", name.value, kind(of))).collect();
    all.sort();
    (!all.is_empty()).then(|| Said::plain(all.join(", ")))
}

fn shown(rule: &RuleDeclaration) -> String {
    let points = rule.points.as_ref().map(|points| format!("{} points", points.value));
    let word = |word: &Option<Located<String>>| word.as_ref().map(|word| word.value.clone());
    let effect: Vec<String> =
        [word(&rule.outcome), word(&rule.reason), points].into_iter().flatten().collect();
    let when = rule.when.value.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{when} → {}", effect.join(", "))
}

fn rules(found: &mut Found, before: &RuleSetDeclaration, after: &RuleSetDeclaration) {
    let set = &after.name.value;
    let about = |rule: &RuleDeclaration| About::new(Part::Rule, &rule.id.value).within(set);
    let has = |rules: &[RuleDeclaration], id: &str| rules.iter().any(|rule| rule.id.value == id);
    let (removed, kept): (Vec<_>, Vec<_>) =
        before.rules.iter().cloned().partition(|rule| !has(&after.rules, &rule.id.value));
    let (mut added, stayed): (Vec<_>, Vec<_>) =
        after.rules.iter().cloned().partition(|rule| !has(&before.rules, &rule.id.value));
    let mut gone = Vec::new();
    for rule in removed {
        let same = |other: &RuleDeclaration| shown(other) == shown(&rule);
        match added.iter().position(same).map(|at| added.remove(at)) {
            Some(renamed) => {
                let names = (Some(rule.id.value.clone()), Some(renamed.id.value.clone()));
                found.add(&about(&renamed), ChangeKind::Renamed, names.0, names.1);
            }
            None => gone.push(rule),
        }
    }
    let (was, is): (Vec<_>, Vec<_>) =
        (kept.into_iter().chain(gone).collect(), stayed.into_iter().chain(added).collect());
    found.named((&was, &is), about, shown, |found, was, is| {
        let about = about(is);
        found.expressions(&about, "when", &was.when, &is.when);
        found.field(&about, "outcome", plain(was.outcome.as_ref()), plain(is.outcome.as_ref()));
        found.field(&about, "reason", plain(was.reason.as_ref()), plain(is.reason.as_ref()));
        let points =
            |rule: &RuleDeclaration| rule.points.as_ref().map(|points| Said::plain(points.value.to_string()));
        found.field(&about, "points", points(was), points(is));
    });
    if after.hit_policy == HitPolicy::First {
        let ids = |rules: &[RuleDeclaration]| -> Vec<String> {
            rules.iter().map(|rule| rule.id.value.clone()).collect()
        };
        moves(found, (Part::Rule, set), &ids(&before.rules), &ids(&after.rules));
    }
}

/// Says of each thing that moved what it stood behind and what it stands behind.
pub(super) fn moves(found: &mut Found, (part, within): (Part, &str), before: &[String], after: &[String]) {
    let behind = |all: &[String], at: usize| match at.checked_sub(1).and_then(|above| all.get(above)) {
        Some(above) => format!("behind {above}"),
        None => "first".to_owned(),
    };
    for index in order::moved(before, after) {
        let Some(name) = after.get(index) else { continue };
        let was = before.iter().position(|earlier| earlier == name).map(|at| behind(before, at));
        let about = About::new(part, name).within(within);
        found.add(&about, ChangeKind::Moved, was, Some(behind(after, index)));
    }
}

pub(super) fn scorecards(found: &mut Found, before: &[ScorecardDeclaration], after: &[ScorecardDeclaration]) {
    found.named(
        (before, after),
        |card| About::new(Part::Scorecard, &card.name.value),
        |card| format!("{} characteristics", card.characteristics.len()),
        |found, was, is| {
            let card = &is.name.value;
            let about = About::new(Part::Scorecard, card);
            let base = |card: &ScorecardDeclaration| Some(Said::plain(card.base_points.to_string()));
            found.field(&about, "base_points", base(was), base(is));
            found.field(&about, "takes", takes(&was.takes), takes(&is.takes));
            found.named(
                (&was.characteristics, &is.characteristics),
                |of| About::new(Part::Characteristic, &of.name.value).within(card),
                |of| format!("{} bins", of.bins.len()),
                |found, was, is| bins(found, card, was, is),
            );
        },
    );
}

/// Bins are told apart by what they ask.
fn bins(
    found: &mut Found,
    card: &str,
    before: &CharacteristicDeclaration,
    after: &CharacteristicDeclaration,
) {
    let within = format!("{card}.{}", after.name.value);
    let about = |bin: &BinDeclaration| About::new(Part::Bin, &meaning(bin)).within(&within);
    let effect = |bin: &BinDeclaration| {
        let reason = bin.reason.as_ref().map(|reason| format!(", {}", reason.value)).unwrap_or_default();
        format!("{} points{reason}", bin.points.value)
    };
    found.named((&before.bins, &after.bins), about, effect, |found, was, is| {
        let points = |bin: &BinDeclaration| Some(Said::plain(bin.points.value.to_string()));
        found.field(&about(is), "points", points(was), points(is));
        found.field(&about(is), "reason", plain(was.reason.as_ref()), plain(is.reason.as_ref()));
    });
    let asked = |bins: &[BinDeclaration]| -> Vec<String> { bins.iter().map(meaning).collect() };
    moves(found, (Part::Bin, &within), &asked(&before.bins), &asked(&after.bins));
}

/// What a bin asks, with its numbers by value.
fn meaning(bin: &BinDeclaration) -> String {
    let bound =
        |at: &Option<Located<String>>| at.as_ref().map(|at| Located::new(by_value(&at.value), at.place));
    let test = match &bin.test {
        BinTest::Range { from, below } => BinTest::Range { from: bound(from), below: bound(below) },
        BinTest::OneOf(values) => {
            let mut shown: Vec<String> = values.iter().map(|value| literal(&value.value).meaning).collect();
            shown.sort();
            let word = if shown.len() == 1 { "is" } else { "in" };
            return format!("{word} {}", shown.join(", ").replace('"', ""));
        }
        other => other.clone(),
    };
    bin_test(&BinDeclaration { test, ..bin.clone() })
}
