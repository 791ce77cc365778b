//! One thing wrong with a request, and where. Absent: what an answer says of all of them together.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// Where in a request something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// JSON pointer into the body.
    Pointer(String),
    /// Name in the query.
    Query(String),
    Header(&'static str),
    /// Name of an entry of the archive that was sent.
    Entry(String),
}

/// One thing wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub at: At,
    pub code: &'static str,
    pub detail: String,
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        match &self.at {
            At::Pointer(pointer) => map.serialize_entry("pointer", pointer)?,
            At::Query(name) => map.serialize_entry("parameter", name)?,
            At::Header(name) => map.serialize_entry("header", name)?,
            At::Entry(name) => map.serialize_entry("entry", name)?,
        }
        map.serialize_entry("code", self.code)?;
        map.serialize_entry("detail", &self.detail)?;
        map.end()
    }
}
