//! Whether a log is whole: every sequence there, every chain hash and commitment right, every searchable column
//! what its record says. Absent: mending anything.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::entry::entry_leaf;
use super::record::{Leaf, commitment, time_text};
use super::stored::{Public, Unreadable};
use crate::store::{Cut, Hash, Kind, LogReader, OpenError, StoreError, Stored, list};

/// How many problems a report lists; the rest are counted.
const LISTED: usize = 100;

/// What a walk over a whole log found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    pub entries: u64,
    pub decisions: u64,
    /// Nodes and, for each, the number of starts.
    pub nodes: BTreeMap<Uuid, u64>,
    /// Entries whose personal part was erased: only their leaf was checked.
    pub erased: u64,
    /// In order, at most a hundred.
    pub problems: Vec<LogProblem>,
    /// All of them.
    pub problem_count: u64,
}

/// One thing that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProblem {
    pub node: Uuid,
    pub epoch: i64,
    pub sequence: i64,
    pub id: Uuid,
    /// `gap`, `chain`, `commitment`, `leaf`, `column`, `unreadable`.
    pub code: &'static str,
    pub detail: String,
}

impl Verification {
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.problem_count == 0
    }
}

/// Why a log could not be walked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Read(#[from] StoreError),
}

/// Verifies the local log in a data folder, beside a running service or without one.
///
/// # Errors
/// When there is no log or it cannot be read.
pub async fn verify_folder(folder: &Path) -> Result<Verification, VerifyError> {
    verify(LogReader::local(folder).await?).await
}

/// Verifies every node's log in Postgres.
///
/// # Errors
/// When the database cannot be read.
pub async fn verify_database(url: &str) -> Result<Verification, VerifyError> {
    verify(LogReader::central(url).await?).await
}

async fn verify(mut reader: LogReader) -> Result<Verification, VerifyError> {
    let mut report = Verification::default();
    for node in reader.nodes().await? {
        let mut walk = Walk::new(node, reader.cut(node).await?);
        reader.begin(node);
        loop {
            let page = reader.next_page().await?;
            if page.is_empty() {
                break;
            }
            for stored in &page {
                walk.step(stored, &mut report);
            }
        }
    }
    Ok(report)
}

/// The state of a walk along one node's log.
struct Walk {
    node: Uuid,
    epoch: i64,
    sequence: i64,
    chain: Hash,
}

impl Walk {
    fn new(node: Uuid, cut: Option<Cut>) -> Self {
        match cut {
            Some(cut) => Self { node, epoch: cut.epoch, sequence: cut.sequence, chain: cut.chain },
            None => Self { node, epoch: 0, sequence: 0, chain: [0; 32] },
        }
    }

    fn step(&mut self, stored: &Stored, report: &mut Verification) {
        let position = stored.position;
        let mut found: Vec<(&'static str, String)> = Vec::new();
        let next = if position.epoch == self.epoch { self.sequence.saturating_add(1) } else { 1 };
        if position.sequence != next || position.epoch < self.epoch {
            let (epoch, sequence) = (self.epoch, self.sequence);
            found.push(("gap", format!("expected sequence {next} after {epoch}/{sequence}")));
        }
        if position.epoch != self.epoch || report.nodes.is_empty() {
            *report.nodes.entry(self.node).or_default() += 1;
        }
        if stored.previous != self.chain {
            found.push(("chain", "does not follow from the entry before it".to_owned()));
        }
        let chained = stored.chained();
        if chained != stored.chain {
            found.push(("chain", "its hash is not that of its place and leaf".to_owned()));
        }
        (self.epoch, self.sequence, self.chain) = (position.epoch, position.sequence, chained);
        report.entries += 1;
        report.decisions += u64::from(stored.row.kind == Kind::Decision);
        report.erased += u64::from(stored.row.salt.is_none());
        check(stored, &mut found);
        for (code, detail) in found {
            report.problem_count += 1;
            if report.problems.len() < LISTED {
                let (epoch, sequence) = (position.epoch, position.sequence);
                let id = stored.row.id;
                report.problems.push(LogProblem { node: self.node, epoch, sequence, id, code, detail });
            }
        }
    }
}

/// Checks what an entry says of itself.
fn check(stored: &Stored, found: &mut Vec<(&'static str, String)>) {
    let row = &stored.row;
    if let Some(salt) = &row.salt
        && commitment(salt, &row.public, row.personal.as_deref()) != row.commitment
    {
        found.push(("commitment", "the record is not what was committed to".to_owned()));
    }
    let checked = match row.kind {
        Kind::Decision => check_decision(stored, found),
        Kind::Refusal | Kind::Release | Kind::Read => check_entry(stored, found),
        Kind::Part => super::part::check(stored, found),
    };
    if let Err(Unreadable(what)) = checked {
        found.push(("unreadable", what.to_owned()));
    }
}

pub(super) fn differs<T: PartialEq>(
    found: &mut Vec<(&'static str, String)>,
    column: &str,
    stored: &T,
    said: &T,
) {
    if stored != said {
        found.push(("column", format!("`{column}` is not what the record says")));
    }
}

fn check_decision(stored: &Stored, found: &mut Vec<(&'static str, String)>) -> Result<(), Unreadable> {
    let row = &stored.row;
    let public: Public<'_> = serde_json::from_str(&row.public).map_err(|_| Unreadable("public part"))?;
    let leaf = Leaf {
        id: row.id,
        at_us: row.at_us,
        flow: row.flow.as_deref().unwrap_or_default(),
        revision: row.revision.as_deref().unwrap_or_default(),
        outcome: row.outcome.as_deref().unwrap_or_default(),
        durable: row.durable,
        models: public.models.get(),
        commitment: &row.commitment,
    };
    if leaf.hash() != row.leaf {
        found.push(("leaf", "the leaf is not that of the record".to_owned()));
    }
    let codes: Vec<Arc<str>> =
        serde_json::from_str(public.reasons.get()).map_err(|_| Unreadable("reasons"))?;
    let subject = row.subject.as_deref().map(|hash| data_encoding::HEXLOWER.encode(hash).into());
    differs(found, "id", &row.id, &public.decision_id);
    differs(found, "time", &time_text(row.at_us).as_str(), &&*public.decided_at);
    differs(found, "caller", &row.caller, &Some(public.caller));
    differs(found, "flow", &row.flow, &Some(public.flow));
    differs(found, "market", &row.market, &Some(public.market));
    differs(found, "outcome", &row.outcome, &Some(public.outcome));
    differs(found, "reasons", &row.reasons, &list(codes.iter().map(|code| &**code)));
    differs(found, "reference", &row.reference, &public.reference);
    differs(found, "subject", &subject, &public.subject);
    differs(found, "revision", &row.revision, &Some(public.revision));
    differs(found, "degraded", &row.degraded, &public.degraded);
    differs(found, "durable", &row.durable.word(), &&*public.durable);
    // In Postgres keys stand in a table of their own.
    if stored.local != 0 {
        let column = row.key.as_ref();
        let column =
            column.map(|key| (Arc::clone(&key.key), data_encoding::HEXLOWER.encode(&key.request_digest)));
        let said = public.idempotency.map(|key| (key.key, key.request_digest.to_string()));
        differs(found, "key", &column, &said);
        let in_parts = public.parts.get() != "[]";
        differs(found, "decision_id", &row.decision, &in_parts.then_some(row.id));
    }
    if let Some(personal) = row.personal.as_deref() {
        let personal: TraceOnly = serde_json::from_str(personal).map_err(|_| Unreadable("personal part"))?;
        let digests: BTreeMap<String, String> =
            serde_json::from_str(public.models.get()).map_err(|_| Unreadable("models"))?;
        differs(found, "rules", &row.rules, &rules(&personal.trace));
        differs(found, "models", &sorted(row.models.as_deref()), &models(&personal.trace, &digests));
    }
    Ok(())
}

#[derive(Deserialize)]
struct TraceOnly {
    trace: Vec<Value>,
}

/// `rule` and `set.rule` of every hit; those of a flow that was asked have its name in front.
pub(super) fn rules(trace: &[Value]) -> Option<Arc<str>> {
    fn add(trace: &[Value], below: &str, names: &mut Vec<String>) {
        for step in trace {
            if let Some((flow, inner)) = asked_flow(step) {
                add(inner, &format!("{below}{flow}."), names);
            }
            let (Some(set), Some(rules)) =
                (text(step, "rule_set"), step.get("rules").and_then(Value::as_array))
            else {
                continue;
            };
            for rule in rules.iter().filter(|rule| text(rule, "result") == Some("hit")) {
                let id = text(rule, "id").unwrap_or_default();
                names.push(id.to_owned());
                names.push(format!("{below}{set}.{id}"));
            }
        }
    }
    let mut names = Vec::new();
    add(trace, "", &mut names);
    list(names.iter().map(String::as_str))
}

/// Sorted, since the record keeps digests by name and the column in the order of use.
pub(super) fn models(trace: &[Value], digests: &BTreeMap<String, String>) -> Vec<String> {
    fn add(trace: &[Value], names: &mut Vec<String>) {
        for step in trace {
            if let Some((_, inner)) = asked_flow(step) {
                add(inner, names);
            }
            if let (Some(model), Some(version)) =
                (text(step, "model"), step.get("version").and_then(Value::as_u64))
            {
                names.push(model.to_owned());
                names.push(format!("{model}@{version}"));
            }
        }
    }
    let mut names: Vec<String> = digests.values().cloned().collect();
    add(trace, &mut names);
    names.sort();
    names
}

/// The flow that a step asked, and what that did.
fn asked_flow(step: &Value) -> Option<(&str, &[Value])> {
    let inner = step.get("trace").and_then(Value::as_array)?;
    Some((text(step, "flow")?, inner.as_slice()))
}

pub(super) fn sorted(column: Option<&str>) -> Vec<String> {
    let mut names: Vec<String> = crate::store::elements(column).map(str::to_owned).collect();
    names.sort();
    names
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

#[derive(Deserialize)]
struct EntryPublic {
    at: Arc<str>,
    caller: Option<Arc<str>>,
    durable: Arc<str>,
    flow: Option<Arc<str>>,
    id: Uuid,
    kind: Arc<str>,
    market: Option<Arc<str>>,
    names: Vec<Arc<str>>,
    reasons: Vec<Arc<str>>,
    reference: Option<Arc<str>>,
    revision: Option<Arc<str>>,
}

fn check_entry(stored: &Stored, found: &mut Vec<(&'static str, String)>) -> Result<(), Unreadable> {
    let row = &stored.row;
    let public: EntryPublic = serde_json::from_str(&row.public).map_err(|_| Unreadable("public part"))?;
    if entry_leaf(row.kind, row.id, row.at_us, &row.commitment) != row.leaf {
        found.push(("leaf", "the leaf is not that of the record".to_owned()));
    }
    let strs = |names: &[Arc<str>]| list(names.iter().map(|name| &**name));
    differs(found, "id", &row.id, &public.id);
    differs(found, "time", &time_text(row.at_us).as_str(), &&*public.at);
    differs(found, "kind", &row.kind.word(), &&*public.kind);
    differs(found, "caller", &row.caller, &public.caller);
    differs(found, "flow", &row.flow, &public.flow);
    differs(found, "market", &row.market, &public.market);
    differs(found, "rules", &row.rules, &strs(&public.names));
    differs(found, "reasons", &row.reasons, &strs(&public.reasons));
    differs(found, "reference", &row.reference, &public.reference);
    differs(found, "revision", &row.revision, &public.revision);
    differs(found, "durable", &row.durable.word(), &&*public.durable);
    // What only decisions have; a search would otherwise find what nobody recorded.
    differs(found, "outcome", &row.outcome, &None);
    differs(found, "models", &row.models, &None);
    differs(found, "subject", &row.subject, &None);
    differs(found, "degraded", &row.degraded, &false);
    if row.key.is_some() || row.personal.is_some() || row.decision.is_some() {
        found.push(("column", "it has what only decisions have".to_owned()));
    }
    Ok(())
}
