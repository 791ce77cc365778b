//! `cases/*.yaml` as written: every problem at once, names held against the flow. Nothing is run here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::markets::CaseMarkets;
use super::{Case, CaseFiles, Expectation, ExpectedScore};
use crate::bundle::{BASE, FlowRevision};
use crate::documents::Source;
use crate::documents::yaml::shape::{Keys, Shape};
use crate::documents::yaml::{Content, Literal, Node, read};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::facts::Given;
use crate::domain::flow::Flow;
use crate::domain::list::ListOptions;
use crate::domain::nearest::nearest;
use crate::domain::place::Located;
use crate::domain::value::Name;

/// Named sets of facts, from `cases/_facts.yaml`.
type FactSets = BTreeMap<String, Given>;

/// Reads all case files of one flow; `files` index into `sources`. Names are checked only where the flow is known.
pub(in crate::bundle) fn read_cases(
    sources: &[Source],
    files: &[u32],
    revision: Option<&FlowRevision>,
) -> CaseFiles {
    let known = Known::of(revision);
    let open = |file: u32| Some((file, sources.get(usize::try_from(file).ok()?)?));
    let (shared, rest): (Vec<_>, Vec<_>) = files
        .iter()
        .filter_map(|file| open(*file))
        .partition(|(_, source)| source.path.ends_with("/cases/_facts.yaml"));
    let mut read_files = CaseFiles::default();
    let mut sets = FactSets::new();
    for (file, source) in shared {
        let mut shape = Shape::new(source);
        sets = fact_sets(&mut shape, file);
        read_files.diagnostics.extend(shape.findings);
    }
    for (file, source) in rest {
        let mut reader = CaseReader { shape: Shape::new(source), sets: &sets, known: &known };
        let cases = reader.file(file);
        read_files.cases.extend(cases);
        read_files.diagnostics.extend(reader.shape.findings);
    }
    read_files.sets = sets;
    read_files
}

fn fact_sets(shape: &mut Shape<'_>, file: u32) -> FactSets {
    let root = match read(file, shape.source) {
        Ok(root) => root,
        Err(finding) => {
            shape.report(finding);
            return FactSets::new();
        }
    };
    let mut sets = FactSets::new();
    for entry in shape.entries(&root).unwrap_or_default() {
        if shape.entries(&entry.value).is_some()
            && let Some(facts) = shape.given(&entry.value)
        {
            sets.insert(entry.key.value.clone(), facts);
        }
    }
    sets
}

/// The names that a case may use; `None` where the flow itself could not be read.
pub(super) struct Known {
    pub(super) names: Option<KnownNames>,
}

#[derive(Default)]
pub(super) struct KnownNames {
    inputs: BTreeSet<String>,
    pub(super) models: BTreeSet<String>,
    /// Models and scorecards: what gives a score.
    scores: BTreeSet<String>,
    /// With the options that pinned entries are matched by.
    pub(super) lists: BTreeMap<String, ListOptions>,
    outcomes: BTreeSet<String>,
    reasons: BTreeSet<String>,
    outputs: BTreeSet<String>,
    /// What can fail, as `expect: { failed: … }` names it.
    steps: BTreeSet<String>,
    pub(super) needs: BTreeSet<String>,
    /// `base` first, if the flow can be asked without a market.
    markets: Vec<String>,
    is_market_required: bool,
}

impl Known {
    /// The names of all markets together.
    fn of(revision: Option<&FlowRevision>) -> Self {
        let Some(revision) = revision else { return Self { names: None } };
        let mut names = KnownNames {
            markets: revision.market_names().into_iter().map(str::to_owned).collect(),
            is_market_required: revision.flow.is_market_required,
            ..KnownNames::default()
        };
        for variant in std::iter::once(revision).chain(revision.markets.values().map(AsRef::as_ref)) {
            names.add(&variant.flow);
        }
        Self { names: Some(names) }
    }

    pub(super) fn is_known(&self) -> bool {
        self.names.is_some()
    }

    pub(super) fn is_market_required(&self) -> bool {
        self.names.as_ref().is_some_and(|names| names.is_market_required)
    }

    pub(super) fn markets(&self) -> Vec<&str> {
        self.names
            .as_ref()
            .map_or_else(|| vec![BASE], |names| names.markets.iter().map(String::as_str).collect())
    }
}

impl KnownNames {
    fn add(&mut self, flow: &Flow) {
        let texts = |names: Vec<&Name>| names.into_iter().map(ToString::to_string).collect::<Vec<_>>();
        self.inputs.extend(texts(flow.inputs.iter().map(|input| &input.name).collect()));
        let needs = texts(flow.needs.iter().map(|need| &need.name).collect());
        self.inputs.extend(needs.iter().cloned());
        self.needs.extend(needs);
        self.models.extend(flow.model_names());
        self.lists.extend(flow.lists.iter().map(|(name, list)| (name.to_string(), list.options)));
        self.scores.extend(flow.model_names());
        self.scores.extend(texts(flow.scorecards.iter().map(|card| &card.name).collect()));
        self.outcomes.extend(texts(flow.outcomes.iter().collect()));
        self.reasons.extend(texts(flow.reasons.iter().map(|reason| &reason.code).collect()));
        self.outputs.extend(texts(flow.outputs.iter().map(|output| &output.name).collect()));
        self.steps.extend(flow.steps_that_may_fail());
    }
}

/// The circumstances that a file gives to all its cases.
struct Shared {
    like: Option<Located<String>>,
    at: Option<Timestamp>,
}

pub(super) struct CaseReader<'a> {
    pub(super) shape: Shape<'a>,
    sets: &'a FactSets,
    pub(super) known: &'a Known,
}

impl CaseReader<'_> {
    fn file(&mut self, file: u32) -> Vec<Case> {
        let root = match read(file, self.shape.source) {
            Ok(root) => root,
            Err(finding) => {
                self.shape.report(finding);
                return Vec::new();
            }
        };
        let Some(mut keys) = self.shape.keys(&root, "a file of cases") else { return Vec::new() };
        let shared = Shared {
            like: keys.optional("like").and_then(|node| self.shape.text(node)),
            at: keys.optional("at").and_then(|node| self.moment(node)),
        };
        let items = keys
            .required("cases", &mut self.shape)
            .and_then(|node| self.shape.list(node))
            .unwrap_or_default();
        let cases = items.iter().filter_map(|item| self.case(item, &shared)).collect();
        keys.finish(&mut self.shape);
        cases
    }

    fn case(&mut self, node: &Node, shared: &Shared) -> Option<Case> {
        let before = self.shape.findings.len();
        let mut keys = self.shape.keys(node, "a case")?;
        let name = keys.required("case", &mut self.shape).and_then(|node| self.shape.text(node));
        let own_like = keys.optional("like").and_then(|node| self.shape.text(node));
        let at = keys.optional("at").and_then(|node| self.moment(node)).or(shared.at);
        let facts = self.facts(&mut keys, own_like.as_ref().or(shared.like.as_ref()));
        let models = keys.optional("models").map(|node| self.pins(node)).unwrap_or_default();
        let lists = keys.optional("lists").map(|node| self.lists(node)).unwrap_or_default();
        let expect = keys.required("expect", &mut self.shape).and_then(|node| self.expectation(node));
        let is_generated = keys.optional("generated").and_then(|node| self.shape.boolean(node));
        let CaseMarkets { markets, differing } = self.markets(&mut keys, name.as_ref());
        keys.finish(&mut self.shape);
        if self.shape.findings.len() > before {
            return None;
        }
        let name = name?;
        Some(Case {
            path: self.shape.source.path.clone(),
            line: self.shape.source.position(name.place.span.start).line,
            place: name.place,
            name: name.value,
            facts,
            at,
            models,
            lists,
            markets,
            expect: expect?,
            differing,
            is_generated: is_generated.unwrap_or_default(),
        })
    }

    fn facts(&mut self, keys: &mut Keys<'_>, like: Option<&Located<String>>) -> Given {
        let mut facts: Vec<(String, Given)> = Vec::new();
        if let Some(like) = like {
            match self.sets.get(&like.value) {
                Some(Given::Map(members)) => facts.clone_from(members),
                _ => self.unknown(
                    like,
                    "set of facts in `cases/_facts.yaml`",
                    self.sets.keys().map(String::as_str),
                ),
            }
        }
        if let Some(node) = keys.optional("given")
            && self.shape.entries(node).is_some()
            && let Some(Given::Map(given)) = self.shape.given(node)
        {
            for (name, value) in given {
                match facts.iter_mut().find(|(earlier, _)| *earlier == name) {
                    Some((_, slot)) => *slot = value,
                    None => facts.push((name, value)),
                }
            }
        }
        if let Some(node) = keys.optional("without") {
            for item in self.shape.list(node).unwrap_or_default() {
                let Some(name) = self.shape.text(item) else { continue };
                self.check(&name, "input", |known| &known.inputs);
                facts.retain(|(fact, _)| *fact != name.value);
            }
        }
        Given::Map(facts)
    }

    pub(super) fn expectation(&mut self, node: &Node) -> Option<Expectation> {
        let mut keys = self.shape.keys(node, "`expect`")?;
        let outcome = keys.optional("outcome").and_then(|node| self.shape.text(node));
        if let Some(outcome) = &outcome {
            self.check(outcome, "outcome", |known| &known.outcomes);
        }
        let reasons = keys.optional("reasons").map(|node| self.reasons(node));
        let reasons_include = keys.optional("reasons_include").map(|node| self.reasons(node));
        let output = keys.optional("output").map(|node| self.output(node)).unwrap_or_default();
        let scores = keys.optional("scores").map(|node| self.scores(node)).unwrap_or_default();
        let degraded = keys.optional("degraded").and_then(|node| self.shape.boolean(node));
        let failed = keys.optional("failed").map(|node| self.steps(node));
        let needs = keys.optional("needs").map(|node| self.needs(node));
        let place = keys.place();
        keys.finish(&mut self.shape);
        let expect = Expectation {
            needs,
            outcome: outcome.map(|o| o.value),
            reasons,
            reasons_include,
            output,
            scores,
            degraded,
            failed,
        };
        if expect.asks_and_decides() {
            let finding =
                Diagnostic::error("B051", place, "a case that stops to ask the caller has no decision");
            self.shape.report(finding.help("expect `needs:` alone, or give what is needed under `given:`"));
        }
        if expect.is_empty() {
            let finding = Diagnostic::error("Y010", place, "this case expects nothing");
            self.shape.report(finding.help("say at least `outcome:`"));
        }
        Some(expect)
    }

    fn reasons(&mut self, node: &Node) -> Vec<String> {
        let mut all = Vec::new();
        for item in self.shape.list(node).unwrap_or_default() {
            if let Some(code) = self.shape.text(item) {
                self.check(&code, "reason", |known| &known.reasons);
                all.push(code.value);
            }
        }
        all
    }

    /// `feature burden`, `rule heavy in knockout`, …: every step that fails.
    fn steps(&mut self, node: &Node) -> Vec<String> {
        let mut all = Vec::new();
        for item in self.shape.list(node).unwrap_or_default() {
            if let Some(step) = self.shape.text(item) {
                self.check(&step, "step", |known| &known.steps);
                all.push(step.value);
            }
        }
        all
    }

    fn output(&mut self, node: &Node) -> Vec<(String, Given)> {
        let mut all = Vec::new();
        for entry in self.shape.entries(node).unwrap_or_default() {
            self.check(&entry.key, "output", |known| &known.outputs);
            if let Some(value) = self.shape.given(&entry.value) {
                all.push((entry.key.value.clone(), value));
            }
        }
        all
    }

    fn scores(&mut self, node: &Node) -> Vec<(String, ExpectedScore)> {
        let mut all = Vec::new();
        for entry in self.shape.entries(node).unwrap_or_default() {
            self.check(&entry.key, "model or scorecard", |known| &known.scores);
            if let Some(score) = self.score(&entry.value) {
                all.push((entry.key.value.clone(), score));
            }
        }
        all
    }

    /// `0.61`, or `{ is: 0.61, within: 0.01 }`.
    fn score(&mut self, node: &Node) -> Option<ExpectedScore> {
        let Content::Map(_) = node.content else {
            return Some(ExpectedScore { is: self.float(node)?, within: 0.0 });
        };
        let mut keys = self.shape.keys(node, "an expected score")?;
        let is = keys.required("is", &mut self.shape).and_then(|node| self.float(node));
        let within = keys.required("within", &mut self.shape).and_then(|node| self.float(node));
        keys.finish(&mut self.shape);
        Some(ExpectedScore { is: is?, within: within? })
    }

    fn float(&mut self, node: &Node) -> Option<f64> {
        let text = self.shape.number(node)?;
        let value = text.value.parse::<f64>().ok().filter(|value| value.is_finite());
        if value.is_none() {
            self.shape.report(Diagnostic::error("B007", text.place, "this number is too large"));
        }
        value
    }

    fn moment(&mut self, node: &Node) -> Option<Timestamp> {
        let written = match self.shape.literal(node)? {
            Literal::Text(text) => text,
            _ => String::new(),
        };
        match written.parse() {
            Ok(moment) => Some(moment),
            Err(_) => {
                let finding =
                    Diagnostic::error("Y011", node.place, "expected a moment with its offset from UTC");
                self.shape.report(finding.help("write it as in `2026-02-28T23:59:00-06:00`"));
                None
            }
        }
    }

    pub(super) fn check(
        &mut self,
        name: &Located<String>,
        what: &str,
        names: impl Fn(&KnownNames) -> &BTreeSet<String>,
    ) {
        let Some(known) = &self.known.names else { return };
        let names = names(known);
        if !names.contains(&name.value) {
            self.unknown(name, what, names.iter().map(String::as_str));
        }
    }

    pub(super) fn unknown<'k>(
        &mut self,
        name: &Located<String>,
        what: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let known: Vec<&str> = known.into_iter().collect();
        let message = format!("there is no {what} `{}`", name.value.escape_debug());
        let finding = Diagnostic::error("B010", name.place, message);
        self.shape.report(match nearest(&name.value, known.iter().copied()) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding,
        });
    }
}

impl Expectation {
    fn asks_and_decides(&self) -> bool {
        let decides = Self { needs: None, ..self.clone() };
        self.needs.as_ref().is_some_and(|needs| !needs.is_empty()) && !decides.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.outcome.is_none()
            && self.needs.is_none()
            && self.reasons.is_none()
            && self.reasons_include.is_none()
            && self.output.is_empty()
            && self.scores.is_empty()
            && self.degraded.is_none()
            && self.failed.is_none()
    }
}
