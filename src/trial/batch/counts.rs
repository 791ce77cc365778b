//! How many rows, and how many of them are known to have turned out good or bad.

use serde::Serialize;

/// Rows, and those of a known label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub rows: u64,
    pub good: u64,
    pub bad: u64,
}

impl Counts {
    pub(super) fn add(&mut self, is_bad: Option<bool>) {
        self.rows += 1;
        match is_bad {
            Some(true) => self.bad += 1,
            Some(false) => self.good += 1,
            None => {}
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.good += other.good;
        self.bad += other.bad;
    }

    /// Share of the bad among those of a known label; `None` when there are none.
    #[must_use]
    pub fn bad_rate(self) -> Option<f64> {
        let known = self.good + self.bad;
        (known > 0).then(|| self.bad as f64 / known as f64)
    }

    /// Of so many rows.
    #[must_use]
    pub fn share(self, of: u64) -> f64 {
        if of == 0 { 0.0 } else { self.rows as f64 / of as f64 }
    }
}
