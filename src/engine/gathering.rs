//! Gather: a flow that asks models on other servers is evaluated until it needs an answer, the answer is awaited, and
//! it is evaluated again with the answer known. A pass takes microseconds and holds no thread while answers are
//! awaited. A replay goes the same way with the recorded answers. Absent: asking itself (`gather`).

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::passes::{Guard, pass};
use crate::audit::RecordedAnswer;
use crate::domain::facts::Facts;
use crate::domain::flow::remote::{Answered, Known, ModelAsked, RemoteAnswer, RemoteFault};
use crate::domain::flow::{Budget, Flow};
use crate::domain::verdict::Verdict;
use crate::gather::{Remotes, TraceContext};
use crate::release::Release;

/// Questions to other servers for one decision; what is asked beyond them has no answer.
const MOST_ASKED: usize = 64;

/// How soon the servers of a new release are looked after.
const LOOKED_AT: Duration = Duration::from_millis(250);
/// How often servers that nobody asks are looked for.
const PREPARED_AGAIN: Duration = Duration::from_secs(60);

/// What is decided, and when.
#[derive(Clone, Copy)]
pub(super) struct Case<'c> {
    pub flow: &'c Flow,
    pub facts: &'c Facts,
    pub decided_at: Timestamp,
}

impl Case<'_> {
    fn pass(&self, guard: Guard, known: &[Answered]) -> Result<Verdict, Vec<ModelAsked>> {
        pass(self.flow, self.facts, self.decided_at, guard, Known::SoFar(known))
    }

    /// What is asked with the first question that the script waits for: it, and all that may be asked early.
    fn first(&self, mut wanted: Vec<ModelAsked>, known: &[Answered]) -> Vec<ModelAsked> {
        for early in self.flow.early(self.facts, self.decided_at, &Budget::default()) {
            let is_known = known.iter().any(|answered| answered.asked.is(&early));
            if !is_known && !wanted.iter().any(|asked| asked.is(&early)) {
                wanted.push(early);
            }
        }
        wanted
    }
}

/// Evaluates, asking what is not recorded in `before`; also gives everything that was answered.
pub(super) async fn gathered(
    case: Case<'_>,
    guard: Guard,
    remotes: &Remotes,
    before: &[RecordedAnswer],
    (deadline, trace): (Instant, Option<&TraceContext>),
) -> (Verdict, Vec<Answered>) {
    // Begun only when somebody is asked: it draws from the system's chance, and a replay asks nobody.
    let mut begun = None;
    let mut known: Vec<Answered> = Vec::new();
    let mut is_first = true;
    loop {
        let mut wanted = match case.pass(guard, &known) {
            Ok(verdict) => return (verdict, known),
            Err(wanted) => wanted,
        };
        if std::mem::take(&mut is_first) {
            wanted = case.first(wanted, &known);
        }
        let mut open = Vec::new();
        for asked in wanted {
            if let Some(answer) = recorded(before, &asked) {
                known.push(Answered { asked, answer });
            } else if known.len() + open.len() >= MOST_ASKED {
                known.push(Answered { asked, answer: too_many() });
            } else {
                open.push(asked);
            }
        }
        if !open.is_empty() {
            let trace = trace.unwrap_or_else(|| begun.get_or_insert_with(TraceContext::begin));
            known.extend(remotes.ask_all(open, deadline, trace).await);
        }
    }
}

/// Evaluates with recorded answers alone, and says how many questions they do not answer.
pub(super) fn replayed(case: Case<'_>, before: &[RecordedAnswer], guard: Guard) -> (Verdict, usize) {
    let (verdict, known) = answered(case, before, guard);
    let missing = known.iter().filter(|answered| recorded(before, &answered.asked).is_none()).count();
    (verdict, missing)
}

/// Evaluates with recorded answers alone; also gives all that was asked.
pub(super) fn answered(case: Case<'_>, before: &[RecordedAnswer], guard: Guard) -> (Verdict, Vec<Answered>) {
    let mut known: Vec<Answered> = Vec::new();
    loop {
        match case.pass(guard, &known) {
            Ok(verdict) => return (verdict, known),
            Err(wanted) => known.extend(wanted.into_iter().map(|asked| {
                let answer = recorded(before, &asked).unwrap_or_else(not_recorded);
                Answered { asked, answer }
            })),
        }
    }
}

/// Looks after the servers of the models that the flows in force ask, as flows come and go; ends with the release.
pub async fn look_after(release: Weak<Release>, remotes: Arc<Remotes>) {
    let mut prepared: Option<Arc<str>> = None;
    let mut since = Instant::now();
    while let Some(release) = release.upgrade() {
        let bundle = release.in_force();
        drop(release);
        let is_due = since.elapsed() >= PREPARED_AGAIN;
        if is_due || prepared.as_ref() != Some(&bundle.revision) {
            let flows = bundle.flows.values();
            let all = flows.flat_map(|flow| std::iter::once(flow).chain(flow.markets.values()));
            remotes.prepare(all.flat_map(|flow| flow.flow.remote_models()));
            (prepared, since) = (Some(Arc::clone(&bundle.revision)), Instant::now());
        }
        tokio::time::sleep(LOOKED_AT).await;
    }
}

fn recorded(before: &[RecordedAnswer], asked: &ModelAsked) -> Option<RemoteAnswer> {
    before.iter().find(|recorded| recorded.is_to(asked)).map(|recorded| recorded.answer.clone())
}

fn too_many() -> RemoteAnswer {
    RemoteAnswer::none(RemoteFault::Full, "one decision asks other servers at most 64 times")
}

fn not_recorded() -> RemoteAnswer {
    RemoteAnswer::none(RemoteFault::NotGathered, "the record has no answer to this question")
}
