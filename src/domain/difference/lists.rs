//! Lists: entries that came or went, other expiries, another way of matching. Entries are named only where nothing that
//! is looked up in the list can be of a person; elsewhere they are counted. Notes have no meaning for a decision.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{About, ChangeKind, Found, Part, Said, Stated};
use crate::domain::declaration::{FlowDeclaration, ListDeclaration, Personal};
use crate::domain::list::{Expires, List, ListMatch, ListOptions};
use crate::domain::outline::StepKind;
use crate::domain::place::Located;
use crate::domain::script::syntax::{Node, Program, Syntax};

/// Entries that are named; the others are counted.
const NAMED: usize = 5;

pub(super) fn lists(found: &mut Found, before: Stated<'_>, after: Stated<'_>) {
    let (was, is) = (asked(before), asked(after));
    found.named(
        (&was, &is),
        |list| About::new(Part::List, &list.name.value),
        |list| counted(list.list.len()),
        |found, was, is| {
            let (old, new) = (&was.list, &is.list);
            if old.digest == new.digest && old.options == new.options {
                return;
            }
            let about = About::new(Part::List, &is.name.value);
            found.field(&about, "match", matched(old.options), matched(new.options));
            found.field(&about, "fold", folding(old.options), folding(new.options));
            let name = is.name.value.as_str();
            let [earlier, later] =
                [before, after].map(|side| may_be_of_persons(found, side.declaration, name));
            entries(found, &about, (old, new), !earlier && !later);
        },
    );
}

/// The lists that the flow asks: what others ask of those in `_shared/` is none of its business.
fn asked(side: Stated<'_>) -> Vec<ListDeclaration> {
    let asked = |list: &&ListDeclaration| side.usage.lists.contains(list.name.value.as_str());
    side.declaration.lists.iter().filter(asked).cloned().collect()
}

fn counted(count: usize) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

fn matched(options: ListOptions) -> Option<Said> {
    Some(Said::plain(match options.match_by {
        ListMatch::Exact => "exact",
        ListMatch::Prefix => "prefix",
        ListMatch::Domain => "domain",
    }))
}

fn folding(options: ListOptions) -> Option<Said> {
    let words = [(options.folding.case, "case"), (options.folding.unicode, "unicode")];
    let words: Vec<&str> = words.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
    (!words.is_empty()).then(|| Said::plain(words.join(", ")))
}

/// Entries by what they are found by, once: the last writing of one that stands there twice. Where that is another
/// thing on the other side, by their texts.
fn by_key(list: &List, is_folded_alike: bool) -> BTreeMap<Cow<'_, str>, u32> {
    let key = |entry| if is_folded_alike { list.key(entry) } else { Cow::Borrowed(list.entry(entry)) };
    (0..u32::try_from(list.len()).unwrap_or(u32::MAX)).map(|entry| (key(entry), entry)).collect()
}

fn until(expires: Option<Expires>) -> String {
    match expires {
        None => "for good".to_owned(),
        Some(Expires::On(date)) => format!("until {date}"),
        Some(Expires::At(time)) => format!("until {time}"),
    }
}

fn entries(found: &mut Found, about: &About, (was, is): (&List, &List), may_name: bool) {
    let is_folded_alike = was.options == is.options;
    let (old, new) = (by_key(was, is_folded_alike), by_key(is, is_folded_alike));
    let gone = old.iter().filter(|(key, _)| !new.contains_key(*key)).map(|(_, entry)| *entry);
    let gone: Vec<String> = gone.map(|entry| was.entry(entry).to_owned()).collect();
    let come = new.iter().filter(|(key, _)| !old.contains_key(*key)).map(|(_, entry)| *entry);
    let come: Vec<String> = come.map(|entry| is.entry(entry).to_owned()).collect();
    let expiries = new.iter().filter_map(|(key, entry)| {
        let (earlier, later) = (was.expiry(*old.get(key)?), is.expiry(*entry));
        let shown = || format!("{} {} → {}", is.entry(*entry), until(earlier), until(later));
        (earlier != later).then(shown)
    });
    let expiries: Vec<String> = expiries.collect();
    let said = |all: &[String]| (!all.is_empty()).then(|| shown(all, may_name));
    if let Some(text) = said(&gone) {
        found.part_of(about, "entries", ChangeKind::Removed, Some(text), None);
    }
    if let Some(text) = said(&come) {
        found.part_of(about, "entries", ChangeKind::Added, None, Some(text));
    }
    if let Some(text) = said(&expiries) {
        found.part_of(about, "expires", ChangeKind::Changed, None, Some(text));
    }
}

/// `3 entries (0900, 0901, 0902)`
fn shown(all: &[String], may_name: bool) -> String {
    let count = counted(all.len());
    if !may_name {
        return count;
    }
    let named = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if all.len() > NAMED { ", …" } else { "" };
    format!("{count} ({named}{more})")
}

/// Whether what is looked up in a list is or may be of a person: an input that is declared so, what is derived from
/// one, and everything of which that cannot be told.
fn may_be_of_persons(found: &Found, flow: &FlowDeclaration, list: &str) -> bool {
    let Some(texts) = Texts::of(found, flow) else { return true };
    let mut personal = false;
    let mut look = |syntax: &Syntax| {
        each(syntax, &mut |node| {
            if let Node::In(sides) = &node.node
                && matches!(&sides.1.node, Node::Name(name) if name == list)
            {
                personal |= texts.is_personal(&sides.0, 0);
            }
        });
    };
    texts.conditions.iter().for_each(&mut look);
    texts.features.values().for_each(&mut look);
    for program in &texts.programs {
        program.body.iter().for_each(&mut look);
        program.functions.iter().flat_map(|function| &function.body).for_each(&mut look);
    }
    personal
}

/// Everything of a flow that can look something up, parsed.
struct Texts<'f> {
    flow: &'f FlowDeclaration,
    programs: Vec<Program>,
    features: BTreeMap<&'f str, Syntax>,
    conditions: Vec<Syntax>,
}

impl<'f> Texts<'f> {
    fn of(found: &Found, flow: &'f FlowDeclaration) -> Option<Self> {
        let condition = |text: &Located<String>| found.grammar.condition(text).ok();
        let programs = flow.shared_functions.iter().chain([&flow.script]);
        let programs = programs.map(|text| found.grammar.program(text).ok()).collect::<Option<_>>()?;
        let features = flow.features.iter();
        let features = features.map(|f| Some((f.name.value.as_str(), condition(&f.formula)?)));
        let rules = flow.rule_sets.iter().flat_map(|set| &set.rules);
        let conditions = rules.map(|rule| condition(&rule.when)).collect::<Option<_>>()?;
        Some(Self { flow, programs, features: features.collect::<Option<_>>()?, conditions })
    }

    fn is_personal(&self, syntax: &Syntax, depth: usize) -> bool {
        let mut personal = false;
        each(syntax, &mut |node| {
            personal |= match &node.node {
                Node::Name(name) => self.names_a_person(name, depth),
                Node::Call { name, .. } => {
                    StepKind::of_word(&name.text).is_some()
                        || self.programs.iter().flat_map(|p| &p.functions).any(|f| f.name == name.text)
                }
                _ => false,
            };
        });
        personal
    }

    fn names_a_person(&self, name: &str, depth: usize) -> bool {
        if let Some(input) = self.flow.inputs.iter().find(|input| input.name.value == name) {
            return input.personal != Personal::No;
        }
        match self.features.get(name) {
            // Features read earlier ones only, so they are at most as deep as there are.
            Some(formula) => depth > self.features.len() || self.is_personal(formula, depth + 1),
            None => !self.flow.thresholds.iter().any(|threshold| threshold.name.value == name),
        }
    }
}

fn each(syntax: &Syntax, look: &mut dyn FnMut(&Syntax)) {
    look(syntax);
    for child in syntax.children() {
        each(child, look);
    }
}
