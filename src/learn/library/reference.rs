//! `german_credit@champion`: how a flow or a person names a version, and why a name may lead nowhere.
//! No look-up of weights: a number is all that comes out.

use super::{CHAMPION, LibraryModel, is_name, version_number};

/// Why nothing serves under a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("`{written}` is no reference to a model: write `name`, `name@version` or `name@alias`")]
    Malformed { written: String },
    #[error("there is no model `{name}`{}", nearest.as_ref().map_or_else(String::new, |n| format!(" (there is `{n}`)")))]
    UnknownModel { name: String, nearest: Option<String> },
    #[error("model `{name}` has no version yet: `tollgate train {name}` makes one")]
    NoVersions { name: String },
    #[error("model `{name}` has no version {version}: it has {}", list(known))]
    UnknownVersion { name: String, version: u32, known: Vec<u32> },
    #[error("model `{name}` has no alias `{alias}`: it has {}", list(known))]
    UnknownAlias { name: String, alias: String, known: Vec<String> },
    #[error("version {version} of model `{name}` cannot serve: {why}")]
    Broken { name: String, version: u32, why: String },
    #[error("model `{name}` cannot be asked: {why}")]
    BrokenRemote { name: String, why: String },
}

fn list<T: ToString>(known: &[T]) -> String {
    if known.is_empty() {
        return "none".to_owned();
    }
    known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Which version of a model is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which<'a> {
    Default,
    Version(u32),
    Alias(&'a str),
}

pub(super) fn read(written: &str) -> Result<(&str, Which<'_>), ResolveError> {
    let malformed = || ResolveError::Malformed { written: written.to_owned() };
    let (name, which) = match written.split_once('@') {
        None => (written, Which::Default),
        Some((name, which)) => match version_number(which) {
            Some(number) => (name, Which::Version(number)),
            None if is_name(which) => (name, Which::Alias(which)),
            None => return Err(malformed()),
        },
    };
    if is_name(name) { Ok((name, which)) } else { Err(malformed()) }
}

/// The version that another server is asked for; `None`: the one that `remote.yaml` says.
pub(super) fn version_elsewhere(
    name: &str,
    which: Which<'_>,
    aliases: &[(String, String)],
) -> Result<Option<String>, ResolveError> {
    let of =
        |alias: &str| aliases.iter().find(|(known, _)| known == alias).map(|(_, version)| version.clone());
    match which {
        Which::Version(number) => Ok(Some(number.to_string())),
        Which::Default => Ok(of(CHAMPION)),
        Which::Alias(alias) => of(alias).map(Some).ok_or_else(|| ResolveError::UnknownAlias {
            name: name.to_owned(),
            alias: alias.to_owned(),
            known: aliases.iter().map(|(alias, _)| alias.clone()).collect(),
        }),
    }
}

pub(super) fn number(name: &str, which: Which<'_>, model: &LibraryModel) -> Result<u32, ResolveError> {
    match which {
        Which::Version(number) => Ok(number),
        Which::Alias(alias) => model.aliases.get(alias).copied().ok_or_else(|| ResolveError::UnknownAlias {
            name: name.to_owned(),
            alias: alias.to_owned(),
            known: model.aliases.keys().map(ToString::to_string).collect(),
        }),
        Which::Default => {
            let highest = || model.versions.keys().next_back().copied();
            let number = model.aliases.get(CHAMPION).copied().or_else(highest);
            number.ok_or_else(|| ResolveError::NoVersions { name: name.to_owned() })
        }
    }
}
