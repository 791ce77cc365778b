//! `references/N.json`: what the drift of a version is measured against, given when the version was there already. Absent
//! on purpose: whether its bins fit the model, which is looked at where drift is measured.

use serde_json::Value as Json;

pub(super) const HELP: &str =
    "measure it again with `tollgate models reference MODEL@VERSION --rows FILE`, or remove the file";

/// The reference in a file, for a version with this digest.
pub(super) fn read(bytes: &[u8], digest: Option<&str>) -> Result<Json, String> {
    let digest = digest.ok_or("it is the reference of a version that does not exist")?;
    let mut stored: Json = serde_json::from_slice(bytes).map_err(|error| {
        format!("the reference is not JSON (line {}, column {})", error.line(), error.column())
    })?;
    if stored.get("artefact").and_then(Json::as_str) != Some(digest) {
        return Err("the reference was measured on another `model.json`".to_owned());
    }
    stored.get_mut("reference").map(Json::take).ok_or_else(|| "there is no `reference` in it".to_owned())
}
