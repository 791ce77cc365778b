//! Moving an alias: `model.yaml` is edited where the number stands, so that comments and layout stay, and replaced
//! whole, so that a reader sees the old file or the new one. A version that does not verify is not promoted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::library::{LibraryModel, is_name};
use super::publish::{self, PublishError};
use crate::documents::Source;
use crate::documents::yaml::{self, Content, Node};

/// Name of the file with a model's aliases.
pub const ALIASES_FILE: &str = "model.yaml";

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promoted {
    pub alias: String,
    /// The version that it named before.
    pub before: Option<u32>,
    pub version: u32,
}

/// Why no alias was moved.
#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    #[error("`{alias}` cannot be an alias: letters, digits and `_`, beginning with a letter")]
    Misnamed { alias: String },
    #[error("there is no version {version}: there is {}", known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NoVersion { version: u32, known: Vec<u32> },
    #[error("version {version} does not verify: {why}")]
    DoesNotVerify { version: u32, why: String },
    #[error("`{}` is not one that can be edited: {why}; write `aliases: {{ {alias}: {version} }}` into it by hand", path.display())]
    ByHand { path: PathBuf, why: String, alias: String, version: u32 },
    #[error(transparent)]
    File(#[from] PublishError),
}

/// Lets `alias` name `version` in `folder/model.yaml`, which is made if it is not there.
///
/// # Errors
/// When the alias is misnamed, the version is not there or does not verify, or the file cannot be edited; nothing is
/// changed then.
pub fn promote(
    folder: &Path,
    model: &LibraryModel,
    version: u32,
    alias: &str,
) -> Result<Promoted, PromoteError> {
    if !is_name(alias) {
        return Err(PromoteError::Misnamed { alias: alias.to_owned() });
    }
    let known = || model.versions.keys().copied().collect();
    let found =
        model.versions.get(&version).ok_or_else(|| PromoteError::NoVersion { version, known: known() })?;
    if let Err(why) = &found.model {
        return Err(PromoteError::DoesNotVerify { version, why: why.to_string() });
    }
    let path = folder.join(ALIASES_FILE);
    let by_hand = |why: &str| PromoteError::ByHand {
        path: path.clone(),
        why: why.to_owned(),
        alias: alias.to_owned(),
        version,
    };
    let text = match fs::read(&path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| by_hand("it is not UTF-8 text"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(publish::failed(&path, "read")(error).into()),
    };
    let before = aliases(&text).map_err(|why| by_hand(&why))?;
    let edited = edit(&text, alias, version).map_err(|why| by_hand(&why))?;
    // Read again: what the edit made must be the old aliases with this one moved, and nothing else.
    let mut wanted: Vec<(String, String)> =
        before.iter().filter(|(name, _)| name != alias).cloned().collect();
    wanted.push((alias.to_owned(), version.to_string()));
    wanted.sort();
    let mut after = aliases(&edited).map_err(|why| by_hand(&why))?;
    after.sort();
    if after != wanted {
        return Err(by_hand("its `aliases` are written in an unusual way"));
    }
    if edited != text {
        publish::replace(&path, edited.as_bytes())?;
    }
    let before = before.iter().find(|(name, _)| name == alias).and_then(|(_, number)| number.parse().ok());
    Ok(Promoted { alias: alias.to_owned(), before, version })
}

fn tree(text: &str) -> Result<Option<Node>, String> {
    let has_content = text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    if !has_content {
        return Ok(None);
    }
    let source = Source { path: ALIASES_FILE.to_owned(), text: Arc::from(text) };
    yaml::read(0, &source).map(Some).map_err(|diagnostic| diagnostic.message)
}

/// The map under `aliases`; `None` when the file has no such key.
fn map_of(root: &Node) -> Result<Option<&Node>, String> {
    let Content::Map(entries) = &root.content else { return Err("it is no map".to_owned()) };
    Ok(entries.iter().find(|entry| entry.key.value == "aliases").map(|entry| &entry.value))
}

fn aliases(text: &str) -> Result<Vec<(String, String)>, String> {
    let Some(root) = tree(text)? else { return Ok(Vec::new()) };
    let Some(map) = map_of(&root)? else { return Ok(Vec::new()) };
    let Content::Map(entries) = &map.content else { return Err("`aliases` is no map".to_owned()) };
    let pair = |entry: &yaml::Entry| match &entry.value.content {
        Content::Scalar(scalar) => Ok((entry.key.value.clone(), scalar.text.clone())),
        _ => Err(format!("alias `{}` is no number", entry.key.value)),
    };
    entries.iter().map(pair).collect()
}

fn edit(text: &str, alias: &str, version: u32) -> Result<String, String> {
    let Some(root) = tree(text)? else { return Ok(appended(text, alias, version)) };
    let Some(map) = map_of(&root)? else { return Ok(appended(text, alias, version)) };
    let Content::Map(entries) = &map.content else { return Err("`aliases` is no map".to_owned()) };
    let splice = |start: usize, end: usize, new: &str| {
        let (head, tail) = (text.get(..start), text.get(end..));
        head.zip(tail)
            .map(|(head, tail)| format!("{head}{new}{tail}"))
            .ok_or_else(|| "its places are odd".to_owned())
    };
    if let Some(entry) = entries.iter().find(|entry| entry.key.value == alias) {
        let span = entry.value.place.span;
        return splice(span.start as usize, span.end as usize, &version.to_string());
    }
    let start = map.place.span.start as usize;
    if text.get(start..).is_some_and(|rest| rest.starts_with('{')) {
        let comma = if entries.is_empty() { " " } else { "," };
        return splice(start + 1, start + 1, &format!(" {alias}: {version}{comma}"));
    }
    let Some(first) = entries.first() else { return Err("`aliases` is empty".to_owned()) };
    let key = first.key.place.span.start as usize;
    let line = text.get(..key).and_then(|head| head.rfind('\n')).map_or(0, |newline| newline + 1);
    let indent = text.get(line..key).unwrap_or_default();
    splice(line, line, &format!("{indent}{alias}: {version}\n"))
}

fn appended(text: &str, alias: &str, version: u32) -> String {
    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{newline}aliases: {{ {alias}: {version} }}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_moved_or_added_and_the_rest_of_the_file_stays() {
        let check = |text: &str, wanted: &str| assert_eq!(edit(text, "champion", 7).unwrap(), wanted);
        check(
            "# who serves\naliases: { champion: 1, challenger: 2 }  # since May\n",
            "# who serves\naliases: { champion: 7, challenger: 2 }  # since May\n",
        );
        check("aliases: { challenger: 2 }\n", "aliases: { champion: 7, challenger: 2 }\n");
        check("aliases: {}\n", "aliases: { champion: 7 }\n");
        check(
            "aliases:\n  # the old one\n  champion: 1 # sound\n  challenger: 2\n",
            "aliases:\n  # the old one\n  champion: 7 # sound\n  challenger: 2\n",
        );
        check("aliases:\n  challenger: 2\n", "aliases:\n  champion: 7\n  challenger: 2\n");
        check("", "aliases: { champion: 7 }\n");
        check("# nothing yet", "# nothing yet\naliases: { champion: 7 }\n");
        assert!(edit("aliases: [1]\n", "champion", 7).is_err());
        assert!(edit("- 1\n", "champion", 7).is_err());
    }

    #[test]
    fn every_edit_reads_back_as_the_old_aliases_with_one_moved() {
        for text in [
            "aliases: { a: 1, 'champion': 2 }\n",
            "aliases:\n    a: 1\n    champion: 22\n",
            "aliases: {\n  a: 1,\n  champion: 2 }\n",
            "aliases: { a: 1 }",
            "",
        ] {
            let mut after = aliases(&edit(text, "champion", 3).unwrap()).unwrap();
            after.retain(|(name, _)| name == "champion");
            assert_eq!(after, [("champion".to_owned(), "3".to_owned())], "{text}");
        }
    }
}
