//! A flow from the files that a store kept of it: the same flow, on the same model versions, whatever `rules/` and
//! `models/` hold by now.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::models::{Models, of_stored_path};
use super::revision::{ManifestFile, of_files};
use super::{Documents, FlowRevision, build, shared};
use crate::documents::findings::{Colour, rendered};
use crate::domain::model::Model;
use crate::domain::value::Name;
use crate::learn::artefact::{self, ArtefactError};

/// Why stored files do not give the flow that they were.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("the stored files hold no flow `{flow}`")]
    NoSuchFlow { flow: String },
    #[error("the stored model `{path}` cannot be read")]
    Model {
        path: String,
        #[source]
        source: ArtefactError,
    },
    #[error("the stored files of `{flow}` do not check with this version of the program:\n{findings}")]
    DoesNotCheck { flow: String, findings: String },
    #[error("the stored files of `{flow}` give {found}, not {expected}")]
    OtherRevision { flow: String, expected: String, found: String },
}

/// Builds one flow from stored files: path and bytes as its manifest named them. Files of other flows are passed over;
/// shared files that this flow does not use change nothing.
/// `expected` is the flow revision that must come out, where the caller knows it.
///
/// # Errors
/// When a file is missing, changed, or not understood by this version of the program.
pub fn rebuild(
    flow: &str,
    files: &[(String, Arc<[u8]>)],
    expected: Option<&str>,
) -> Result<FlowRevision, RebuildError> {
    let mut stored: BTreeMap<String, Arc<Model>> = BTreeMap::new();
    let mut model_files = Vec::new();
    let mut rules = Vec::new();
    let folder = format!("rules/{flow}/");
    let mut is_there = false;
    for (path, bytes) in files {
        if let Some((reference, version)) = of_stored_path(path) {
            let name = Name::from(reference.split('@').next().unwrap_or_default());
            let model = artefact::load(bytes, name, version)
                .map_err(|source| RebuildError::Model { path: path.clone(), source })?;
            stored.insert(reference.to_owned(), Arc::new(model));
            model_files.push((reference, ManifestFile::new(path.as_str(), Arc::clone(bytes))));
        } else if path.starts_with(&folder) || path.starts_with(shared::FOLDER) {
            is_there |= path.starts_with(&folder);
            rules.push((path.clone(), Arc::clone(bytes)));
        }
    }
    let documents = Documents::from_files(rules);
    let (revision, diagnostics, sources) = build::one_flow(&documents, flow, &Models::Stored(&stored));
    let Some((compiled, declaration, mut manifest)) = revision else {
        if !is_there {
            return Err(RebuildError::NoSuchFlow { flow: flow.to_owned() });
        }
        let findings = rendered(&diagnostics, &sources, Colour::Never);
        return Err(RebuildError::DoesNotCheck { flow: flow.to_owned(), findings });
    };
    let used = |reference: &str| declaration.models.iter().any(|model| model.reference.value == reference);
    manifest.extend(model_files.into_iter().filter(|(reference, _)| used(reference)).map(|(_, file)| file));
    manifest.sort();
    let flow_revision = of_files(&manifest);
    if let Some(expected) = expected
        && *flow_revision != *expected
    {
        let (expected, found) = (expected.to_owned(), flow_revision.to_string());
        return Err(RebuildError::OtherRevision { flow: flow.to_owned(), expected, found });
    }
    Ok(FlowRevision {
        flow: Arc::new(compiled),
        declaration: Arc::new(declaration),
        flow_revision,
        files: manifest.into(),
    })
}
