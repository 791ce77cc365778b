//! An explanation as people and programs read it: a tree for the terminal, JSON. Absent on purpose: drawing it up (the
//! domain's).

mod json;
mod tree;

pub use json::{json, value as value_json};
pub use tree::{Shades, tree, why_not as why_not_text};
