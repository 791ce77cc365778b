//! A flow from the files that a store kept of it: the same flow, on the same model versions, whatever `rules/` and
//! `models/` hold by now.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::models::{Models, of_stored_path, of_stored_remote_path};
use super::revision::ManifestFile;
use super::{BASE, Documents, FlowRevision, build};
use crate::documents::findings::{Colour, rendered};
use crate::domain::model::Model;
use crate::domain::value::Name;
use crate::learn::artefact::{self, ArtefactError};
use crate::learn::library::ModelLibrary;

/// Why stored files do not give the flow that they were.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("the stored files hold no flow `{flow}`")]
    NoSuchFlow { flow: String },
    #[error("the stored files hold no market `{market}` of the flow `{flow}`")]
    NoSuchMarket { flow: String, market: String },
    #[error("the stored model `{path}` cannot be read")]
    Model {
        path: String,
        #[source]
        source: ArtefactError,
    },
    #[error("the stored model `{path}` cannot be read: {why}")]
    RemoteModel { path: String, why: String },
    #[error("the stored files of `{flow}` do not check with this version of the program:\n{findings}")]
    DoesNotCheck { flow: String, findings: String },
    #[error("the stored files of `{flow}` give {found}, not {expected}")]
    OtherRevision { flow: String, expected: String, found: String },
}

/// What a rebuilt flow must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected<'a> {
    Anything,
    /// The digest over all its files, in every market.
    Whole(&'a str),
    /// The flow revision in one market, `base` among them.
    InMarket {
        market: &'a str,
        flow_revision: &'a str,
    },
}

/// Builds one flow from stored files, with the flows that it asks: path and bytes as its manifest named them. Files of
/// other flows are passed over.
///
/// # Errors
/// When a file is missing, changed, or not understood by this version of the program.
pub fn rebuild(
    flow: &str,
    files: &[(String, Arc<[u8]>)],
    expected: Expected<'_>,
) -> Result<Arc<FlowRevision>, RebuildError> {
    let mut stored: BTreeMap<String, (Arc<Model>, ManifestFile)> = BTreeMap::new();
    let mut rules = Vec::new();
    for (path, bytes) in files {
        if let Some(reference) = of_stored_remote_path(path) {
            // By the reference itself, so that the same alias stands for the same version there.
            let name = reference.split('@').next().unwrap_or_default();
            let library = ModelLibrary::from_files(&[(format!("{name}/remote.yaml"), bytes)]);
            let unread = |error: crate::learn::library::ResolveError| RebuildError::RemoteModel {
                path: path.clone(),
                why: error.to_string(),
            };
            let model = library.resolve(reference).map_err(unread)?;
            let file = ManifestFile::new(path.as_str(), Arc::clone(bytes));
            stored.insert(reference.to_owned(), (model, file));
        } else if let Some((reference, version)) = of_stored_path(path) {
            let name = Name::from(reference.split('@').next().unwrap_or_default());
            let model = artefact::load(bytes, name, version)
                .map_err(|source| RebuildError::Model { path: path.clone(), source })?;
            let file = ManifestFile::new(path.as_str(), Arc::clone(bytes));
            stored.insert(reference.to_owned(), (Arc::new(model), file));
        } else if path.starts_with("rules/") {
            rules.push((path.clone(), Arc::clone(bytes)));
        }
    }
    let documents = Documents::from_files(rules);
    let (revision, diagnostics, sources) = build::one_flow(&documents, flow, Models::Stored(&stored));
    let Some(revision) = revision else {
        let folder = format!("rules/{flow}/");
        if !documents.files.keys().any(|path| path.starts_with(&folder)) {
            return Err(RebuildError::NoSuchFlow { flow: flow.to_owned() });
        }
        let findings = rendered(&diagnostics, &sources, Colour::Never);
        return Err(RebuildError::DoesNotCheck { flow: flow.to_owned(), findings });
    };
    let (found, expected) = match expected {
        Expected::Anything => return Ok(revision),
        Expected::Whole(expected) => (revision.whole_revision(), expected),
        Expected::InMarket { market, flow_revision } => {
            let found = if market == BASE { Some(&revision) } else { revision.markets.get(market) };
            let Some(found) = found else {
                let (flow, market) = (flow.to_owned(), market.to_owned());
                return Err(RebuildError::NoSuchMarket { flow, market });
            };
            (Arc::clone(&found.flow_revision), flow_revision)
        }
    };
    if *found != *expected {
        let (expected, found) = (expected.to_owned(), found.to_string());
        return Err(RebuildError::OtherRevision { flow: flow.to_owned(), expected, found });
    }
    Ok(revision)
}
