//! `rules/_shared/`: functions, lists and reasons that several flows use. Each file is read once, what is wrong in it
//! is said once, and only a file that a flow uses is part of that flow's revision.

use std::sync::Arc;

use super::build::{Builder, is_error};
use super::lists::{self, FoundList};
use super::parts::{Document, document};
use super::revision::ManifestFile;
use super::{flow_file, names};
use crate::documents::yaml::read;
use crate::documents::yaml::shape::Shape;
use crate::domain::declaration::{FlowDeclaration, ListDeclaration, ReasonDeclaration};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::expression::scope::Usage;
use crate::domain::expression::words::is_word;
use crate::domain::place::{Located, Place, Span};
use crate::domain::script::Grammar;

pub(super) const FOLDER: &str = "rules/_shared/";
const SETTINGS: &str = "rules/_shared/shared.yaml";
const REASONS: &str = "rules/_shared/reasons.yaml";

/// What the flows of one bundle share.
#[derive(Default)]
pub(super) struct Shared {
    pub lists: Vec<ListDeclaration>,
    pub reasons: Vec<ReasonDeclaration>,
    functions: Vec<SharedFile>,
    /// What is wrong in the folder, whoever uses it.
    pub findings: Vec<Diagnostic>,
}

/// A file of functions.
struct SharedFile {
    path: String,
    text: Located<String>,
    names: Vec<String>,
}

impl Shared {
    /// Lays what is shared beside what a flow declares itself. A name that both declare is a finding.
    pub fn lay_beside(&self, flow: &mut FlowDeclaration, findings: &mut Vec<Diagnostic>) {
        flow.lists.extend(self.lists.iter().cloned());
        for shared in &self.reasons {
            match flow.reasons.iter().find(|own| own.code.value == shared.code.value) {
                None => flow.reasons.push(shared.clone()),
                Some(own) => {
                    let message =
                        format!("`rules/_shared/reasons.yaml` has a reason `{}` too", own.code.value);
                    findings.push(
                        Diagnostic::error("B028", own.code.place, message)
                            .help("remove it here, or give it another code"),
                    );
                }
            }
        }
    }

    pub fn functions(&self) -> Vec<Located<String>> {
        self.functions.iter().map(|file| file.text.clone()).collect()
    }

    /// Files that a flow uses, by path and, where they have one, by their number among the sources.
    fn used(&self, usage: &Usage, flow: &FlowDeclaration) -> Vec<(String, Option<u32>)> {
        let mut used = Vec::new();
        for list in self.lists.iter().filter(|list| is_asked(list, usage, flow)) {
            used.push((format!("{FOLDER}{}.list.csv", list.name.value), Some(list.name.place.file)));
            used.push((SETTINGS.to_owned(), None));
        }
        let reasons = || self.reasons.iter().filter(|r| usage.reasons.contains(r.code.value.as_str()));
        used.extend(reasons().next().map(|reason| (REASONS.to_owned(), Some(reason.code.place.file))));
        for file in &self.functions {
            if file.names.iter().any(|name| usage.functions.contains(name.as_str())) {
                used.push((file.path.clone(), Some(file.text.place.file)));
            }
        }
        used
    }
}

/// Whether a flow asks a list: by what it is and not by its name, for in a market one list may stand in for another.
fn is_asked(list: &ListDeclaration, usage: &Usage, flow: &FlowDeclaration) -> bool {
    let mut asked = flow.lists.iter().filter(|own| usage.lists.contains(own.name.value.as_str()));
    asked.any(|asked| Arc::ptr_eq(&asked.list, &list.list))
}

impl Builder<'_> {
    /// Reads the whole folder.
    pub(super) fn shared(&mut self) -> Shared {
        let mut shared = Shared::default();
        let mut found = Vec::new();
        let mut declared = Vec::new();
        let unreadable = self.documents.unreadable.keys();
        let paths: Vec<String> = self
            .documents
            .files
            .keys()
            .chain(unreadable)
            .filter(|p| p.starts_with(FOLDER))
            .cloned()
            .collect();
        for path in paths {
            let name = path.strip_prefix(FOLDER).unwrap_or_default();
            let kind = document(name);
            let is_functions = name.ends_with(".rhai") && !name.contains('/');
            let is_known =
                matches!(kind, Document::List(_)) || is_functions || path == SETTINGS || path == REASONS;
            if !is_known {
                if kind != Document::Other {
                    let place = self.unread(&path);
                    let message = format!("`{path}` is not read");
                    let help = "shared are `NAME.rhai`, `NAME.list.csv`, `reasons.yaml` and `shared.yaml`";
                    shared.findings.push(Diagnostic::warning("B009", place, message).help(help));
                }
                continue;
            }
            let Some(file) = self.open(&path, &mut shared.findings) else { continue };
            match kind {
                Document::List(name) => {
                    found.push(FoundList { name: name.to_owned(), path: path.clone(), file });
                }
                _ if is_functions => self.functions_file(path, file, &mut shared),
                _ => {
                    let Some(source) = self.source(file) else { continue };
                    let mut shape = Shape::new(source);
                    match read(file, shape.source) {
                        Err(finding) => shape.report(finding),
                        Ok(root) if path == REASONS => {
                            shared.reasons = flow_file::reasons(&mut shape, &root);
                            shared.reasons.iter_mut().for_each(|reason| reason.is_shared = true);
                            let codes = shared.reasons.iter().map(|reason| &reason.code);
                            names::check_unique(&mut shape, "reason", codes);
                        }
                        Ok(root) => {
                            if let Some(mut keys) = shape.keys(&root, "`shared.yaml`") {
                                let node = keys.optional("lists");
                                declared =
                                    node.map(|node| lists::declared(&mut shape, node)).unwrap_or_default();
                                keys.finish(&mut shape);
                            }
                        }
                    }
                    shared.findings.extend(shape.findings);
                }
            }
        }
        let mut findings = std::mem::take(&mut shared.findings);
        shared.lists = self.lists(&found, &declared, &[], &mut findings);
        shared.lists.iter_mut().for_each(|list| list.is_shared = true);
        shared.findings = findings;
        shared
    }

    fn functions_file(&self, path: String, file: u32, shared: &mut Shared) {
        let Some(source) = self.source(file) else { return };
        let place = Place { file, span: Span::new(0, source.text.len()) };
        let text = Located::new(source.text.to_string(), place);
        let program = match Grammar::new().program(&text) {
            Ok(program) => program,
            Err(findings) => return shared.findings.extend(findings),
        };
        if let Some(statement) = program.body.first() {
            let message = "this stands outside of any function";
            shared.findings.push(
                Diagnostic::error("B029", place.part(statement.span), message)
                    .help("a shared file has functions only: write `fn name(…) { … }`"),
            );
        }
        let mut names = Vec::new();
        for function in program.functions {
            let at = place.part(function.span);
            let before = shared.functions.iter().find(|other| other.names.contains(&function.name));
            if let Some(before) = before {
                let message = format!("`{}` has a function `{}` too", before.path, function.name);
                shared.findings.push(Diagnostic::error("B028", at, message).help("rename one of the two"));
            } else if is_word(&function.name) {
                let message =
                    format!("`{}` is a word of the language and cannot name a function", function.name);
                shared.findings.push(Diagnostic::error("T026", at, message).help("choose another name"));
            }
            names.push(function.name);
        }
        shared.functions.push(SharedFile { path, text, names });
    }

    /// The shared files that a flow uses, as files of its revision, and what is wrong in them.
    pub(super) fn used_shared(
        &self,
        shared: &Shared,
        usage: &Usage,
        flow: &FlowDeclaration,
    ) -> (Vec<ManifestFile>, Vec<Diagnostic>) {
        let mut files = Vec::new();
        let mut findings = Vec::new();
        for (path, file) in shared.used(usage, flow) {
            if let Some(bytes) = self.documents.files.get(&path) {
                files.push(ManifestFile::new(path.as_str(), Arc::clone(bytes)));
            }
            let in_file = |finding: &&Diagnostic| match file {
                Some(file) => finding.place.file == file,
                None => self.source(finding.place.file).is_some_and(|source| source.path == path),
            };
            // A list without a file concerns those who ask it: of what a flow used, the others are not stored.
            let of_another_list = |finding: &&Diagnostic| {
                let mut lists = shared.lists.iter().filter(|list| list.name.place == finding.place);
                finding.code == "B027" && lists.any(|list| !is_asked(list, usage, flow))
            };
            let errors = shared.findings.iter().filter(|f| is_error(f) && !of_another_list(f));
            findings.extend(errors.filter(in_file).cloned());
        }
        files.sort();
        files.dedup();
        (files, findings)
    }
}
