//! The integration tests, one binary: the real application over real HTTP, the real program, the real store on real
//! SQLite files and a real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod access;
mod app;
mod batch;
mod batches;
mod cases;
mod central;
mod checking;
mod ci;
mod commands;
mod crashes;
mod decisions;
mod deploying;
mod drift;
mod explaining;
mod grpc;
mod grpc_bounds;
mod grpc_flows;
mod grpc_models;
mod grpc_samples;
mod hostile;
mod idempotency;
mod imported_drift;
mod inputs;
mod markets;
mod masking;
mod meanings;
mod model_bounds;
mod model_clients;
mod model_doors;
mod model_pages;
mod model_switches;
mod models;
mod mutants;
mod needs;
mod needs_log;
mod nginx;
mod postgres;
mod reloads;
mod remote_models;
mod sample_flows;
mod samples;
mod shipping;
mod store;
mod testing;
