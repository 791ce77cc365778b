//! What names a bundle and a flow: digests over what can change a verdict, and nothing else. No time, no machine,
//! no absolute path goes into one.

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::FlowRevision;

/// One file that decides: enough to store it and to build the flow from it again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ManifestFile {
    /// `rules/personal_loan/flow.yaml`; a model stands under `models/REFERENCE/VERSION`.
    pub path: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub sha256: String,
    pub bytes: Arc<[u8]>,
}

impl ManifestFile {
    pub fn new(path: impl Into<String>, bytes: Arc<[u8]>) -> Self {
        Self { path: path.into(), sha256: sha256_hex(&bytes), bytes }
    }
}

/// `sha256:` and 64 hexadecimal digits of these bytes.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)))
}

/// SHA-256 over one line a file, sorted: path, NUL, digest, line feed.
#[must_use]
pub fn of_files<'a>(files: impl IntoIterator<Item = &'a ManifestFile>) -> Arc<str> {
    let lines: BTreeSet<(&str, &str)> =
        files.into_iter().map(|file| (file.path.as_str(), file.sha256.as_str())).collect();
    let mut hash = Sha256::new();
    for (path, digest) in lines {
        hash.update(path.as_bytes());
        hash.update(b"\0");
        hash.update(digest.as_bytes());
        hash.update(b"\n");
    }
    Arc::from(format!("sha256:{}", data_encoding::HEXLOWER.encode(&hash.finalize())))
}

pub(super) fn of_flows<'a>(flows: impl IntoIterator<Item = &'a FlowRevision>) -> Arc<str> {
    of_files(flows.into_iter().flat_map(files_of))
}

pub(super) fn union<'a>(flows: impl IntoIterator<Item = &'a FlowRevision>) -> Vec<ManifestFile> {
    let all: BTreeSet<&ManifestFile> = flows.into_iter().flat_map(files_of).collect();
    all.into_iter().cloned().collect()
}

/// Those of `base` and of every market.
fn files_of(flow: &FlowRevision) -> impl Iterator<Item = &ManifestFile> {
    flow.files.iter().chain(flow.markets.values().flat_map(|market| market.files.iter()))
}
