//! Tollgate: decides whether a thing may go through, says why, and keeps the record.

pub mod bundle;
pub mod documents;
pub mod domain;
pub mod learn;
pub mod release;
