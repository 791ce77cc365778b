//! Documents → flows that check, and everything that is wrong with the others. One flow's error leaves the other
//! flows alone; a warning leaves all alone. Nothing is read from disk and nothing is kept from one build to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cases::{CaseFiles, read_cases};
use super::lists::KnownLists;
use super::markets::{self, Variant};
use super::messages;
use super::models::Models;
use super::order::{BuiltFlows, Calls};
use super::parts::{Document, Parts, document};
use super::revision::of_files;
use super::shared::Shared;
use super::{Bundle, Documents, FlowRevision, flow_file};
use crate::documents::yaml::shape::Shape;
use crate::documents::{Source, findings};
use crate::domain::declaration::FlowDeclaration;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::flow::Flow;
use crate::domain::place::{Located, Place, Span};
use crate::domain::value::Name;
use crate::learn::library::ModelLibrary;

/// Bytes of a document that is not YAML.
pub(super) const LARGEST_TEXT: usize = 4 * 1024 * 1024;

/// What came of one reading of the documents.
#[derive(Debug, Clone)]
pub struct Built {
    /// The flows that check.
    pub bundle: Bundle,
    /// Every flow folder, good or broken.
    pub flows: BTreeMap<Name, FlowReport>,
    /// One list for everything, sorted by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// What the places in `diagnostics` count in.
    pub sources: Arc<[Source]>,
    /// Lists without a finding, for the build after this one.
    pub lists: KnownLists,
    /// `rules/` itself could not be read: no flow can be told from a removed one.
    pub unreadable: bool,
}

/// What came of one flow folder.
#[derive(Debug, Clone)]
pub struct FlowReport {
    /// `None`: broken.
    pub revision: Option<Arc<FlowRevision>>,
    /// Findings in this flow's files, sorted.
    pub diagnostics: Vec<Diagnostic>,
    pub cases: Arc<CaseFiles>,
}

/// Builds everything that the documents hold.
#[must_use]
pub fn build(documents: &Documents) -> Built {
    build_with(documents, Kept::default())
}

/// What an earlier build made that this one need not make again: both take longer than everything else.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// A library of models that is known to be what the documents hold.
    pub library: Option<Arc<ModelLibrary>>,
    /// An older library: versions whose files are the same are not read and tried again.
    pub older: Option<Arc<ModelLibrary>>,
    pub lists: KnownLists,
}

impl Built {
    /// As `build`, with what an earlier build made.
    #[must_use]
    pub fn with(documents: &Documents, kept: Kept) -> Self {
        build_with(documents, kept)
    }

    /// The bundle in which every flow that is broken now keeps the version that `last_good` has of it. Flows whose
    /// folder is gone are gone.
    #[must_use]
    pub fn keeping_last_good(&self, last_good: &Bundle) -> Bundle {
        let mut flows = self.bundle.flows.clone();
        for (name, report) in &self.flows {
            if let (None, Some(last)) = (&report.revision, last_good.flows.get(name)) {
                flows.insert(Arc::clone(name), Arc::clone(last));
            }
        }
        Bundle::new(flows, Arc::clone(&self.bundle.models))
    }

    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(is_error)
    }

    /// The flows that do not check, in order of name.
    #[must_use]
    pub fn broken_flows(&self) -> Vec<&Name> {
        self.flows.iter().filter(|(_, report)| report.revision.is_none()).map(|(name, _)| name).collect()
    }
}

pub(super) fn is_error(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Error
}

fn build_with(documents: &Documents, kept: Kept) -> Built {
    let older = kept.older.as_deref();
    let library = kept.library.unwrap_or_else(|| Arc::new(models_of(documents, older)));
    let mut builder = Builder::new(documents, kept.lists);
    for (path, reason) in &documents.unreadable {
        // What is in a flow's folder is reported with that flow.
        if path.strip_prefix("rules/").is_some_and(|rest| rest.contains('/')) {
            continue;
        }
        let place = builder.unread(path);
        builder.findings.push(Diagnostic::error("B002", place, format!("`{path}` cannot be read: {reason}")));
    }
    let shared = builder.shared();
    builder.findings.extend(shared.findings.iter().cloned());
    let flows = builder.flows(&library, &shared);
    builder.loose_files();
    let model_findings = builder.model_findings(&library);
    builder.findings.extend(model_findings);
    let Builder { mut sources, findings: mut diagnostics, lists, .. } = builder;
    for report in flows.values() {
        diagnostics.extend(report.diagnostics.iter().cloned());
    }
    findings::sort(&mut diagnostics, &sources);
    // What is wrong in a shared file is said once, whichever flows use it.
    diagnostics.dedup_by(|a, b| (a.code, a.place, &a.message) == (b.code, b.place, &b.message));
    show_lists(&mut sources, &diagnostics, documents);
    let good = flows
        .iter()
        .filter_map(|(name, report)| Some((Arc::clone(name), Arc::clone(report.revision.as_ref()?))));
    Built {
        bundle: Bundle::new(good.collect(), library),
        flows,
        diagnostics,
        sources: sources.into(),
        lists,
        unreadable: documents.unreadable.contains_key("rules"),
    }
}

/// Takes the texts of lists that something is wrong with among the sources: the others are not kept twice.
fn show_lists(sources: &mut [Source], diagnostics: &[Diagnostic], documents: &Documents) {
    for finding in diagnostics {
        let Some(source) = usize::try_from(finding.place.file).ok().and_then(|at| sources.get_mut(at)) else {
            continue;
        };
        if source.text.is_empty()
            && source.path.ends_with(".list.csv")
            && let Some(text) =
                documents.files.get(&source.path).and_then(|bytes| std::str::from_utf8(bytes).ok())
        {
            source.text = Arc::from(text);
        }
    }
}

/// The models among the documents; those of `older` whose files are the same are taken over.
#[must_use]
pub fn models_of(documents: &Documents, older: Option<&ModelLibrary>) -> ModelLibrary {
    let files: Vec<(&str, &[u8])> = documents
        .files
        .iter()
        .filter_map(|(path, bytes)| Some((path.strip_prefix("models/")?, bytes.as_ref())))
        .collect();
    let mut library = ModelLibrary::from_files_knowing(&files, older);
    for path in documents.unreadable.keys() {
        match path.strip_prefix("models").map(|rest| rest.split('/').nth(1)) {
            Some(Some(name)) => library.note_unread(Some(name)),
            Some(None) => library.note_unread(None),
            None => {}
        }
    }
    library
}

/// Every folder in `rules/`, with the paths in it (also of what could not be read).
fn flow_folders(documents: &Documents) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut folders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for path in documents.files.keys().chain(documents.unreadable.keys()) {
        let in_rules = path.strip_prefix("rules/").and_then(|rest| rest.split_once('/'));
        if let Some((folder, _)) = in_rules
            && folder != "_shared"
        {
            folders.entry(folder).or_default().insert(path);
        }
    }
    folders.retain(|folder, paths| {
        let prefix = format!("rules/{folder}/");
        let document =
            |path: &&&str| document(path.strip_prefix(&prefix).unwrap_or_default()) != Document::Other;
        paths.iter().any(|path| document(&path))
    });
    folders
}

pub(super) struct Builder<'d> {
    pub(super) documents: &'d Documents,
    pub(super) sources: Vec<Source>,
    pub(super) findings: Vec<Diagnostic>,
    pub(super) known_lists: KnownLists,
    pub(super) lists: KnownLists,
}

struct FlowRead {
    /// `None`: broken.
    revision: Option<Arc<FlowRevision>>,
    findings: Vec<Diagnostic>,
    cases: Vec<u32>,
}

/// What a flow is built among: models, and the flows that it may ask.
struct Among<'a> {
    models: Models<'a>,
    calls: &'a Calls,
    built: &'a BuiltFlows,
    shared: &'a Shared,
}

/// Reads one flow and what it asks, for a rebuild from stored files.
pub(super) fn one_flow(
    documents: &Documents,
    name: &str,
    models: Models<'_>,
) -> (Option<Arc<FlowRevision>>, Vec<Diagnostic>, Vec<Source>) {
    let mut builder = Builder::new(documents, KnownLists::default());
    let shared = builder.shared();
    let folders = flow_folders(documents);
    let calls = Calls::of(documents, folders.keys().copied());
    let mut built = BuiltFlows::new();
    let mut findings = Vec::new();
    for flow in calls.order_of(name) {
        let Some(paths) = folders.get(flow.as_str()) else { continue };
        let read =
            builder.read(&flow, paths, &Among { models, calls: &calls, built: &built, shared: &shared });
        findings.extend(read.findings);
        built.insert(Name::from(flow), read.revision);
    }
    show_lists(&mut builder.sources, &findings, documents);
    (built.remove(name).flatten(), findings, builder.sources)
}

impl<'d> Builder<'d> {
    fn new(documents: &'d Documents, known_lists: KnownLists) -> Self {
        let lists = KnownLists::default();
        Self { documents, sources: Vec::new(), findings: Vec::new(), known_lists, lists }
    }

    /// Every flow folder; those that are asked before those that ask.
    fn flows(&mut self, library: &ModelLibrary, shared: &Shared) -> BTreeMap<Name, FlowReport> {
        let folders = flow_folders(self.documents);
        let calls = Calls::of(self.documents, folders.keys().copied());
        let (mut built, mut reports) = (BuiltFlows::new(), BTreeMap::new());
        for name in calls.order() {
            let Some(paths) = folders.get(name.as_str()) else { continue };
            let among = Among { models: Models::Library(library), calls: &calls, built: &built, shared };
            let report = self.flow(&name, paths, &among);
            let name = Name::from(name);
            built.insert(Arc::clone(&name), report.revision.clone());
            reports.insert(name, report);
        }
        reports
    }

    fn flow(&mut self, name: &str, paths: &BTreeSet<&str>, among: &Among<'_>) -> FlowReport {
        let mut read = self.read(name, paths, among);
        let cases = read_cases(&self.sources, &read.cases, read.revision.as_deref());
        read.findings.extend(cases.diagnostics.iter().cloned());
        read.findings.extend(read.revision.as_deref().and_then(messages::finding));
        findings::sort(&mut read.findings, &self.sources);
        FlowReport { revision: read.revision, diagnostics: read.findings, cases: Arc::new(cases) }
    }

    /// Reads and compiles one flow in all its markets; what is wrong with its cases is not looked at, as it keeps no
    /// flow out of force. One market that does not check keeps the whole flow out.
    fn read(&mut self, name: &str, paths: &BTreeSet<&str>, among: &Among<'_>) -> FlowRead {
        let mut parts = self.parts(name, paths);
        let mut revision = None;
        if let Some(whole) = self.declaration(name, &mut parts, among) {
            let mut variants = self.variants(whole, &mut parts, &among.models);
            for variant in &mut variants {
                let sub_flows = among.calls.sub_flows(name, variant.market(), among.built);
                variant.declaration.sub_flows = sub_flows;
            }
            let (flows, found) = markets::compiled(&variants);
            // What a broken document did not declare would only look unused.
            let whole = !parts.findings.iter().any(is_error);
            parts.findings.extend(found.into_iter().filter(|finding| whole || is_error(finding)));
            for (variant, flow) in variants.iter_mut().zip(&flows) {
                let Some(flow) = flow else { continue };
                let (files, found) = self.used_shared(among.shared, &flow.usage, &variant.declaration);
                // What it does not use is none of it: a rebuild from its stored files would not have it either.
                let is_used = |text: &Located<String>| {
                    let path = self.source(text.place.file).map(|source| source.path.as_str());
                    files.iter().any(|file| Some(file.path.as_str()) == path)
                };
                variant.declaration.shared_functions.retain(is_used);
                variant.shared = files;
                parts.findings.extend(found);
            }
            let made = variants.into_iter().zip(flows);
            revision = made_of(name, made.collect(), &parts, among);
        }
        if parts.findings.iter().any(is_error) {
            revision = None;
        }
        FlowRead { revision, findings: parts.findings, cases: parts.cases }
    }

    fn declaration(&mut self, name: &str, parts: &mut Parts, among: &Among<'_>) -> Option<FlowDeclaration> {
        for (found, file_name) in [(parts.flow, "flow.yaml"), (parts.script, "flow.rhai")] {
            let path = format!("rules/{name}/{file_name}");
            if found.is_none()
                && !self.documents.unreadable.contains_key(&path)
                && !self.documents.files.contains_key(&path)
            {
                let place = self.unread(&path);
                let message = format!("the flow `{name}` has no `{file_name}`");
                parts.findings.push(
                    Diagnostic::error("B001", place, message)
                        .help(format!("write `{path}`, or remove the folder")),
                );
            }
        }
        let file = parts.flow?;
        let source = self.source(file)?;
        let script = match parts.script {
            Some(script) => {
                let text = self.source(script)?.text.to_string();
                let place = Place { file: script, span: Span::new(0, text.len()) };
                Some(Located::new(text, place))
            }
            None => None,
        };
        let mut shape = Shape::new(source);
        let mut beside = std::mem::take(&mut parts.beside);
        beside.shared_functions = among.shared.functions();
        let (mut lists, script_text) = (Vec::new(), script.clone().unwrap_or_default());
        let mut declared =
            flow_file::flow(&mut shape, file, name, &among.models, beside, &mut lists, script_text);
        parts.findings.extend(shape.findings);
        let own = self.lists(&parts.lists, &lists, &among.shared.lists, &mut parts.findings);
        if let Some(declared) = &mut declared {
            declared.lists = own;
            among.shared.lay_beside(declared, &mut parts.findings);
        }
        // Without its script a flow's other files are still read for what is wrong with them.
        script.and(declared)
    }

    /// Files of `rules/` that are in no flow's folder.
    fn loose_files(&mut self) {
        let paths: Vec<&str> = self.documents.files.keys().map(String::as_str).collect();
        for path in paths {
            let Some(rest) = path.strip_prefix("rules/") else { continue };
            let is_document = [".yaml", ".yml", ".rhai", ".csv"].iter().any(|ending| rest.ends_with(ending));
            if !rest.contains('/') && is_document {
                let place = self.unread(path);
                let message = format!("`{path}` is not read: it is in no flow's folder");
                self.findings
                    .push(Diagnostic::warning("B009", place, message).help("move it into `rules/NAME/`"));
            }
        }
    }

    /// What is wrong in `models/`, with the texts that the places count in.
    fn model_findings(&mut self, library: &ModelLibrary) -> Vec<Diagnostic> {
        let mut files: BTreeMap<String, u32> = BTreeMap::new();
        for finding in library.findings() {
            let path = format!("models/{}", finding.path);
            let text = self.documents.files.get(&path).and_then(|bytes| std::str::from_utf8(bytes).ok());
            let shown = text.filter(|text| text.len() <= LARGEST_TEXT).unwrap_or_default();
            let file = self.unread(&path).file;
            if let Some(source) = self.sources.last_mut() {
                source.text = Arc::from(shown);
            }
            files.insert(finding.path.clone(), file);
        }
        library.diagnostics(|path| files.get(path).copied().unwrap_or(u32::MAX))
    }
}

/// The flow and its markets, if all of them check.
fn made_of(
    name: &str,
    variants: Vec<(Variant, Option<Flow>)>,
    parts: &Parts,
    among: &Among<'_>,
) -> Option<Arc<FlowRevision>> {
    let mut all = Vec::with_capacity(variants.len());
    for (variant, flow) in variants {
        let market = variant.market();
        let mut files = variant.manifest(name, &parts.files);
        files.extend(variant.shared.iter().cloned());
        files.extend(among.models.manifest(&variant.declaration.models));
        for asked in among.calls.asked(name, market, among.built) {
            files.extend(asked.files.iter().cloned());
        }
        files.sort();
        files.dedup();
        let market = market.map(Name::from);
        let revision = FlowRevision {
            flow: Arc::new(flow?),
            declaration: Arc::new(variant.declaration),
            flow_revision: of_files(&files),
            files: files.into(),
            markets: BTreeMap::new(),
        };
        all.push((market, revision));
    }
    let mut all = all.into_iter();
    let (_, mut base) = all.next()?;
    base.markets = all.filter_map(|(market, revision)| Some((market?, Arc::new(revision)))).collect();
    Some(Arc::new(base))
}
