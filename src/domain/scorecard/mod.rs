//! A compiled scorecard: base points, and bins in the order that they are tried. Where a characteristic's value comes
//! from and what the points become is `flow::scorecards`'.

use super::place::Place;
use super::table::{Source, Test};
use super::value::{Kind, Name, Value};

/// Points for what each characteristic is.
#[derive(Debug, Clone)]
pub struct Scorecard {
    pub name: Name,
    pub base_points: i64,
    /// What the call hands over.
    pub takes: Vec<(Name, Kind)>,
    pub characteristics: Vec<Characteristic>,
}

/// One input, feature or handed-over value, and the points for what it is.
#[derive(Debug, Clone)]
pub struct Characteristic {
    pub name: Name,
    pub source: Source,
    pub kind: Kind,
    /// The value may be missing: only a bin `missing: true` takes it then.
    pub may_be_missing: bool,
    /// The first that matches gives its points.
    pub bins: Vec<Bin>,
    /// Where it is named.
    pub place: Place,
}

#[derive(Debug, Clone)]
pub struct Bin {
    /// `None`: `otherwise`, for everything that is given.
    pub test: Option<Test>,
    pub points: i64,
    pub reason: Option<Name>,
    pub place: Place,
}

impl Characteristic {
    /// The first bin that takes this value, by its place.
    #[must_use]
    pub fn bin(&self, value: &Value) -> Option<(usize, &Bin)> {
        self.bins.iter().enumerate().find(|(_, bin)| match &bin.test {
            Some(test) => test.matches(value),
            None => !matches!(value, Value::Missing),
        })
    }

    /// Points of the best bin.
    #[must_use]
    pub fn best(&self) -> i64 {
        self.bins.iter().map(|bin| bin.points).max().unwrap_or_default()
    }
}
