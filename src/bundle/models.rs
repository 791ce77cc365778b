//! Where a flow's reference to a model leads: into the library of `models/`, or, when a flow is built again from
//! stored files, to the very versions that it had. No model is fitted or read from disk here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::revision::ManifestFile;
use crate::domain::declaration::ModelUseDeclaration;
use crate::domain::model::Model;
use crate::learn::library::ModelLibrary;

/// What a reference is looked up in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Models<'a> {
    Library(&'a ModelLibrary),
    /// By reference, as written in flow.yaml.
    Stored(&'a BTreeMap<String, Arc<Model>>),
}

impl Models<'_> {
    /// The version that serves under a reference.
    ///
    /// # Errors
    /// Why none does, in words for whoever wrote the reference.
    pub(super) fn resolve(&self, reference: &str) -> Result<Arc<Model>, String> {
        match self {
            Self::Library(library) => library.resolve(reference).map_err(|error| error.to_string()),
            Self::Stored(models) => models
                .get(reference)
                .cloned()
                .ok_or_else(|| format!("the stored files hold no model `{reference}`")),
        }
    }
}

/// A path that keeps the reference as well as the version: an alias may point elsewhere by the time of a replay.
fn stored_path(reference: &str, version: u32) -> String {
    format!("models/{reference}/{version}")
}

/// Reference and version of a path made by `stored_path`.
pub(super) fn of_stored_path(path: &str) -> Option<(&str, u32)> {
    let (reference, version) = path.strip_prefix("models/")?.rsplit_once('/')?;
    Some((reference, version.parse().ok()?))
}

/// The artefacts of the models that a flow uses, as files of its revision.
pub(super) fn manifest(library: &ModelLibrary, uses: &[ModelUseDeclaration]) -> Vec<ManifestFile> {
    let mut files = Vec::new();
    for used in uses {
        let Some(model) = &used.model else { continue };
        let found = library.models().get(&model.name).and_then(|found| found.versions.get(&model.version));
        if let Some(version) = found {
            files.push(ManifestFile {
                path: stored_path(&used.reference.value, model.version),
                sha256: version.digest.to_string(),
                bytes: Arc::clone(&version.artefact),
            });
        }
    }
    files.sort();
    files.dedup();
    files
}
