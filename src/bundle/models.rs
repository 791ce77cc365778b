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
    /// By reference, as written in flow.yaml: the model, and the file that keeps it.
    Stored(&'a BTreeMap<String, (Arc<Model>, ManifestFile)>),
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
                .map(|(model, _)| Arc::clone(model))
                .ok_or_else(|| format!("the stored files hold no model `{reference}`")),
        }
    }
}

/// A path that keeps the reference as well as the version: an alias may point elsewhere by the time of a replay.
fn stored_path(reference: &str, version: u32) -> String {
    format!("models/{reference}/{version}")
}

/// The path of what says how a model is asked on other servers.
fn stored_remote_path(reference: &str) -> String {
    format!("models/{reference}/remote.yaml")
}

/// Reference of a path made by `stored_remote_path`.
pub(super) fn of_stored_remote_path(path: &str) -> Option<&str> {
    path.strip_prefix("models/")?.strip_suffix("/remote.yaml")
}

/// Reference and version of a path made by `stored_path`.
pub(super) fn of_stored_path(path: &str) -> Option<(&str, u32)> {
    let (reference, version) = path.strip_prefix("models/")?.rsplit_once('/')?;
    Some((reference, version.parse().ok()?))
}

impl Models<'_> {
    /// The artefacts of the models that a flow uses, as files of its revision.
    pub(super) fn manifest(&self, uses: &[ModelUseDeclaration]) -> Vec<ManifestFile> {
        let mut files: Vec<ManifestFile> = uses.iter().filter_map(|used| self.file_of(used)).collect();
        files.sort();
        files.dedup();
        files
    }

    fn file_of(&self, used: &ModelUseDeclaration) -> Option<ManifestFile> {
        let model = used.model.as_ref()?;
        match self {
            Self::Library(library) => {
                let found = library.models().get(&model.name)?;
                if let Some(remote) = &found.remote {
                    let path = stored_remote_path(&used.reference.value);
                    return Some(ManifestFile::new(path, Arc::clone(&remote.text)));
                }
                let version = found.versions.get(&model.version)?;
                Some(ManifestFile {
                    path: stored_path(&used.reference.value, model.version),
                    sha256: version.digest.to_string(),
                    bytes: Arc::clone(&version.artefact),
                })
            }
            Self::Stored(models) => models.get(&used.reference.value).map(|(_, file)| file.clone()),
        }
    }
}
