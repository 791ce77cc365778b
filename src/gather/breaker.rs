//! A circuit breaker: when most answers of a model fail, none is awaited for a while, and then a few are let through
//! to try. Counts only; what a failure is, its caller knows.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

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
struct State {
    phase: Phase,
    /// Counts the phases.
    number: u64,
}

#[derive(Debug)]
enum Phase {
    Closed(VecDeque<Step>),
    Open {
        until: Instant,
    },
    /// One answer is awaited to see whether it closes again; from `again`, another.
    Trying {
        since: Instant,
        again: Instant,
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

/// Leave to await one answer. What comes of it counts in the phase in which it was given: an answer that was awaited
/// before the breaker opened neither closes it nor ends another's trial. Dropped without a result, it says nothing.
#[derive(Debug)]
#[must_use]
pub(super) struct Permit {
    breaker: Arc<Breaker>,
    /// The phase's number.
    given_in: u64,
}

impl Breaker {
    pub fn new(settings: Option<Settings>) -> Self {
        Self { settings, state: Mutex::new(State { phase: Phase::Closed(VecDeque::new()), number: 0 }) }
    }

    /// Whether an answer may be awaited now.
    pub fn admit(self: &Arc<Self>, now: Instant) -> Option<Permit> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (&state.phase, &self.settings) {
            (Phase::Closed(_), _) | (_, None) => {}
            (Phase::Open { until: again } | Phase::Trying { again, .. }, Some(settings)) => {
                if now < *again {
                    return None;
                }
                state.turn(Phase::Trying { since: now, again: now + settings.pause });
            }
        }
        Some(Permit { breaker: Arc::clone(self), given_in: state.number })
    }
}

impl Permit {
    /// The answer that was awaited came, or did not.
    pub fn settle(self, succeeded: bool, now: Instant) -> Turn {
        let Some(settings) = &self.breaker.settings else { return Turn::None };
        let mut state = self.breaker.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.number != self.given_in {
            return Turn::None;
        }
        match &mut state.phase {
            Phase::Closed(steps) => {
                if !is_reached(steps, settings, succeeded, now) {
                    return Turn::None;
                }
                state.turn(Phase::Open { until: now + settings.pause });
                Turn::Opened
            }
            Phase::Trying { .. } if succeeded => {
                state.turn(Phase::Closed(VecDeque::new()));
                Turn::Closed
            }
            Phase::Trying { .. } => {
                state.turn(Phase::Open { until: now + settings.pause });
                Turn::None
            }
            // No permit is given in it.
            Phase::Open { .. } => Turn::None,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.breaker.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits for the trial's answer any more, and the next one may try at once. A trial that has been settled
        // was of an earlier phase.
        if let (Phase::Trying { since, .. }, true) = (&state.phase, state.number == self.given_in) {
            let until = *since;
            state.turn(Phase::Open { until });
        }
    }
}

impl State {
    fn turn(&mut self, phase: Phase) {
        self.phase = phase;
        self.number += 1;
    }
}

/// Adds one result to the window: whether most have failed now.
fn is_reached(steps: &mut VecDeque<Step>, settings: &Settings, succeeded: bool, now: Instant) -> bool {
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
    calls >= u64::from(settings.calls) && failures * 100 >= u64::from(settings.failures_percent) * calls
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

    fn breaker() -> Arc<Breaker> {
        let (within, pause) = (Duration::from_secs(10), Duration::from_secs(5));
        Arc::new(Breaker::new(Some(Settings { failures_percent: 50, calls: 4, within, pause })))
    }

    fn record(breaker: &Arc<Breaker>, succeeded: bool, now: Instant) -> Turn {
        breaker.admit(now).unwrap().settle(succeeded, now)
    }

    #[test]
    fn it_opens_when_half_fail_tries_once_and_closes_with_the_first_success() {
        let (breaker, start) = (breaker(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        for ms in [0, 10, 20] {
            assert_eq!(record(&breaker, ms == 0, at(ms)), Turn::None, "three are too few to tell");
        }
        assert_eq!(record(&breaker, true, at(30)), Turn::Opened, "two of four");
        assert!(breaker.admit(at(4000)).is_none());
        let trial = breaker.admit(at(5100)).expect("one may try");
        assert!(breaker.admit(at(5200)).is_none(), "and only one");
        assert_eq!(trial.settle(false, at(5300)), Turn::None);
        assert!(breaker.admit(at(10_200)).is_none(), "it failed, so the pause begins again");
        assert_eq!(record(&breaker, true, at(10_400)), Turn::Closed);
        let several = [breaker.admit(at(10_600)), breaker.admit(at(10_600))];
        assert!(several.iter().all(Option::is_some));
    }

    #[test]
    fn what_is_long_past_is_forgotten_and_an_abandoned_try_lets_the_next_one_try() {
        let (breaker, start) = (breaker(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        for ms in [0, 1, 2] {
            record(&breaker, false, at(ms));
        }
        assert_eq!(record(&breaker, true, at(11_000)), Turn::None, "the failures are out of the window");
        for ms in [11_001, 11_002] {
            record(&breaker, false, at(ms));
        }
        assert_eq!(record(&breaker, false, at(11_003)), Turn::Opened);
        drop(breaker.admit(at(16_100)).unwrap());
        assert!(breaker.admit(at(16_200)).is_some());
    }

    #[test]
    fn an_answer_from_before_it_opened_neither_closes_it_nor_ends_the_trial_of_another() {
        let (breaker, start) = (breaker(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let mut early: Vec<Permit> = (0..5).map(|_| breaker.admit(at(0)).unwrap()).collect();
        for ms in 0..4 {
            record(&breaker, false, at(ms));
        }
        let settle = |permit: Option<Permit>, succeeded, ms| permit.unwrap().settle(succeeded, at(ms));
        assert_eq!(settle(early.pop(), true, 100), Turn::None, "it is open");
        let trial = breaker.admit(at(5100)).unwrap();
        assert_eq!(settle(early.pop(), true, 5101), Turn::None, "not the trial's success");
        assert!(breaker.admit(at(5102)).is_none());
        assert_eq!(settle(early.pop(), false, 5103), Turn::None);
        drop(early.pop());
        assert!(breaker.admit(at(5104)).is_none(), "the trial goes on, and it is not another's turn");

        // The trial takes longer than the pause, so another begins: its result counts, the older one's does not.
        let second = breaker.admit(at(10_200)).unwrap();
        assert_eq!(trial.settle(true, at(10_201)), Turn::None);
        assert!(breaker.admit(at(10_202)).is_none());
        assert_eq!(second.settle(true, at(10_203)), Turn::Closed);
        for ms in 10_204..10_207 {
            assert_eq!(record(&breaker, false, at(ms)), Turn::None);
        }
        assert_eq!(settle(early.pop(), false, 10_208), Turn::None, "what is long past is no fourth failure");
    }

    #[test]
    fn without_settings_it_never_opens() {
        let (breaker, now) = (Arc::new(Breaker::new(None)), Instant::now());
        for _ in 0..1000 {
            assert_eq!(record(&breaker, false, now), Turn::None);
        }
        assert!(breaker.admit(now).is_some());
    }
}
