//! The integration tests, one binary: the real store on real SQLite files and a real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod central;
mod postgres;
mod samples;
mod store;
