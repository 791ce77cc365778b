//! Tollgate: decides whether a thing may go through, says why, and keeps the record.

pub mod audit;
pub mod domain;
pub mod store;
