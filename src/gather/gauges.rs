//! What the gauges say of models on other servers. A version of a model may have several pools for a while: a file
//! changed, or one flow keeps its last good form. They are told of together, and only those that something in force
//! asks. Absent: counters, which need no such care.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::value::Name;

/// What all pools show.
#[derive(Debug, Default)]
pub(super) struct Gauges(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    next: u64,
    lines: BTreeMap<u64, Line>,
}

/// A model and the version that is asked for; without one, the servers choose.
type Key = (Name, Option<String>);

/// What one pool shows.
#[derive(Debug)]
struct Line {
    key: Key,
    is_in_force: bool,
    servers: Servers,
    is_open: bool,
}

/// How many servers stand how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Servers {
    pub asked: usize,
    pub unready: usize,
    pub ejected: usize,
}

/// All lines of one key that are in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Shown {
    is_in_force: bool,
    servers: Servers,
    is_open: bool,
}

impl Gauges {
    /// Begins the line of a pool that nothing in force names yet.
    pub fn begin(self: &Arc<Self>, model: Name, version: Option<String>) -> Gauge {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = all.next;
        all.next += 1;
        let line =
            Line { key: (model, version), is_in_force: false, servers: Servers::default(), is_open: false };
        all.lines.insert(number, line);
        Gauge { gauges: Arc::clone(self), number }
    }

    /// From now on these are in force, and no others.
    pub fn put_in_force<'g>(&self, gauges: impl IntoIterator<Item = &'g Gauge>) {
        let numbers: Vec<u64> = gauges.into_iter().map(|gauge| gauge.number).collect();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::new();
        for (number, line) in &mut all.lines {
            let is_in_force = numbers.contains(number);
            if std::mem::replace(&mut line.is_in_force, is_in_force) != is_in_force {
                changed.push(line.key.clone());
            }
        }
        changed.iter().for_each(|key| all.publish(key));
    }
}

/// The line of one pool; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Gauge {
    gauges: Arc<Gauges>,
    number: u64,
}

impl Gauge {
    pub fn servers(&self, servers: Servers) {
        self.change(|line| line.servers = servers);
    }

    pub fn breaker(&self, is_open: bool) {
        self.change(|line| line.is_open = is_open);
    }

    pub fn is_in_force(&self) -> bool {
        let all = self.gauges.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.lines.get(&self.number).is_some_and(|line| line.is_in_force)
    }

    fn change(&self, change: impl FnOnce(&mut Line)) {
        let mut all = self.gauges.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = all.lines.get_mut(&self.number) else { return };
        change(line);
        if line.is_in_force {
            let key = line.key.clone();
            all.publish(&key);
        }
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        let mut all = self.gauges.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = all.lines.remove(&self.number).filter(|line| line.is_in_force) {
            all.publish(&line.key);
        }
    }
}

impl Lines {
    fn shown(&self, key: &Key) -> Shown {
        let in_force = self.lines.values().filter(|line| line.is_in_force && line.key == *key);
        in_force.fold(Shown::default(), |so_far, line| Shown {
            is_in_force: true,
            servers: Servers {
                asked: so_far.servers.asked + line.servers.asked,
                unready: so_far.servers.unready + line.servers.unready,
                ejected: so_far.servers.ejected + line.servers.ejected,
            },
            is_open: so_far.is_open || line.is_open,
        })
    }

    /// Under the lock, so that the last to change is the last to tell.
    fn publish(&self, key: &Key) {
        let shown = self.shown(key);
        let (model, version) = (key.0.to_string(), key.1.clone().unwrap_or_default());
        let labels = [("model", model.clone()), ("version", version.clone())];
        let yes_or_no = |yes: bool| f64::from(u8::from(yes));
        metrics::gauge!("tollgate_remote_in_force", &labels).set(yes_or_no(shown.is_in_force));
        metrics::gauge!("tollgate_remote_breaker_open", &labels).set(yes_or_no(shown.is_open));
        let Servers { asked, unready, ejected } = shown.servers;
        for (state, count) in [("asked", asked), ("unready", unready), ("ejected", ejected)] {
            let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            let (model, version) = (model.clone(), version.clone());
            metrics::gauge!("tollgate_remote_servers", "model" => model, "version" => version, "state" => state)
                .set(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_of_one_version_are_told_of_together_and_only_while_they_are_in_force() {
        let gauges = Arc::new(Gauges::default());
        let begin = |version: &str| gauges.begin(Name::from("fraud"), Some(version.to_owned()));
        let shown = |version: &str| {
            let shown = gauges.0.lock().unwrap().shown(&(Name::from("fraud"), Some(version.to_owned())));
            (shown.is_in_force, shown.servers.asked, shown.is_open)
        };
        let (old, next) = (begin("3"), begin("4"));
        old.servers(Servers { asked: 2, ..Servers::default() });
        assert_eq!(shown("3"), (false, 0, false), "nothing asks it yet");
        gauges.put_in_force([&old, &next]);
        old.breaker(true);
        assert_eq!((shown("3"), shown("4")), ((true, 2, true), (true, 0, false)), "each version by itself");

        // Its file changed, and one flow keeps the old one.
        let new = begin("3");
        new.servers(Servers { asked: 1, ..Servers::default() });
        gauges.put_in_force([&old, &new, &next]);
        assert_eq!(shown("3"), (true, 3, true));
        gauges.put_in_force([&new, &next]);
        assert_eq!((shown("3"), old.is_in_force()), ((true, 1, false), false));
        old.servers(Servers { asked: 7, ..Servers::default() });
        assert_eq!(shown("3"), (true, 1, false), "what is replaced says no more");
        drop((old, new));
        assert_eq!((shown("3"), shown("4")), ((false, 0, false), (true, 0, false)));
    }
}
