//! How long and how often another server is tried, and when it is left alone: read from `remote.yaml`, with what is
//! right for most where it does not say.

use std::time::Duration;

use super::number;
use crate::documents::yaml::shape::{Keys, Shape};
use crate::documents::yaml::{Content, Node};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::model::remote::{Breaker, Ejection, Health, Retries};
use crate::learn::codes;

pub(super) const MOST_SERVERS: usize = 256;

pub(super) struct Limits {
    pub deadline: Duration,
    pub attempt: Duration,
    pub retries: Retries,
    pub most_at_once: u32,
    pub health: Option<Health>,
    pub ejection: Option<Ejection>,
    pub breaker: Option<Breaker>,
}

const DEADLINE_MS: u64 = 500;
const LONGEST_MS: u64 = 60_000;

pub(super) fn read(shape: &mut Shape<'_>, keys: &mut Keys<'_>) -> Limits {
    let deadline_ms = number(shape, keys.optional("deadline_ms"), (1, LONGEST_MS), DEADLINE_MS);
    let attempt = keys.optional("attempt_ms");
    // So that there is time for a second try.
    let attempt_ms = number(shape, attempt, (1, LONGEST_MS), (deadline_ms / 2).max(1));
    if let Some(attempt) = attempt.filter(|_| attempt_ms > deadline_ms) {
        let message = format!("one try may not last longer than all together, {deadline_ms} ms");
        let help = "shorten `attempt_ms`, or lengthen `deadline_ms`";
        shape.report(Diagnostic::error(codes::REMOTE_LIMIT, attempt.place, message).help(help));
    }
    let most_at_once = number(shape, keys.optional("most_at_once"), (1, 100_000), 256);
    Limits {
        deadline: Duration::from_millis(deadline_ms),
        attempt: Duration::from_millis(attempt_ms),
        retries: keys.optional("retries").map_or_else(usual_retries, |node| retries(shape, node)),
        most_at_once: narrow(most_at_once),
        health: unless_off(shape, keys.optional("health"), health),
        ejection: unless_off(shape, keys.optional("ejection"), ejection),
        breaker: unless_off(shape, keys.optional("breaker"), breaker),
    }
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// `off`, or what is read from a map; nothing written is an empty map.
fn unless_off<T>(
    shape: &mut Shape<'_>,
    node: Option<&Node>,
    read: impl Fn(&mut Shape<'_>, Option<Keys<'_>>) -> T,
) -> Option<T> {
    match node {
        None => Some(read(shape, None)),
        Some(node) if matches!(node.content, Content::Scalar(_)) => {
            shape.word(node, &[("off", ())]);
            None
        }
        Some(node) => {
            let keys = shape.keys(node, "this part of `remote.yaml`");
            Some(read(shape, keys))
        }
    }
}

fn asked<'n>(keys: &mut Option<Keys<'n>>, key: &'static str) -> Option<&'n Node> {
    keys.as_mut().and_then(|keys| keys.optional(key))
}

fn finish(shape: &mut Shape<'_>, keys: Option<Keys<'_>>) {
    if let Some(keys) = keys {
        keys.finish(shape);
    }
}

fn usual_retries() -> Retries {
    Retries { most: 2, percent: 20, always_per_s: 10 }
}

fn retries(shape: &mut Shape<'_>, node: &Node) -> Retries {
    if let Content::Scalar(_) = node.content {
        shape.word(node, &[("off", ())]);
        return Retries { most: 0, percent: 0, always_per_s: 0 };
    }
    let usual = usual_retries();
    let mut keys = shape.keys(node, "`retries`");
    let most = number(shape, asked(&mut keys, "most"), (0, 10), usual.most.into());
    let percent = number(shape, asked(&mut keys, "percent"), (0, 1000), usual.percent.into());
    let always = number(shape, asked(&mut keys, "always_per_s"), (0, 10_000), usual.always_per_s.into());
    finish(shape, keys);
    Retries { most: narrow(most), percent: narrow(percent), always_per_s: narrow(always) }
}

fn health(shape: &mut Shape<'_>, mut keys: Option<Keys<'_>>) -> Health {
    let every = number(shape, asked(&mut keys, "every_ms"), (50, 600_000), 2000);
    let within = number(shape, asked(&mut keys, "within_ms"), (1, LONGEST_MS), 1000);
    let after = number(shape, asked(&mut keys, "after"), (1, 100), 2);
    finish(shape, keys);
    Health {
        every: Duration::from_millis(every),
        within: Duration::from_millis(within),
        after: narrow(after),
    }
}

fn ejection(shape: &mut Shape<'_>, mut keys: Option<Keys<'_>>) -> Ejection {
    let after = number(shape, asked(&mut keys, "after"), (1, 1000), 5);
    let pause = number(shape, asked(&mut keys, "pause_ms"), (50, 3_600_000), 10_000);
    let most = number(shape, asked(&mut keys, "most_percent"), (1, 100), 50);
    finish(shape, keys);
    Ejection { after: narrow(after), pause: Duration::from_millis(pause), most_percent: narrow(most) }
}

fn breaker(shape: &mut Shape<'_>, mut keys: Option<Keys<'_>>) -> Breaker {
    let percent = number(shape, asked(&mut keys, "failures_percent"), (1, 100), 50);
    let calls = number(shape, asked(&mut keys, "calls"), (1, 100_000), 20);
    let within = number(shape, asked(&mut keys, "within_ms"), (100, 600_000), 10_000);
    let pause = number(shape, asked(&mut keys, "pause_ms"), (50, 3_600_000), 5_000);
    finish(shape, keys);
    Breaker {
        failures_percent: narrow(percent),
        calls: narrow(calls),
        within: Duration::from_millis(within),
        pause: Duration::from_millis(pause),
    }
}
