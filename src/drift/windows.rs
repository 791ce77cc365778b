//! What was counted by the hour and by the day, in UTC, in bounded memory: one hour that runs, the last one, and sums.
//! Who counts takes a pointer to the hour that runs and never waits; whoever first comes in a new hour switches it.
//! Absent on purpose: a clock. Every call says what time it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use jiff::{SignedDuration, Timestamp};

use super::layout::Layout;
use super::tally::{Counts, Tally};

const HOUR: i64 = 3600;
const HOURS_OF_A_DAY: i64 = 24;
/// Days that are kept: the one that runs and the last.
const DAYS: usize = 2;
/// Seconds that a time may lie before the hour that runs and still be counted in it: who looked at the clock just
/// before the border comes a little later. A clock that is further behind was set back.
const LATE: i64 = 60;

/// Which part of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The hour that runs.
    Hour,
    LastHour,
    /// The day that runs.
    Day,
    LastDay,
}

impl Window {
    pub const ALL: [Self; 4] = [Self::Hour, Self::LastHour, Self::Day, Self::LastDay];

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::LastHour => "last_hour",
            Self::Day => "day",
            Self::LastDay => "last_day",
        }
    }

    #[must_use]
    pub fn called(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.word() == word)
    }

    /// From when on, and until before when, at this time.
    #[must_use]
    pub fn span(self, now: Timestamp) -> (Timestamp, Timestamp) {
        let hours = match self {
            Self::Hour | Self::LastHour => 1,
            Self::Day | Self::LastDay => HOURS_OF_A_DAY,
        };
        let back = i64::from(matches!(self, Self::LastHour | Self::LastDay));
        let first = (hour_of(now).div_euclid(hours) - back) * hours;
        (begins(first), begins(first + hours))
    }
}

/// Counts of one version.
#[derive(Debug)]
pub(super) struct Windows {
    running: ArcSwap<Hour>,
    past: Mutex<Past>,
}

/// Hours are numbered from 1970 on.
#[derive(Debug)]
pub(super) struct Hour {
    number: i64,
    pub tally: Tally,
}

#[derive(Debug)]
struct Past {
    /// The hour before the one that runs, as it is: somebody who began to count in it may still be counting.
    last: Option<Arc<Hour>>,
    /// Sums of the hours before that one, by day.
    days: BTreeMap<i64, Counts>,
    /// All of them since the beginning.
    total: Counts,
}

impl Windows {
    pub(super) fn new(layout: &Layout, now: Timestamp) -> Self {
        let hour = Hour { number: hour_of(now), tally: Tally::new(layout) };
        let past = Past { last: None, days: BTreeMap::new(), total: Counts::none(layout) };
        Self { running: ArcSwap::from_pointee(hour), past: Mutex::new(past) }
    }

    /// The hour to count in.
    pub(super) fn hour(&self, layout: &Layout, now: Timestamp) -> Guard<Arc<Hour>> {
        let hour = self.running.load();
        if hour.takes(now) {
            return hour;
        }
        drop(hour);
        self.turn(layout, now);
        self.running.load()
    }

    /// Begins the hour of this time, if that is not done yet; a clock that was set back begins an earlier one.
    fn turn(&self, layout: &Layout, now: Timestamp) {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let (running, number) = (self.running.load_full(), hour_of(now));
        if running.takes(now) {
            return;
        }
        let coming = match past.last.replace(running) {
            // The clock went astray in this hour, and is back in it.
            Some(before) if before.number == number => before,
            before => {
                // Nobody counts in that one any more: a whole hour has passed since.
                before.iter().for_each(|before| past.sum_up(layout, before, number));
                Arc::new(Hour { number, tally: Tally::new(layout) })
            }
        };
        self.running.store(coming);
    }

    /// What was counted in a window that this time knows.
    pub(super) fn counts(&self, layout: &Layout, window: Window, now: Timestamp) -> Counts {
        self.turn(layout, now);
        let (from, to) = window.span(now);
        let hours = hour_of(from)..hour_of(to);
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let running = self.running.load_full();
        let mut counts = match (window, past.days.get(&hours.start.div_euclid(HOURS_OF_A_DAY))) {
            (Window::Day | Window::LastDay, Some(day)) => day.clone(),
            _ => Counts::none(layout),
        };
        let inside = [past.last.as_ref(), Some(&running)].into_iter().flatten();
        for hour in inside.filter(|hour| hours.contains(&hour.number)) {
            counts.add(&hour.tally.counts());
        }
        counts
    }

    /// Everything since the beginning.
    pub(super) fn total(&self) -> Counts {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = past.total.clone();
        let last = past.last.iter().map(|last| last.tally.counts());
        last.chain([self.running.load().tally.counts()]).for_each(|counts| total.add(&counts));
        total
    }
}

impl Hour {
    fn takes(&self, now: Timestamp) -> bool {
        let ahead = self.number.saturating_sub(hour_of(now));
        ahead == 0 || (ahead == 1 && HOUR - now.as_second().rem_euclid(HOUR) <= LATE)
    }
}

impl Past {
    /// Adds an hour to the sum of its day, as seen from the hour that runs.
    fn sum_up(&mut self, layout: &Layout, hour: &Hour, running: i64) {
        let counts = hour.tally.counts();
        self.total.add(&counts);
        let day = hour.number.div_euclid(HOURS_OF_A_DAY);
        self.days.entry(day).or_insert_with(|| Counts::none(layout)).add(&counts);
        while self.days.len() > DAYS {
            // A day that has not come yet was never one: the clock was wrong.
            let is_ahead =
                self.days.keys().next_back().is_some_and(|last| *last > running.div_euclid(HOURS_OF_A_DAY));
            let _gone = if is_ahead { self.days.pop_last() } else { self.days.pop_first() };
        }
    }
}

fn hour_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(HOUR)
}

fn begins(hour: i64) -> Timestamp {
    // Times beyond the calendar's end are its end.
    Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_hours(hour)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
