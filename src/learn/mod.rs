//! From a recipe and data to a fitted version with its card, and from `models/` to models that serve.
//! The door to smartcore: it fits here and nowhere else, and never serves.

pub mod answers;
pub mod artefact;
mod candidate;
pub mod card;
mod choose;
pub mod codes;
pub mod compare;
mod curves;
mod derive;
mod fit;
mod golden;
pub mod groups;
pub mod import;
mod importance;
pub mod library;
pub mod metrics;
pub mod promote;
mod publish;
pub mod recipe;
pub mod reference;
pub mod remeasure;
mod sample;
mod scorecard;
mod split;
mod splitmix;
pub mod train;
pub mod verify;

pub use splitmix::SplitMix64;
