//! The files of one flow's folder: what each is by its name, and what stands in it. How the parts fit together is
//! `build`'s and the flow's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::build::{Builder, LARGEST_TEXT};
use super::lists::{FoundList, LARGEST_LIST};
use super::revision::ManifestFile;
use super::rule_file;
use super::scorecard_file;
use super::table_file::{self, TableFiles};
use crate::documents::Source;
use crate::documents::yaml::shape::Shape;
use crate::domain::declaration::{HitPolicy, RuleSetDeclaration, ScorecardDeclaration, TableDeclaration};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::{Located, Place, Span};

/// What one file of a flow folder is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Document<'a> {
    Flow,
    Script,
    RuleSet(&'a str),
    Scorecard(&'a str),
    /// `NAME.table.yaml`: a whole table, or the types of the one in `NAME.table.csv`.
    Table(&'a str),
    TableRows(&'a str),
    List(&'a str),
    Market(&'a str),
    Case,
    /// It looks as if it were meant to be read.
    Unread,
    Other,
}

pub(super) fn document(path_in_flow: &str) -> Document<'_> {
    let extension = path_in_flow.rsplit_once('.').map_or("", |(_, extension)| extension);
    match path_in_flow.split_once('/') {
        None => {}
        Some(("cases", name)) if extension == "yaml" && !name.contains('/') => return Document::Case,
        Some(("markets", name)) if extension == "yaml" && !name.contains('/') => {
            return Document::Market(name.strip_suffix(".yaml").unwrap_or(name));
        }
        Some(("cases" | "markets", _)) if extension == "yml" => return Document::Unread,
        Some(_) => return Document::Other,
    }
    type Named<'a> = fn(&'a str) -> Document<'a>;
    let named: [(&str, Named<'_>); 5] = [
        (".rules.yaml", Document::RuleSet),
        (".scorecard.yaml", Document::Scorecard),
        (".table.yaml", Document::Table),
        (".table.csv", Document::TableRows),
        (".list.csv", Document::List),
    ];
    for (ending, kind) in named {
        if let Some(name) = path_in_flow.strip_suffix(ending) {
            return kind(name);
        }
    }
    match path_in_flow {
        "flow.yaml" => Document::Flow,
        "flow.rhai" => Document::Script,
        // Definitions for editors, as `tollgate schema FLOW --format rhai` prints them.
        _ if path_in_flow.ends_with(".d.rhai") => Document::Other,
        _ if matches!(extension, "yaml" | "yml" | "rhai" | "csv") => Document::Unread,
        _ => Document::Other,
    }
}

impl Document<'_> {
    /// Whether the file is part of what decides, and so of the revision.
    fn decides(self) -> bool {
        match self {
            Self::Flow | Self::Script | Self::RuleSet(_) => true,
            Self::Scorecard(_) | Self::Table(_) | Self::TableRows(_) | Self::List(_) | Self::Market(_) => {
                true
            }
            Self::Case | Self::Unread | Self::Other => false,
        }
    }
}

/// Reports a file whose name scripts could not say.
fn check_step_name(name: &str, kind: &str, ending: &str, file: u32, findings: &mut Vec<Diagnostic>) {
    if super::names::is_identifier(name) {
        return;
    }
    let here = Place { file, span: Span::default() };
    let message = format!("`{name}` cannot be the name of a {kind}");
    let help = format!("rename the file: letters, digits and `_` before `{ending}`");
    findings.push(Diagnostic::error("B005", here, message).help(help));
}

/// What stands beside `flow.yaml` and `flow.rhai`.
#[derive(Default)]
pub(super) struct Beside {
    pub rule_sets: Vec<RuleSetDeclaration>,
    pub scorecards: Vec<ScorecardDeclaration>,
    pub tables: Vec<TableDeclaration>,
    pub shared_functions: Vec<Located<String>>,
}

/// The parts of one flow as its files are read.
pub(super) struct Parts {
    pub findings: Vec<Diagnostic>,
    pub beside: Beside,
    pub files: Vec<ManifestFile>,
    pub lists: Vec<FoundList>,
    pub cases: Vec<u32>,
    /// File and name of each market.
    pub markets: Vec<(u32, String)>,
    pub flow: Option<u32>,
    pub script: Option<u32>,
}

impl Builder<'_> {
    pub(super) fn parts(&mut self, name: &str, paths: &BTreeSet<&str>) -> Parts {
        let mut parts = Parts {
            findings: Vec::new(),
            beside: Beside::default(),
            files: Vec::new(),
            lists: Vec::new(),
            cases: Vec::new(),
            markets: Vec::new(),
            flow: None,
            script: None,
        };
        let prefix = format!("rules/{name}/");
        let mut tables: BTreeMap<&str, TableFiles> = BTreeMap::new();
        for path in paths {
            let kind = document(path.strip_prefix(&prefix).unwrap_or_default());
            if kind == Document::Other {
                continue;
            }
            let Some(file) = self.open(path, &mut parts.findings) else {
                // A list that cannot be read still has its name: scripts that say it are not wrong.
                if let Document::List(list) = kind {
                    let file = u32::try_from(self.sources.len().saturating_sub(1)).unwrap_or(u32::MAX);
                    parts.lists.push(FoundList { name: list.to_owned(), path: (*path).to_owned(), file });
                }
                continue;
            };
            let here = Place { file, span: Span::default() };
            match kind {
                Document::Other => {}
                Document::Case => parts.cases.push(file),
                Document::Unread => {
                    let message = format!("`{path}` is not read");
                    let help = "a flow has `flow.yaml`, `flow.rhai`, `NAME.rules.yaml`, `NAME.scorecard.yaml`, `NAME.table.csv`, `NAME.table.yaml` and `cases/NAME.yaml`";
                    parts.findings.push(Diagnostic::warning("B009", here, message).help(help));
                }
                Document::List(list) => {
                    let (name, path) = (list.to_owned(), (*path).to_owned());
                    parts.lists.push(FoundList { name, path, file });
                }
                Document::Flow => parts.flow = Some(file),
                Document::Script => parts.script = Some(file),
                Document::Market(market) => parts.markets.push((file, market.to_owned())),
                Document::RuleSet(set) => self.rule_set(file, set, &mut parts),
                Document::Scorecard(card) => self.scorecard(file, card, &mut parts),
                Document::Table(table) => tables.entry(table).or_default().yaml = Some(file),
                Document::TableRows(table) => tables.entry(table).or_default().csv = Some(file),
            }
            if kind.decides()
                && let Some(bytes) = self.documents.files.get(*path)
            {
                parts.files.push(ManifestFile::new(*path, Arc::clone(bytes)));
            }
        }
        for (table, files) in tables {
            self.table(table, files, &mut parts);
        }
        parts
    }

    fn table(&self, table: &str, files: TableFiles, parts: &mut Parts) {
        let file = files.yaml.or(files.csv).unwrap_or_default();
        check_step_name(table, "table", ".table.csv", file, &mut parts.findings);
        let source = |file: u32| self.source(file).cloned();
        let declared = table_file::table(table, files, source, &mut parts.findings);
        parts.beside.tables.push(declared);
    }

    fn scorecard(&self, file: u32, card: &str, parts: &mut Parts) {
        let Some(source) = self.source(file) else { return };
        check_step_name(card, "scorecard", ".scorecard.yaml", file, &mut parts.findings);
        let mut shape = Shape::new(source);
        // As with rule sets: one that cannot be read still has its name.
        let empty = || ScorecardDeclaration {
            name: Located::new(card.to_owned(), Place { file, span: Span::default() }),
            base_points: 0,
            takes: Vec::new(),
            characteristics: Vec::new(),
        };
        let declared = scorecard_file::scorecard(&mut shape, file, card).unwrap_or_else(empty);
        parts.beside.scorecards.push(declared);
        parts.findings.extend(shape.findings);
    }

    pub(super) fn rule_set(&self, file: u32, set: &str, parts: &mut Parts) {
        let Some(source) = self.source(file) else { return };
        let mut shape = Shape::new(source);
        let here = Place { file, span: Span::default() };
        check_step_name(set, "rule set", ".rules.yaml", file, &mut shape.findings);
        // A set that cannot be read still has its name: scripts that say it are not wrong.
        let empty = || RuleSetDeclaration {
            name: Located::new(set.to_owned(), here),
            hit_policy: HitPolicy::default(),
            takes: Vec::new(),
            rules: Vec::new(),
        };
        parts.beside.rule_sets.push(rule_file::rule_set(&mut shape, file, set).unwrap_or_else(empty));
        parts.findings.extend(shape.findings);
    }

    /// Takes a file's text among the sources; what cannot be text is a finding.
    pub(super) fn open(&mut self, path: &str, findings: &mut Vec<Diagnostic>) -> Option<u32> {
        let place = self.unread(path);
        if let Some(reason) = self.documents.unreadable.get(path) {
            findings.push(Diagnostic::error("B002", place, format!("`{path}` cannot be read: {reason}")));
            return None;
        }
        let bytes = self.documents.files.get(path)?;
        let is_list = path.ends_with(".list.csv");
        let largest = if is_list { LARGEST_LIST } else { LARGEST_TEXT };
        if bytes.len() > largest && !path.ends_with(".yaml") {
            let message = format!("`{path}` has more than {} MiB", largest / 1024 / 1024);
            findings.push(Diagnostic::error("B002", place, message));
            return None;
        }
        match std::str::from_utf8(bytes) {
            // A list may be large: its text is taken only when there is something to show.
            Ok(_) if is_list => Some(place.file),
            Ok(text) => {
                if let Some(source) = self.sources.last_mut() {
                    source.text = Arc::from(text);
                }
                Some(place.file)
            }
            Err(error) => {
                let message = format!("`{path}` is not UTF-8 (at byte {})", error.valid_up_to());
                findings.push(Diagnostic::error("B002", place, message).help("save it as UTF-8"));
                None
            }
        }
    }

    /// A place at the start of a file whose text is not shown.
    pub(super) fn unread(&mut self, path: &str) -> Place {
        let file = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        self.sources.push(Source::new(path, ""));
        Place { file, span: Span::default() }
    }

    pub(super) fn source(&self, file: u32) -> Option<&Source> {
        self.sources.get(usize::try_from(file).ok()?)
    }
}
