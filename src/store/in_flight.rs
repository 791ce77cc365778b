//! Concurrent requests under one idempotency key, within this process: one goes, the others wait for it, in
//! order. Absent: any memory of a key once nobody holds it; that is the log's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::row::KeyHolder;

type KeyName = (Arc<str>, Arc<str>, Arc<str>);
type Lane = Arc<tokio::sync::Mutex<Option<KeyHolder>>>;

/// The keys that are being decided now.
#[derive(Debug, Clone, Default)]
pub struct InFlight {
    lanes: Arc<Mutex<HashMap<KeyName, Lane>>>,
}

/// The right to decide under a key. Dropping it, for whatever reason, lets the next one go.
#[derive(Debug)]
pub struct KeyGuard {
    guard: Option<OwnedMutexGuard<Option<KeyHolder>>>,
    seat: Option<Seat>,
}

/// Keeps a lane in the map while anybody waits in it or holds it.
#[derive(Debug)]
struct Seat {
    name: KeyName,
    lane: Option<Lane>,
    in_flight: InFlight,
}

impl InFlight {
    /// Waits for one's turn under this key. A caller that goes away while waiting leaves the line.
    pub async fn enter(&self, caller: &str, flow: &str, key: &str) -> KeyGuard {
        let name: KeyName = (caller.into(), flow.into(), key.into());
        let lane = {
            let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lanes.entry(name.clone()).or_default())
        };
        let seat = Seat { name, lane: Some(Arc::clone(&lane)), in_flight: self.clone() };
        let guard = lane.lock_owned().await;
        KeyGuard { guard: Some(guard), seat: Some(seat) }
    }

    /// Keys that somebody holds or waits for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl KeyGuard {
    /// What an earlier holder of this lane left: saves those behind it the look-up.
    #[must_use]
    pub fn known(&self) -> Option<KeyHolder> {
        self.guard.as_ref().and_then(|guard| **guard)
    }

    /// Tells those who wait behind which decision the key stands for.
    pub fn leave_word(&mut self, holder: KeyHolder) {
        if let Some(guard) = self.guard.as_mut() {
            **guard = Some(holder);
        }
    }
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        // The lane first, so that the seat sees how many are left.
        self.guard.take();
        self.seat.take();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut lanes = self.in_flight.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        self.lane.take();
        // Every other seat holds the lane too, and is counted under this lock.
        if lanes.get(&self.name).is_some_and(|lane| Arc::strong_count(lane) == 1) {
            lanes.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use uuid::Uuid;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_a_thousand_under_one_key_one_goes_at_a_time_and_nothing_stays_behind() {
        let in_flight = InFlight::default();
        let (inside, decided) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = Vec::new();
        for _ in 0..1000 {
            let (in_flight, inside, decided) = (in_flight.clone(), Arc::clone(&inside), Arc::clone(&decided));
            tasks.push(tokio::spawn(async move {
                let mut guard = in_flight.enter("shop", "loan", "k").await;
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                // What is decided stands in the log, which the next one looks into.
                if guard.known().is_none() && decided.load(Ordering::SeqCst) == 0 {
                    tokio::task::yield_now().await;
                    decided.fetch_add(1, Ordering::SeqCst);
                    guard.leave_word(KeyHolder { request_digest: [0; 32], decision_id: Uuid::nil() });
                }
                inside.fetch_sub(1, Ordering::SeqCst);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(decided.load(Ordering::SeqCst), 1);
        assert!(in_flight.is_empty());
    }

    #[tokio::test]
    async fn a_leader_that_fails_or_goes_away_lets_the_next_one_lead() {
        let in_flight = InFlight::default();
        let first = in_flight.enter("shop", "loan", "k").await;
        let waiting = tokio::spawn({
            let in_flight = in_flight.clone();
            async move { in_flight.enter("shop", "loan", "k").await.known() }
        });
        let cancelled = tokio::spawn({
            let in_flight = in_flight.clone();
            async move { in_flight.enter("shop", "loan", "k").await.known() }
        });
        tokio::task::yield_now().await;
        cancelled.abort();
        let _ = cancelled.await;
        drop(first);
        assert_eq!(waiting.await.unwrap(), None);
        assert!(in_flight.is_empty());
    }

    #[tokio::test]
    async fn other_callers_flows_and_keys_do_not_wait() {
        let in_flight = InFlight::default();
        let _held = in_flight.enter("shop", "loan", "k").await;
        for (caller, flow, key) in [("other", "loan", "k"), ("shop", "card", "k"), ("shop", "loan", "l")] {
            in_flight.enter(caller, flow, key).await;
        }
        assert_eq!(in_flight.len(), 1);
    }
}
