//! YAML as analysts write it, within a budget and without surprises: one document, no anchors, aliases, merges
//! or tags, no key twice, and never an untyped value: `NO` stays a text and `0.40` keeps its digits.
//! Two ways in: `read` gives a tree with places for documents that report all their problems at once
//! (`shape`), `parse` fills a serde struct and reports the first. No files are opened here.

mod pitfalls;
mod scalar;
pub mod shape;
mod tree;
mod typed;

pub use scalar::{Literal, quoted};
pub use serde_yaml::Spanned;
pub use tree::{Content, Entry, Node, Scalar, Style, read};
pub use typed::{parse, place};

/// Bytes of one YAML file.
pub const LARGEST_FILE: usize = 16 * 1024 * 1024;
/// Lists, maps and scalars in one file.
pub const MOST_NODES: usize = 500_000;
/// Lists and maps inside each other.
pub const DEEPEST: usize = 24;

/// Every code of this room with what it means, for the documentation and the test that compares them.
pub const CODES: &[(&str, &str)] = &[
    ("Y001", "this is not YAML"),
    ("Y002", "a character that may not stand in a file: NUL, another control character or a bidi control"),
    ("Y003", "a tab where YAML wants spaces"),
    ("Y004", "an anchor, alias or merge key"),
    ("Y005", "a tag"),
    ("Y006", "too large, too deep or too many values"),
    ("Y007", "more than one document in a file"),
    ("Y008", "a key stands twice in one map"),
    ("Y009", "an unknown key"),
    ("Y010", "a key is missing"),
    ("Y011", "a value of another type than expected"),
    ("Y012", "`.nan` or `.inf`"),
    ("Y013", "a value that YAML readers disagree about, such as `0777`, `1_000` or `1,000`"),
    ("Y014", "a comment that would cut a condition or formula short"),
    ("Y015", "an empty file"),
];
