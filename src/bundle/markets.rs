//! One flow in all its markets: which files only markets use, what each market makes of the flow, and what is found
//! that `base` does not have. Reading a market's file is `market_file`'s, laying it over the flow `overlay`'s.

use std::collections::{BTreeMap, BTreeSet};

use super::build::{Builder, is_error};
use super::market_file::{self, Overlay};
use super::models::Models;
use super::overlay::{Files, LaidOver, lay_over};
use super::parts::{Document, Parts, document};
use super::revision::ManifestFile;
use crate::documents::yaml::shape::Shape;
use crate::domain::declaration::FlowDeclaration;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::flow::Flow;
use crate::domain::place::Place;
use crate::domain::script::named::named_calls;

/// The code of what is declared and never used.
const NEVER_USED: &str = "T032";

/// A declaration that may become a flow, and the files that it was made of.
pub(super) struct Variant {
    pub declaration: FlowDeclaration,
    pub files: Files,
    /// The files of `rules/_shared/` that it uses, once it is compiled.
    pub shared: Vec<ManifestFile>,
    /// The whole of the market's file; `None`: `base`.
    overlay: Option<Place>,
    /// What is wrong before anything is compiled.
    findings: Vec<Diagnostic>,
}

impl Variant {
    fn base(declaration: FlowDeclaration) -> Self {
        let files = Files::of(&declaration);
        Self { declaration, files, shared: Vec::new(), overlay: None, findings: Vec::new() }
    }

    pub fn market(&self) -> Option<&str> {
        self.declaration.market.as_ref().map(|market| market.value.as_str())
    }

    /// Those of a flow's files that this variant is made of.
    pub fn manifest(&self, flow: &str, files: &[ManifestFile]) -> Vec<ManifestFile> {
        let prefix = format!("rules/{flow}/");
        let is_its_own =
            |file: &&ManifestFile| match document(file.path.strip_prefix(&prefix).unwrap_or_default()) {
                Document::RuleSet(name) => self.files.rule_sets.contains(name),
                Document::Scorecard(name) => self.files.scorecards.contains(name),
                Document::Table(name) | Document::TableRows(name) => self.files.tables.contains(name),
                Document::Market(name) => self.market() == Some(name),
                _ => true,
            };
        files.iter().filter(is_its_own).cloned().collect()
    }
}

impl Builder<'_> {
    /// `base` first, then every market whose file can be read.
    pub(super) fn variants(
        &self,
        whole: FlowDeclaration,
        parts: &mut Parts,
        models: &Models<'_>,
    ) -> Vec<Variant> {
        let mut overlays: Vec<Overlay> = Vec::new();
        for (file, name) in &parts.markets {
            let Some(source) = self.source(*file) else { continue };
            let mut shape = Shape::new(source);
            overlays.extend(market_file::market(&mut shape, *file, name, models));
            parts.findings.extend(shape.findings);
        }
        if whole.is_market_required && parts.markets.is_empty() {
            let message = "this flow decides only for a market, and has none";
            parts.findings.push(
                Diagnostic::error("B042", whole.place, message)
                    .help("write `markets/NAME.yaml`, or remove `market: required`"),
            );
        }
        if overlays.is_empty() {
            return vec![Variant::base(whole)];
        }
        let only_in_markets = only_in_markets(&whole, &overlays);
        let base = only_in_markets.left_out_of(whole.clone());
        let mut variants = vec![Variant::base(base.clone())];
        for overlay in &overlays {
            let LaidOver { declaration, files, findings } = lay_over(&whole, &base, overlay);
            variants.push(Variant {
                declaration,
                files,
                shared: Vec::new(),
                overlay: Some(overlay.place),
                findings,
            });
        }
        variants
    }
}

/// What markets bring and the script does not name itself: without those markets it would only be in the way, for it
/// may read what only they have.
fn only_in_markets(whole: &FlowDeclaration, overlays: &[Overlay]) -> Files {
    let brought =
        |of: fn(&Overlay) -> Vec<&str>| -> BTreeSet<&str> { overlays.iter().flat_map(of).collect() };
    let sets = brought(|overlay| {
        let also = overlay.rules_also.iter().flat_map(|(_, sets)| sets);
        overlay.rules.iter().map(|(_, by)| by).chain(also).map(|name| name.value.as_str()).collect()
    });
    let cards = brought(|overlay| overlay.scorecards.iter().map(|(_, by)| by.value.as_str()).collect());
    let tables = brought(|overlay| overlay.tables.iter().map(|(_, by)| by.value.as_str()).collect());
    if sets.is_empty() && cards.is_empty() && tables.is_empty() {
        return Files::default();
    }
    let calls = named_calls(&whole.script);
    let unnamed = |word: &str, names: BTreeSet<&str>| -> BTreeSet<String> {
        let is_named = |name: &&str| calls.iter().any(|call| call.word == word && call.name.value == *name);
        names.into_iter().filter(|name| !is_named(name)).map(str::to_owned).collect()
    };
    Files {
        rule_sets: unnamed("rules", sets),
        scorecards: unnamed("scorecard", cards),
        tables: unnamed("table", tables),
    }
}

/// The compiled variants, `None` where one does not check, and everything found in them: what `base` has once, what
/// only markets have with their names.
pub(super) fn compiled(variants: &[Variant]) -> (Vec<Option<Flow>>, Vec<Diagnostic>) {
    let (flows, found): (Vec<Option<Flow>>, Vec<Vec<Diagnostic>>) = variants
        .iter()
        .map(|variant| {
            let (flow, mut found) = Flow::compile(&variant.declaration);
            let is_laid = !variant.findings.iter().any(is_error);
            found.extend(variant.findings.iter().cloned());
            (flow.filter(|_| is_laid), found)
        })
        .unzip();
    let told = merged(variants, &found);
    (flows, told)
}

/// What makes two findings one.
type Key<'f> = (Place, &'static str, &'f str, Option<&'f str>);

fn key(finding: &Diagnostic) -> Key<'_> {
    (finding.place, finding.code, &finding.message, finding.help.as_deref())
}

fn merged(variants: &[Variant], found: &[Vec<Diagnostic>]) -> Vec<Diagnostic> {
    let Some((base, in_markets)) = found.split_first() else { return Vec::new() };
    if in_markets.is_empty() {
        return base.clone();
    }
    let lists = used_only_as_replacement(variants);
    let in_markets: Vec<BTreeMap<Key<'_>, &Diagnostic>> =
        in_markets.iter().map(|all| all.iter().map(|finding| (key(finding), finding)).collect()).collect();
    // What is used in any market is used.
    let is_unused = |finding: &Diagnostic| {
        !lists.contains(&finding.place) && in_markets.iter().all(|all| all.contains_key(&key(finding)))
    };
    let in_base: BTreeSet<Key<'_>> = base.iter().map(key).collect();
    let mut told: Vec<Diagnostic> =
        base.iter().filter(|finding| finding.code != NEVER_USED || is_unused(finding)).cloned().collect();
    let mut elsewhere: BTreeMap<Key<'_>, (&Diagnostic, Vec<&str>)> = BTreeMap::new();
    for (variant, found) in variants.iter().skip(1).zip(&in_markets) {
        for (key, finding) in found {
            let is_here = variant.overlay.is_some_and(|overlay| overlay.file == finding.place.file);
            if in_base.contains(key) || (finding.code == NEVER_USED && !is_here) {
                continue;
            }
            if is_here {
                told.push((*finding).clone());
            } else {
                let (_, markets) = elsewhere.entry(*key).or_insert_with(|| (finding, Vec::new()));
                markets.push(variant.market().unwrap_or_default());
            }
        }
    }
    told.extend(elsewhere.into_values().map(|(finding, markets)| {
        let quoted: Vec<String> = markets.iter().map(|market| format!("`{market}`")).collect();
        let which = if quoted.len() == 1 { "market" } else { "markets" };
        let message = format!("{} (in the {which} {})", finding.message, quoted.join(", "));
        Diagnostic { message, ..finding.clone() }
    }));
    told
}

/// Places of lists that stand in for others in some market: `base` has them too, and need not use them.
fn used_only_as_replacement(variants: &[Variant]) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    if let Some((base, markets)) = variants.split_first() {
        let names: BTreeMap<&str, Place> =
            base.declaration.lists.iter().map(|list| (list.name.value.as_str(), list.name.place)).collect();
        for list in markets.iter().flat_map(|market| &market.declaration.lists) {
            if names.get(list.name.value.as_str()).is_some_and(|place| *place != list.name.place) {
                places.insert(list.name.place);
            }
        }
    }
    places
}
