//! Rules that can never hit, comparisons that say nothing, rules that say the same twice.

use std::collections::BTreeMap;

use super::cover::Item;
use super::formula::{Formula, Reader};
use super::order::{self, Reach};
use super::region::{Area, Region};
use super::space::{Atoms, Space};
use super::{Analysis, FlowNames, NOT_COMPARISONS, OUT_OF_BUDGET};
use crate::domain::declaration::{HitPolicy, RuleDeclaration, RuleSetDeclaration};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::flow::RuleSet;
use crate::domain::place::{Place, Span};

impl Analysis<'_> {
    pub(super) fn rule_sets(&mut self) {
        let (flow, declaration) = (self.flow, self.declaration);
        for (set, declared) in flow.rule_sets.iter().zip(&declaration.rule_sets) {
            self.rule_set(set, declared);
        }
    }

    fn rule_set(&mut self, set: &RuleSet, declared: &RuleSetDeclaration) {
        let names = FlowNames { flow: self.flow, takes: &set.takes };
        let mut space = Space::default();
        let read = |rule: &crate::domain::flow::Rule| {
            Reader { space: &mut space, names: &names, source: &rule.when }.read(&rule.condition)
        };
        let formulas: Vec<Formula> = set.rules.iter().map(read).collect();
        space.settle();
        let sizes = space.sizes();
        let regions: Vec<Region> = formulas.iter().map(|formula| formula.region(&space, &sizes)).collect();
        let mut dead = Vec::with_capacity(regions.len());
        for ((rule, formula), region) in declared.rules.iter().zip(&formulas).zip(&regions) {
            self.coverage.conditions.count(region.is_exact);
            if !region.is_exact {
                let what = format!("rule {} in {}", rule.id.value, set.name);
                self.coverage.leave(what, NOT_COMPARISONS);
            }
            let of = format!("rule `{}`", rule.id.value);
            dead.push(says_nothing(&of, formula, region, &space, rule.when.place, &mut self.found));
        }
        self.repeated(declared, &regions, &dead);
        if set.hit_policy == HitPolicy::First {
            self.shadowed(set, declared, &regions, &sizes);
        }
    }

    /// Two rules that ask the same. Under `first` the later one is shadowed, which says more.
    fn repeated(&mut self, set: &RuleSetDeclaration, regions: &[Region], dead: &[bool]) {
        if set.hit_policy == HitPolicy::First {
            return;
        }
        let mut texts: BTreeMap<String, &RuleDeclaration> = BTreeMap::new();
        let mut areas: BTreeMap<Vec<&Area>, &RuleDeclaration> = BTreeMap::new();
        for ((rule, region), is_dead) in set.rules.iter().zip(regions).zip(dead) {
            if *is_dead {
                continue;
            }
            let text: String = rule.when.value.split_whitespace().collect();
            let mut area: Vec<&Area> = region.holds.0.iter().collect();
            area.sort();
            let is_plain = region.is_exact && !area.iter().any(|area| area.0.is_empty());
            let before = texts.get(&text).or_else(|| areas.get(&area).filter(|_| is_plain)).copied();
            match before {
                Some(before) => {
                    let message =
                        format!("rule `{}` hits exactly when rule `{}` does", rule.id.value, before.id.value);
                    self.found.push(
                        Diagnostic::warning("T093", rule.when.place, message)
                            .help("make them one rule, or correct the condition that is wrong"),
                    );
                }
                None => {
                    texts.insert(text, rule);
                    if is_plain {
                        areas.insert(area, rule);
                    }
                }
            }
        }
    }

    /// Under `first`: rules behind others that hit (or fail) wherever they would.
    fn shadowed(&mut self, set: &RuleSet, declared: &RuleSetDeclaration, regions: &[Region], sizes: &[u32]) {
        let domain: Vec<Atoms> = sizes.iter().map(|size| Atoms::first(*size)).collect();
        let areas: Vec<Vec<Area>> = regions.iter().map(|region| region.holds.0.clone()).collect();
        let reaches = order::reaches(&items(regions), &areas, &domain);
        for (rule, reach) in declared.rules.iter().zip(reaches) {
            let id = &rule.id.value;
            let before = match reach {
                Reach::Reached => continue,
                Reach::Unknown => {
                    self.coverage.leave(format!("order of rule {id} in {}", set.name), OUT_OF_BUDGET);
                    continue;
                }
                Reach::Hidden(before) => before,
            };
            let name = |owner: u32| declared.rules.get(usize::try_from(owner).ok()?);
            let names: Vec<String> =
                before.into_iter().filter_map(name).map(|rule| format!("`{}`", rule.id.value)).collect();
            let message = format!("rule `{id}` is never reached: {}", order::stand_before(&names, "rule"));
            self.found.push(
                Diagnostic::warning("T092", rule.when.place, message)
                    .help("under `hit_policy: first` move it before them, or narrow their conditions"),
            );
        }
    }
}

/// The boxes of all rules, in their order.
fn items(regions: &[Region]) -> Vec<Item> {
    let mut items = Vec::new();
    for (at, region) in regions.iter().enumerate() {
        let owner = u32::try_from(at).unwrap_or(u32::MAX);
        let item =
            |area: &Area, reaches| Item { owner, reaches, blocks: region.is_exact, area: area.clone() };
        items.extend(region.holds.0.iter().map(|area| item(area, true)));
        if region.is_exact {
            items.extend(region.fails.0.iter().map(|area| item(area, false)));
        }
    }
    items
}

/// Comparisons that can never hold or always do; true when the whole condition can never hold.
fn says_nothing(
    of: &str,
    formula: &Formula,
    region: &Region,
    space: &Space,
    place: Place,
    found: &mut Vec<Diagnostic>,
) -> bool {
    let is_new = !useless_tests(of, formula, space, place, found);
    let whole = place.part(Span { start: 0, end: place.span.end.saturating_sub(place.span.start) });
    if region.holds.is_empty() {
        if is_new {
            found.push(never(whole, format!("the condition of {of} can never hold"), None));
        }
        return true;
    }
    if is_new && region.misses.is_empty() && !matches!(formula, Formula::Constant { .. }) {
        found.push(always(whole, format!("the condition of {of} always holds"), None));
    }
    false
}

/// Reports each comparison that can never hold, or always does, by itself; whether there was one.
pub(super) fn useless_tests(
    of: &str,
    formula: &Formula,
    space: &Space,
    place: Place,
    found: &mut Vec<Diagnostic>,
) -> bool {
    let (sizes, before) = (space.sizes(), found.len());
    let mut tests = Vec::new();
    formula.tests(&mut tests);
    for test in tests {
        let alone = test.region(space, &sizes);
        let (span, name) = match test {
            Formula::Test(test) => (test.span, space.axes.get(test.axis).map(|axis| axis.name.as_str())),
            Formula::Constant { span, is_literal: false, .. } => (*span, None),
            _ => continue,
        };
        if alone.holds.is_empty() {
            found.push(never(place.part(span), format!("this comparison in {of} can never hold"), name));
        } else if alone.misses.is_empty() {
            found.push(always(place.part(span), format!("this comparison in {of} always holds"), name));
        }
    }
    found.len() > before
}

fn never(place: Place, message: String, name: Option<&str>) -> Diagnostic {
    let help = match name {
        Some(name) => format!("no value that `{name}` is declared to have fits it"),
        None => "what it asks contradicts itself: correct or remove it".to_owned(),
    };
    Diagnostic::warning("T090", place, message).help(help)
}

fn always(place: Place, message: String, name: Option<&str>) -> Diagnostic {
    let help = match name {
        Some(name) => format!("every value that `{name}` is declared to have fits it: correct or remove it"),
        None => "correct it, or write `true`".to_owned(),
    };
    Diagnostic::warning("T091", place, message).help(help)
}
