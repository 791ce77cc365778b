//! TO BE REPLACED AT MERGE: only the signatures of `documents` that the doors use.
pub mod json;
