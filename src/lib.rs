//! Tollgate: decides whether a thing may go through, says why, and keeps the record.

pub mod app;
pub mod audit;
pub mod bundle;
pub mod cli;
pub mod config;
pub mod documents;
pub mod domain;
pub mod drift;
pub mod engine;
pub mod gather;
pub mod grpc;
pub mod http;
pub mod learn;
pub mod predict;
pub mod release;
pub mod store;
pub mod telemetry;
pub mod trial;
#[expect(
    clippy::allow_attributes_without_reason,
    clippy::large_enum_variant,
    clippy::too_many_lines,
    reason = "generated: it looks as its generator likes"
)]
pub mod wire;
