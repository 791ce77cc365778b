//! From a recipe and data to a fitted version with its card, and from `models/` to models that serve.
//! The door to smartcore: it fits here and nowhere else, and never serves.

pub mod artefact;
pub mod card;
pub mod codes;
mod fit;
mod golden;
pub mod import;
pub mod library;
pub mod metrics;
mod publish;
pub mod recipe;
mod sample;
mod split;
pub mod train;
