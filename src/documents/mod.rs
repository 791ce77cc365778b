//! Files and bodies as they were written: YAML, JSON and long files of rows parsed within a budget, with the place of every word,
//! and the findings in them shown to people and to programs. No meaning: what a flow or a recipe *is* belongs to
//! the rooms above.

pub mod annotations;
pub mod archive;
pub mod definitions;
pub mod difference;
pub mod findings;
pub mod grid;
pub mod html;
pub mod json;
pub mod outline;
pub mod pages;
pub mod rows;
pub mod sarif;
pub mod schema;
mod source;
pub mod table;
pub mod yaml;

pub use source::{Position, Source};
