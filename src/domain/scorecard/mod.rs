//! A compiled scorecard: base points, and bins in the order that they are tried.

use crate::domain::value::Name;

/// Points for what each characteristic is.
#[derive(Debug, Clone)]
pub struct Scorecard {
    pub name: Name,
}
