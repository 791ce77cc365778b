//! What stands in files of its own and may be another in a market: rule sets, scorecards, tables, lists. One stands in
//! the place of another under that one's name, so that scripts and conditions are the same in every market.

use std::collections::BTreeSet;

use super::market_file::{Overlay, Replacements};
use super::overlay::Laying;
use crate::domain::declaration::{
    FlowDeclaration, ListDeclaration, RuleSetDeclaration, ScorecardDeclaration, TableDeclaration,
};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::nearest::nearest;
use crate::domain::place::{Located, Place};

/// One kind of part that stands in a file of its own.
pub(super) struct Kind<T> {
    word: &'static str,
    ending: &'static str,
    name: fn(&T) -> &Located<String>,
    name_mut: fn(&mut T) -> &mut Located<String>,
}

pub(super) const RULE_SETS: Kind<RuleSetDeclaration> =
    Kind { word: "rule set", ending: ".rules.yaml", name: |set| &set.name, name_mut: |set| &mut set.name };
pub(super) const SCORECARDS: Kind<ScorecardDeclaration> = Kind {
    word: "scorecard",
    ending: ".scorecard.yaml",
    name: |card| &card.name,
    name_mut: |card| &mut card.name,
};
pub(super) const TABLES: Kind<TableDeclaration> = Kind {
    word: "table",
    ending: ".table.csv",
    name: |table| &table.name,
    name_mut: |table| &mut table.name,
};
pub(super) const LISTS: Kind<ListDeclaration> =
    Kind { word: "list", ending: ".list.csv", name: |list| &list.name, name_mut: |list| &mut list.name };

impl Laying<'_> {
    /// The parts of one kind, some of them standing in the place of others: under their name, so that scripts and
    /// conditions are the same in every market.
    pub fn parts<T: Clone>(
        &mut self,
        kind: &Kind<T>,
        (whole, base): (&[T], &[T]),
        replacements: &Replacements,
        files: &mut BTreeSet<String>,
    ) -> Vec<T> {
        let names = |parts: &[T]| -> Vec<String> {
            parts.iter().map(|part| (kind.name)(part).value.clone()).collect()
        };
        let (whole_names, base_names) = (names(whole), names(base));
        let mut laid = base.to_vec();
        let mut files_of: Vec<String> = base_names.clone();
        for (replaced, by) in replacements {
            let Some(at) = base_names.iter().position(|name| *name == replaced.value) else {
                let help = format!("only what the flow has can be replaced: {}", listed(&base_names));
                self.unknown(kind.word, replaced, base_names.iter().map(String::as_str), &help);
                continue;
            };
            if replaced.value == by.value {
                self.nothing(&format!("the {} `{}`", kind.word, by.value), by.place);
                continue;
            }
            let Some(part) = whole.iter().find(|part| (kind.name)(part).value == by.value) else {
                self.not_there(kind, (replaced, by), &whole_names);
                continue;
            };
            if let (Some(slot), Some(file)) = (laid.get_mut(at), files_of.get_mut(at)) {
                slot.clone_from(part);
                (kind.name_mut)(slot).value.clone_from(&replaced.value);
                by.value.clone_into(file);
            }
        }
        files.extend(files_of);
        laid
    }

    fn not_there<T>(
        &mut self,
        kind: &Kind<T>,
        (changed, name): (&Located<String>, &Located<String>),
        known: &[String],
    ) {
        let message = format!(
            "the market `{}` brings the {} `{}`, which is not there",
            self.market, kind.word, name.value
        );
        // Not what it changes: `knockout_mx` is not meant as `knockout`.
        let others = known.iter().map(String::as_str).filter(|known| *known != changed.value);
        let help = nearest(&name.value, others).map_or_else(
            || format!("write `rules/{}/{}{}`", self.flow, name.value, kind.ending),
            |near| format!("did you mean `{near}`?"),
        );
        self.findings.push(Diagnostic::error("T072", name.place, message).help(help));
    }

    /// More rules: those of other sets come behind a set's own, and are rules of that set.
    pub fn rules_also(
        &mut self,
        declaration: &mut FlowDeclaration,
        whole: &FlowDeclaration,
        overlay: &Overlay,
        files: &mut BTreeSet<String>,
    ) {
        let names = |sets: &[RuleSetDeclaration]| -> Vec<String> {
            sets.iter().map(|set| set.name.value.clone()).collect()
        };
        let (known, there) = (names(&declaration.rule_sets), names(&whole.rule_sets));
        for (name, more) in &overlay.rules_also {
            let Some(set) = declaration.rule_sets.iter_mut().find(|set| set.name.value == name.value) else {
                let help = format!("rules can be added only to what the flow has: {}", listed(&known));
                self.unknown("rule set", name, known.iter().map(String::as_str), &help);
                continue;
            };
            if more.is_empty() {
                self.nothing(&format!("the rule set `{}`", name.value), name.place);
            }
            for also in more {
                match whole.rule_sets.iter().find(|there| there.name.value == also.value) {
                    None => self.not_there(&RULE_SETS, (name, also), &there),
                    Some(brought) => {
                        self.add_rules(set, brought, also);
                        files.insert(also.value.clone());
                    }
                }
            }
        }
    }

    fn add_rules(
        &mut self,
        set: &mut RuleSetDeclaration,
        brought: &RuleSetDeclaration,
        also: &Located<String>,
    ) {
        let mut refuse = |place: Place, message: String, help: &str| {
            self.findings.push(Diagnostic::error("T075", place, message).help(help));
        };
        let set_name = set.name.value.clone();
        if set.hit_policy != brought.hit_policy {
            let message = format!("`{}` has another hit policy than `{set_name}`", also.value);
            refuse(
                also.place,
                message,
                "rules of one set are evaluated together: give both the same `hit_policy:`",
            );
        }
        for (name, kind) in &brought.takes {
            if !set.takes.iter().any(|(known, of)| known.value == name.value && of == kind) {
                let message = format!(
                    "`{}` takes `{}` ({}), which is not handed over to `{set_name}`",
                    also.value,
                    name.value,
                    kind.word()
                );
                refuse(also.place, message, "it can take only what the set that it is added to takes");
            }
        }
        for rule in &brought.rules {
            if set.rules.iter().any(|known| known.id.value == rule.id.value) {
                let message = format!(
                    "the rule `{}` of `{}` has the id of another rule of `{set_name}`",
                    rule.id.value, also.value
                );
                refuse(
                    rule.id.place,
                    message,
                    "rename one of the two: they are rules of one set in this market",
                );
                continue;
            }
            set.rules.push(rule.clone());
        }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "there are none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
