//! A circuit breaker: when most answers of a model fail, none is awaited for a while, and then a few are let through
//! to try. Counts only; what a failure is, its caller knows.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::domain::model::remote::Breaker as Settings;

/// The window moves on in so many steps.
const STEPS: u32 = 10;

#[derive(Debug)]
pub(super) struct Breaker {
    settings: Option<Settings>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed(VecDeque<Step>),
    Open {
        since: Instant,
    },
    /// One answer is awaited to see whether it closes again.
    Trying {
        since: Instant,
    },
}

/// What happened in one step of the window.
#[derive(Debug, Clone, Copy)]
struct Step {
    began: Instant,
    calls: u32,
    failures: u32,
}

/// What a result did to the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    None,
    Opened,
    Closed,
}

impl Breaker {
    pub fn new(settings: Option<Settings>) -> Self {
        Self { settings, state: Mutex::new(State::Closed(VecDeque::new())) }
    }

    /// Whether an answer may be awaited now; each that may is followed by one `record` or `forget`.
    pub fn admits(&self, now: Instant) -> bool {
        let Some(settings) = &self.settings else { return true };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Closed(_) => true,
            State::Open { since } | State::Trying { since } => {
                let may_try = now.duration_since(*since) >= settings.pause;
                if may_try {
                    *state = State::Trying { since: now };
                }
                may_try
            }
        }
    }

    pub fn record(&self, succeeded: bool, now: Instant) -> Turn {
        let Some(settings) = &self.settings else { return Turn::None };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Closed(steps) => {
                let width = settings.within / STEPS;
                match steps.back_mut().filter(|step| now.duration_since(step.began) < width) {
                    Some(step) => step.add(succeeded),
                    None => {
                        let mut step = Step { began: now, calls: 0, failures: 0 };
                        step.add(succeeded);
                        steps.push_back(step);
                    }
                }
                steps.retain(|step| now.duration_since(step.began) < settings.within);
                let (calls, failures) = steps.iter().fold((0_u64, 0_u64), |(calls, failures), step| {
                    (calls + u64::from(step.calls), failures + u64::from(step.failures))
                });
                let limit = u64::from(settings.failures_percent);
                if calls < u64::from(settings.calls) || failures * 100 < limit * calls {
                    return Turn::None;
                }
                *state = State::Open { since: now };
                Turn::Opened
            }
            State::Trying { .. } if succeeded => {
                *state = State::Closed(VecDeque::new());
                Turn::Closed
            }
            State::Trying { .. } => {
                *state = State::Open { since: now };
                Turn::None
            }
            // An answer that was awaited when it opened.
            State::Open { .. } => Turn::None,
        }
    }

    /// Nobody waits for the answer any more: it says nothing.
    pub fn forget(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Trying { since } = *state {
            // The next one may try at once.
            let pause = self.settings.map(|settings| settings.pause).unwrap_or_default();
            *state = State::Open { since: since.checked_sub(pause).unwrap_or(since) };
        }
    }
}

impl Step {
    fn add(&mut self, succeeded: bool) {
        self.calls += 1;
        self.failures += u32::from(!succeeded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn breaker() -> Breaker {
        let (within, pause) = (Duration::from_secs(10), Duration::from_secs(5));
        Breaker::new(Some(Settings { failures_percent: 50, calls: 4, within, pause }))
    }

    #[test]
    fn it_opens_when_half_fail_tries_once_and_closes_with_the_first_success() {
        let (breaker, start) = (breaker(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        for ms in [0, 10, 20] {
            assert!(breaker.admits(at(ms)));
            assert_eq!(breaker.record(ms == 0, at(ms)), Turn::None, "three are too few to tell");
        }
        assert_eq!(breaker.record(true, at(30)), Turn::Opened, "two of four");
        assert!(!breaker.admits(at(4000)));
        assert!(breaker.admits(at(5100)), "one may try");
        assert!(!breaker.admits(at(5200)), "and only one");
        assert_eq!(breaker.record(false, at(5300)), Turn::None);
        assert!(!breaker.admits(at(10_000)), "it failed, so the pause begins again");
        assert!(breaker.admits(at(10_400)));
        assert_eq!(breaker.record(true, at(10_500)), Turn::Closed);
        assert!(breaker.admits(at(10_600)) && breaker.admits(at(10_600)));
    }

    #[test]
    fn what_is_long_past_is_forgotten_and_an_abandoned_try_lets_the_next_one_try() {
        let (breaker, start) = (breaker(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        for ms in [0, 1, 2] {
            breaker.record(false, at(ms));
        }
        assert_eq!(breaker.record(true, at(11_000)), Turn::None, "the failures are out of the window");
        for ms in [11_001, 11_002] {
            breaker.record(false, at(ms));
        }
        assert_eq!(breaker.record(false, at(11_003)), Turn::Opened);
        assert!(breaker.admits(at(16_100)));
        breaker.forget();
        assert!(breaker.admits(at(16_200)));
    }

    #[test]
    fn without_settings_it_never_opens() {
        let (breaker, now) = (Breaker::new(None), Instant::now());
        for _ in 0..1000 {
            assert_eq!(breaker.record(false, now), Turn::None);
        }
        assert!(breaker.admits(now));
    }
}
