//! Lists of a flow or of `rules/_shared/`: what `lists:` declares of them, their files, and the lists of the build
//! before, so that a reload that changed none of them reads none of them again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::build::Builder;
use super::list_file::{ListFile, read_list};
use super::names::{check_readable, is_identifier};
use super::revision::sha256_hex;
use crate::documents::yaml::Node;
use crate::documents::yaml::shape::{Keys, Shape};
use crate::domain::declaration::ListDeclaration;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::list::{Entries, Folding, List, ListMatch, ListOptions};
use crate::domain::nearest::nearest;
use crate::domain::place::{Located, Place, Span};

/// Bytes of one list.
pub(super) const LARGEST_LIST: usize = 64 * 1024 * 1024;

/// One list as `lists:` declares it.
#[derive(Debug)]
pub(super) struct DeclaredList {
    pub name: Located<String>,
    pub file: ListFile,
    /// Its entries would come over the API: it has no file.
    pub is_managed: bool,
}

/// A `NAME.list.csv`, by its name and its number among the sources.
#[derive(Debug)]
pub(super) struct FoundList {
    pub name: String,
    pub path: String,
    pub file: u32,
}

/// Lists by what they were made of: the digest of the file, and how it is read.
#[derive(Debug, Clone, Default)]
pub struct KnownLists(BTreeMap<(String, ListOptions, u8, bool), Arc<List>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matched {
    By(ListMatch),
    Cidr,
}

/// Reads `lists:`.
pub(super) fn declared(shape: &mut Shape<'_>, node: &Node) -> Vec<DeclaredList> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        check_readable(shape, &entry.key);
        let Some(mut keys) = shape.keys(&entry.value, format!("list `{}`", entry.key.value)) else {
            continue;
        };
        let (file, is_managed) = options(shape, &mut keys);
        keys.finish(shape);
        all.push(DeclaredList { name: entry.key.clone(), file, is_managed });
    }
    all
}

fn options(shape: &mut Shape<'_>, keys: &mut Keys<'_>) -> (ListFile, bool) {
    let mut file = ListFile::default();
    let is_managed = keys.optional("managed").and_then(|node| shape.boolean(node)).unwrap_or(false);
    if is_managed {
        let place = keys.place_of("managed").unwrap_or_default();
        let message = "managed lists are not supported by this version";
        shape.report(
            Diagnostic::error("B003", place, message)
                .help("remove it, and write the entries into `NAME.list.csv` in the flow's folder"),
        );
    }
    let words = [
        ("exact", Matched::By(ListMatch::Exact)),
        ("prefix", Matched::By(ListMatch::Prefix)),
        ("domain", Matched::By(ListMatch::Domain)),
        ("cidr", Matched::Cidr),
    ];
    match keys.optional("match").and_then(|node| shape.word(node, &words)) {
        None => {}
        Some(Matched::By(match_by)) => file.options.match_by = match_by,
        Some(Matched::Cidr) => {
            let place = keys.place_of("match").unwrap_or_default();
            let message = "`match: cidr` is not supported by this version";
            shape
                .report(Diagnostic::error("B003", place, message).help("`exact`, `prefix` and `domain` are"));
        }
    }
    if let Some(node) = keys.optional("fold") {
        file.options.folding = folding(shape, node);
    }
    if let Some(node) = keys.optional("separator") {
        let separators = [(",", b','), (";", b';'), ("tab", b'\t')];
        file.separator = shape.word(node, &separators).unwrap_or(file.separator);
    }
    if let Some(node) = keys.optional("leading_zeros") {
        file.has_no_leading_zeros = shape.word(node, &[("none", true), ("kept", false)]).unwrap_or_default();
    }
    if let Some(node) = keys.optional("personal")
        && shape.boolean(node) == Some(true)
        && !is_managed
    {
        let place = keys.place_of("personal").unwrap_or_default();
        let message = "the entries of a fixed list are stored as they are written: it cannot be `personal`";
        shape.report(Diagnostic::error("B007", place, message).help("remove it"));
    }
    (file, is_managed)
}

fn folding(shape: &mut Shape<'_>, node: &Node) -> Folding {
    let mut folding = Folding::default();
    for item in shape.list(node).unwrap_or_default() {
        match shape.word(item, &[("case", true), ("unicode", false)]) {
            Some(true) => folding.case = true,
            Some(false) => folding.unicode = true,
            None => {}
        }
    }
    folding
}

impl Builder<'_> {
    /// The lists of one folder. `elsewhere` has the names that `_shared/` takes; they are declared there.
    pub(super) fn lists(
        &mut self,
        found: &[FoundList],
        declared: &[DeclaredList],
        elsewhere: &[ListDeclaration],
        findings: &mut Vec<Diagnostic>,
    ) -> Vec<ListDeclaration> {
        let mut lists = Vec::new();
        for one in found {
            let here = Place { file: one.file, span: Span::default() };
            if !is_identifier(&one.name) {
                let message = format!("`{}` cannot be the name of a list", one.name.escape_debug());
                findings.push(
                    Diagnostic::error("B005", here, message)
                        .help("rename the file: letters, digits and `_` before `.list.csv`"),
                );
                continue;
            }
            if elsewhere.iter().any(|other| other.name.value == one.name) {
                let message = format!("`rules/_shared/` has a list `{}` too", one.name);
                findings.push(
                    Diagnostic::error("B028", here, message)
                        .help("rename one of the two: a reader could not tell which is meant"),
                );
                continue;
            }
            let options = declared.iter().find(|list| list.name.value == one.name);
            let options = options.map(|list| list.file).unwrap_or_default();
            let list = self.list(one, &options, findings);
            let name = Located::new(one.name.clone(), here);
            lists.push(ListDeclaration { name, list, is_shared: false });
        }
        for one in declared {
            if found.iter().any(|list| list.name == one.name.value) {
                if one.is_managed {
                    let message = format!("the managed list `{}` has a file too", one.name.value);
                    findings.push(
                        Diagnostic::error("B027", one.name.place, message)
                            .help("remove the file, or `managed: true`"),
                    );
                }
                continue;
            }
            if !one.is_managed {
                findings.push(without_file(one, found, elsewhere));
            }
            // Scripts that name it are not wrong.
            let list = List::new(Arc::from(""), one.file.options, Entries::default()).0;
            lists.push(ListDeclaration { name: one.name.clone(), list: Arc::new(list), is_shared: false });
        }
        lists
    }

    /// Reads one list, or takes it from the build before.
    fn list(&mut self, one: &FoundList, file: &ListFile, findings: &mut Vec<Diagnostic>) -> Arc<List> {
        let nothing = || Arc::new(List::new(Arc::from(""), file.options, Entries::default()).0);
        let bytes = self.documents.files.get(&one.path).filter(|bytes| bytes.len() <= LARGEST_LIST);
        let Some(bytes) = bytes else { return nothing() };
        let Ok(text) = std::str::from_utf8(bytes) else { return nothing() };
        let key = (sha256_hex(bytes), file.options, file.separator, file.has_no_leading_zeros);
        let known = self.known_lists.0.get(&key).or_else(|| self.lists.0.get(&key));
        if let Some(known) = known.map(Arc::clone) {
            self.lists.0.insert(key, Arc::clone(&known));
            return known;
        }
        let (list, found) = read_list(one.file, text, file);
        let list = Arc::new(list);
        // Findings are said in every build, so what has some is read in every build.
        if found.is_empty() {
            self.lists.0.insert(key, Arc::clone(&list));
        }
        findings.extend(found);
        list
    }
}

fn without_file(one: &DeclaredList, found: &[FoundList], elsewhere: &[ListDeclaration]) -> Diagnostic {
    let name = &one.name.value;
    if elsewhere.iter().any(|list| list.name.value == *name) {
        let message = format!("`{name}` is a list of `rules/_shared/`");
        return Diagnostic::error("B027", one.name.place, message)
            .help("say how it is read in `rules/_shared/shared.yaml`, once for all flows");
    }
    let message = format!("there is no file `{name}.list.csv`");
    let near = nearest(name, found.iter().map(|list| list.name.as_str()));
    let help = near.map_or_else(
        || "write the entries there, one a line, or remove the list here".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Diagnostic::error("B027", one.name.place, message).help(help)
}
