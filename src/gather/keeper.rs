//! Who of a model's servers is asked: looks their addresses up, checks their health, takes out those that fail answer
//! after answer, and puts them back. One task a model. Absent: asking on behalf of a decision.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tower::discover::Change;

use super::gauges::{self, Gauge};
use super::server::{Door, Marks, Server, Standing, Weighed};
use crate::domain::model::remote::{Ejection, Health, Remote, Servers};
use crate::domain::value::Name;

/// A name that could not be looked up is looked up again after this.
const AGAIN: Duration = Duration::from_secs(1);
/// A name server that takes longer is away.
const LOOK_UP: Duration = Duration::from_secs(2);
/// A pause grows with each ejection in a row, up to so many times the first.
const LONGEST_PAUSE: u32 = 10;

pub(super) type Changes = mpsc::UnboundedSender<Result<Change<Arc<str>, Weighed>, Infallible>>;

/// How many servers there are; before the first look-up nobody knows.
#[derive(Debug)]
pub(super) struct Count(AtomicUsize);

impl Count {
    pub fn unknown() -> Self {
        Self(AtomicUsize::new(usize::MAX))
    }

    /// It was looked, and there is none.
    pub fn is_none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// Looks after the servers until it is dropped.
#[derive(Debug)]
pub(super) struct Keeping(JoinHandle<()>);

impl Drop for Keeping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Begins to look after the servers of a model; `changes` leads to the balance, and the rest hears how many they are.
pub(super) fn keep(
    model: Name,
    remote: Arc<Remote>,
    changes: Changes,
    (count, gauge): (Arc<Count>, Arc<Gauge>),
) -> Keeping {
    let keeper = Keeper {
        key: key_of(&model, &remote),
        model,
        remote,
        changes,
        count,
        gauge,
        is_lost: false,
        changed: Arc::new(Notify::new()),
        servers: BTreeMap::new(),
        checks: JoinSet::new(),
    };
    Keeping(tokio::spawn(keeper.run()))
}

/// The key that the servers want, from the environment: no file holds one.
fn key_of(model: &Name, remote: &Remote) -> Option<String> {
    let variable = remote.key_from.as_ref()?;
    let key = std::env::var(variable).ok().filter(|key| !key.is_empty());
    if key.is_none() {
        tracing::warn!(model = &**model, variable, "the key that `key_from` names is not in the environment");
    }
    key
}

struct Keeper {
    model: Name,
    remote: Arc<Remote>,
    key: Option<String>,
    changes: Changes,
    count: Arc<Count>,
    gauge: Arc<Gauge>,
    /// Whether the servers' name could not be looked up the last time.
    is_lost: bool,
    changed: Arc<Notify>,
    servers: BTreeMap<Arc<str>, Kept>,
    checks: JoinSet<()>,
}

/// A server that is known.
struct Kept {
    server: Server,
    check: Option<tokio::task::AbortHandle>,
    is_in: bool,
}

impl Keeper {
    async fn run(mut self) {
        let mut look_up = Duration::ZERO;
        match &self.remote.servers {
            Servers::Listed(all) => {
                let all: Vec<_> = all.iter().map(|base| (base.clone(), None)).collect();
                self.known(all);
                look_up = Duration::MAX;
            }
            Servers::Named { .. } => {}
        }
        let mut looked = Instant::now();
        loop {
            if looked.elapsed() >= look_up {
                look_up = self.look_up().await;
                looked = Instant::now();
            }
            self.decide();
            let until_look_up = look_up.saturating_sub(looked.elapsed());
            let next = self.next_return().map_or(until_look_up, |next| next.min(until_look_up));
            tokio::select! {
                () = self.changed.notified() => {}
                // The clock of tokio has no end of time.
                () = sleep(next.min(Duration::from_secs(3600))) => {}
            }
        }
    }

    /// Asks for the addresses of the name; gives how long until the next time.
    async fn look_up(&mut self) -> Duration {
        let Servers::Named { at, every } = &self.remote.servers else { return Duration::MAX };
        let (at, every) = (at.clone(), *every);
        let (_, host) = at.split_once("://").unwrap_or(("http", &at));
        match timeout(LOOK_UP, tokio::net::lookup_host(host)).await {
            Ok(Ok(addresses)) => {
                self.known(addresses.map(|address| (at.clone(), Some(address))).collect());
                if std::mem::take(&mut self.is_lost) {
                    tracing::info!(model = &*self.model, "the servers' name can be looked up again");
                }
                every
            }
            Ok(Err(_)) | Err(_) => {
                // Those that are known go on: a name server that is away takes no model with it.
                if !std::mem::replace(&mut self.is_lost, true) {
                    tracing::warn!(model = &*self.model, "the servers' name cannot be looked up");
                }
                if self.servers.is_empty() {
                    self.count.0.store(0, Ordering::Relaxed);
                }
                AGAIN.min(every)
            }
        }
    }

    /// These are the servers from now on.
    fn known(&mut self, all: Vec<(String, Option<SocketAddr>)>) {
        let label = |base: &str, at: Option<SocketAddr>| -> Arc<str> {
            let host = base.split_once("://").map_or(base, |(_, host)| host);
            at.map_or_else(|| Arc::from(host), |at| Arc::from(at.to_string()))
        };
        let labels: Vec<Arc<str>> = all.iter().map(|(base, at)| label(base, *at)).collect();
        let gone: Vec<Arc<str>> =
            self.servers.keys().filter(|known| !labels.contains(known)).cloned().collect();
        for label in gone {
            if let Some(kept) = self.servers.remove(&label) {
                kept.check.iter().for_each(tokio::task::AbortHandle::abort);
                if kept.is_in {
                    self.tell(Change::Remove(label));
                }
            }
        }
        for ((base, at), label) in all.into_iter().zip(labels) {
            if self.servers.contains_key(&label) {
                continue;
            }
            let door = match Door::new(&base, at, &self.remote, self.key.as_deref()) {
                Ok(door) => Arc::new(door),
                Err(error) => {
                    tracing::error!(model = &*self.model, server = &*label, %error, "a server cannot be asked");
                    continue;
                }
            };
            let standing = Arc::new(Standing::new(Arc::clone(&self.changed)));
            let (model, remote) = (self.model.clone(), Arc::clone(&self.remote));
            let server = Server { model, label: Arc::clone(&label), door, remote, standing };
            let check = self.remote.health.map(|health| self.checks.spawn(check(server.clone(), health)));
            self.servers.insert(label, Kept { server, check, is_in: false });
        }
        self.count.0.store(self.servers.len(), Ordering::Relaxed);
    }

    fn tell(&self, change: Change<Arc<str>, Weighed>) {
        // Nobody listens only while all is being dropped.
        drop(self.changes.send(Ok(change)));
    }

    /// Takes out and puts back.
    fn decide(&mut self) {
        let now = Instant::now();
        if let Some(ejection) = self.remote.ejection {
            self.eject(ejection, now);
        }
        let health = self.remote.health;
        let is_ready = |marks: &Marks| health.is_none_or(|health| marks.unready < health.after);
        let marks: Vec<Marks> = self.servers.values().map(|kept| kept.server.standing.marks()).collect();
        let is_free = |marks: &Marks| marks.ejected_until.is_none();
        let mut wanted: Vec<bool> = marks.iter().map(|marks| is_ready(marks) && is_free(marks)).collect();
        if !wanted.contains(&true) {
            // With none left it is better to ask those that may fail than to fail for certain.
            wanted = marks.iter().map(is_free).collect();
        }
        if !wanted.contains(&true) {
            wanted.fill(true);
        }
        let mut told = Vec::new();
        for ((label, kept), is_wanted) in self.servers.iter_mut().zip(&wanted) {
            if kept.is_in != *is_wanted {
                kept.is_in = *is_wanted;
                told.push(match is_wanted {
                    true => Change::Insert(Arc::clone(label), Weighed::new(kept.server.clone())),
                    false => Change::Remove(Arc::clone(label)),
                });
                tracing::info!(
                    model = &*self.model,
                    server = &**label,
                    is_asked = is_wanted,
                    "a server's standing"
                );
            }
        }
        told.into_iter().for_each(|change| self.tell(change));
        self.measure(&marks, &wanted, is_ready);
    }

    /// Ends the pauses that are over, and begins those that are due.
    fn eject(&self, ejection: Ejection, now: Instant) {
        for kept in self.servers.values() {
            let standing = &kept.server.standing;
            if standing.marks().ejected_until.is_some_and(|until| until <= now) {
                standing.change(|marks| {
                    *marks = Marks { unready: marks.unready, ejections: marks.ejections, ..Marks::default() };
                });
            }
        }
        let all = self.servers.len();
        let most_percent = usize::try_from(ejection.most_percent).unwrap_or(100);
        let most = (all * most_percent / 100).min(all.saturating_sub(1));
        let mut out = self.servers.values().filter(|kept| kept.is_ejected()).count();
        for (label, kept) in &self.servers {
            let marks = kept.server.standing.marks();
            if marks.failures < ejection.after {
                continue;
            }
            if kept.is_ejected() || out >= most {
                continue;
            }
            out += 1;
            let pause = ejection.pause * (marks.ejections + 1).min(LONGEST_PAUSE);
            kept.server.standing.change(|marks| {
                marks.ejected_until = Some(now + pause);
                marks.ejections = marks.ejections.saturating_add(1);
            });
            let (model, server) = (self.model.to_string(), label.to_string());
            metrics::counter!("tollgate_remote_ejections_total", "model" => model, "server" => server)
                .increment(1);
            tracing::warn!(
                model = &*self.model,
                server = &**label,
                ?pause,
                "a server fails and is left alone"
            );
        }
    }

    /// Until the first pause ends.
    fn next_return(&self) -> Option<Duration> {
        let ends = self.servers.values().filter_map(|kept| kept.server.standing.marks().ejected_until);
        ends.min().map(|until| until.saturating_duration_since(Instant::now()))
    }

    fn measure(&self, marks: &[Marks], wanted: &[bool], is_ready: impl Fn(&Marks) -> bool) {
        let ejected = marks.iter().filter(|marks| marks.ejected_until.is_some()).count();
        let unready = marks.iter().filter(|marks| marks.ejected_until.is_none() && !is_ready(marks)).count();
        let asked = wanted.iter().filter(|is_in| **is_in).count();
        self.gauge.servers(gauges::Servers { asked, unready, ejected });
    }
}

impl Kept {
    fn is_ejected(&self) -> bool {
        self.server.standing.marks().ejected_until.is_some()
    }
}

/// Asks one server again and again whether it is ready.
async fn check(server: Server, health: Health) {
    loop {
        let is_ready = timeout(health.within, server.door.is_ready(&server.remote)).await.unwrap_or(false);
        let before = server.standing.marks().unready;
        if !is_ready {
            server.standing.change(|marks| marks.unready = marks.unready.saturating_add(1));
        } else if before > 0 {
            server.standing.change(|marks| {
                marks.unready = 0;
                // What failed before it was away says nothing of it now.
                (marks.failures, marks.failed_at) = (0, None);
            });
        }
        sleep(health.every).await;
    }
}
