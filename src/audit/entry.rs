//! The log's other entries: what was refused before it became a decision, every switch of what is in force, every
//! read of a record. Values of facts never stand in them. Absent: reviews and labels.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::json::Json;
use super::record::{RECORD_VERSION, commitment, leaf_hash, optional, stamp, time_text};
use super::stored::Unreadable;
use crate::domain::value::Name;
use crate::store::{Durability, Hash, Kind, Row, Stored, list};

/// A request that was refused before it became a decision.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub at: Timestamp,
    pub caller: Option<Name>,
    /// As asked; it may not exist.
    pub flow: Option<Arc<str>>,
    pub market: Option<Arc<str>>,
    pub reference: Option<Arc<str>>,
    /// The problem's code: `invalid_facts`, `unknown_flow`, …
    pub code: Arc<str>,
    /// Code and JSON pointer of each single problem.
    pub problems: Vec<(Arc<str>, Arc<str>)>,
}

/// A switch of what is in force.
#[derive(Debug, Clone)]
pub struct Switch {
    pub at: Timestamp,
    pub revision: Arc<str>,
    pub previous: Option<Arc<str>>,
    /// Where it came from: `rules and models folders`, `import`, …
    pub from: Arc<str>,
    /// `None`: unknown, as when a file was edited.
    pub by: Option<Arc<str>>,
    /// Each flow in force and its `flow_revision`.
    pub flows: Vec<(Name, Arc<str>)>,
    /// How many cases were run and how many failed; `None` when they were not run.
    pub cases: Option<CasesRun>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CasesRun {
    pub cases: u64,
    pub failed: u64,
}

/// A read of one or many records.
#[derive(Debug, Clone)]
pub struct ReadEntry {
    pub at: Timestamp,
    /// Who read.
    pub caller: Name,
    /// `decision`, `search`, `replay`, …
    pub what: Arc<str>,
    pub decision_id: Option<Uuid>,
    /// How many records were shown.
    pub records: u64,
    /// The `Purpose` header.
    pub purpose: Option<Arc<str>>,
}

/// Any of them, ready to be appended.
#[derive(Debug, Clone)]
pub enum Entry {
    Refusal(Refusal),
    Release(Switch),
    Read(ReadEntry),
}

/// What every entry has: the columns that it is searched by.
#[derive(Default)]
struct Head {
    caller: Option<Arc<str>>,
    flow: Option<Arc<str>>,
    market: Option<Arc<str>>,
    reference: Option<Arc<str>>,
    revision: Option<Arc<str>>,
    reasons: Vec<Arc<str>>,
    names: Vec<Arc<str>>,
}

impl Entry {
    pub(super) fn into_row(self, salt: [u8; 16], durable: Durability) -> Row {
        let (kind, at) = match &self {
            Self::Refusal(refusal) => (Kind::Refusal, refusal.at),
            Self::Release(switch) => (Kind::Release, switch.at),
            Self::Read(read) => (Kind::Read, read.at),
        };
        let detail = self.detail();
        let head = self.head();
        let (id, at) = stamp(at);
        let at_us = at.as_microsecond();
        let public = public(kind, id, at_us, &head, &detail, durable);
        let commitment = commitment(&salt, &public, None);
        let strs = |names: &[Arc<str>]| list(names.iter().map(|name| &**name));
        Row {
            kind,
            id,
            at_us,
            caller: head.caller,
            flow: head.flow,
            market: head.market,
            outcome: None,
            reasons: strs(&head.reasons),
            rules: strs(&head.names),
            models: None,
            reference: head.reference,
            subject: None,
            revision: head.revision,
            degraded: false,
            durable,
            leaf: entry_leaf(kind, id, at_us, &commitment),
            public: public.into(),
            personal: None,
            salt: Some(salt),
            commitment,
            key: None,
            decision: None,
        }
    }

    fn head(self) -> Head {
        match self {
            Self::Refusal(refusal) => {
                let mut reasons = vec![refusal.code];
                for (code, _) in refusal.problems {
                    if !reasons.contains(&code) {
                        reasons.push(code);
                    }
                }
                Head {
                    caller: refusal.caller,
                    flow: refusal.flow,
                    market: refusal.market,
                    reference: refusal.reference,
                    reasons,
                    ..Head::default()
                }
            }
            Self::Release(switch) => Head {
                caller: switch.by,
                revision: Some(switch.revision),
                names: switch.flows.into_iter().map(|(flow, _)| flow).collect(),
                ..Head::default()
            },
            Self::Read(read) => Head {
                caller: Some(read.caller),
                reference: read.decision_id.map(|id| Arc::from(id.to_string())),
                ..Head::default()
            },
        }
    }

    /// What is particular to the kind, as canonical JSON.
    fn detail(&self) -> String {
        let mut json = Json::default();
        match self {
            Self::Refusal(refusal) => {
                json.raw("{").key("code").string(&refusal.code).raw(",").key("problems");
                json.array(&refusal.problems, |json, (code, pointer)| {
                    json.raw("{").key("code").string(code).raw(",").key("pointer").string(pointer).raw("}");
                });
            }
            Self::Release(switch) => {
                json.raw("{")
                    .key("by")
                    .string(switch.by.as_deref().unwrap_or("unknown"))
                    .raw(",")
                    .key("cases");
                match switch.cases {
                    None => json.null(),
                    Some(CasesRun { cases, failed }) => {
                        json.raw("{").key("cases").count(cases).raw(",").key("failed").count(failed).raw("}")
                    }
                };
                json.raw(",").key("flows");
                json.object(
                    switch.flows.iter().map(|(flow, revision)| (&**flow, revision)),
                    |json, revision| {
                        json.string(revision);
                    },
                );
                json.raw(",").key("from").string(&switch.from).raw(",").key("previous");
                optional(&mut json, switch.previous.as_deref());
                json.raw(",").key("revision").string(&switch.revision);
            }
            Self::Read(read) => {
                json.raw("{").key("purpose");
                optional(&mut json, read.purpose.as_deref());
                json.raw(",").key("records").count(read.records).raw(",").key("what").string(&read.what);
            }
        }
        json.raw("}");
        json.into_text()
    }
}

fn public(kind: Kind, id: Uuid, at_us: i64, head: &Head, detail: &str, durable: Durability) -> String {
    let mut json = Json::default();
    let names = |json: &mut Json, names: &[Arc<str>]| {
        json.array(names, |json, name| {
            json.string(name);
        });
    };
    json.raw("{").key("at").string(&time_text(at_us)).raw(",").key("caller");
    optional(&mut json, head.caller.as_deref());
    json.raw(",").key("detail").raw(detail).raw(",").key("durable").string(durable.word());
    json.raw(",").key("flow");
    optional(&mut json, head.flow.as_deref());
    json.raw(",").key("id").display(id.hyphenated()).raw(",").key("kind").string(kind.word());
    json.raw(",").key("market");
    optional(&mut json, head.market.as_deref());
    json.raw(",").key("names");
    names(&mut json, &head.names);
    json.raw(",").key("reasons");
    names(&mut json, &head.reasons);
    json.raw(",").key("reference");
    optional(&mut json, head.reference.as_deref());
    json.raw(",").key("revision");
    optional(&mut json, head.revision.as_deref());
    json.raw(",").key("version").count(RECORD_VERSION.into()).raw("}");
    json.into_text()
}

pub(super) fn entry_leaf(kind: Kind, id: Uuid, at_us: i64, commitment: &Hash) -> Hash {
    let mut json = Json::default();
    json.raw("{").key("commitment").hex(commitment).raw(",").key("id").display(id.hyphenated());
    json.raw(",").key("kind").string(kind.word()).raw(",").key("time").string(&time_text(at_us));
    json.raw(",").key("version").count(RECORD_VERSION.into()).raw("}");
    leaf_hash(json.into_text().as_bytes())
}

/// One line of a list of refusals, releases or reads.
///
/// # Errors
/// When the entry is not of this program's form.
pub(super) fn show(stored: &Stored) -> Result<Value, Unreadable> {
    let public: Value = serde_json::from_str(&stored.row.public).map_err(|_| Unreadable("public part"))?;
    let get = |name: &str| public.get(name).cloned().unwrap_or_default();
    let mut shown = json!({
        "id": get("id"), "at": get("at"), "node": stored.position.node, "epoch": stored.position.epoch,
        "sequence": stored.position.sequence,
    });
    let with = match stored.row.kind {
        Kind::Refusal => &["caller", "flow", "market", "reference"][..],
        Kind::Read => &["caller"],
        Kind::Release | Kind::Decision | Kind::Part => &[],
    };
    if let Some(shown) = shown.as_object_mut() {
        for name in with {
            shown.insert((*name).to_owned(), get(name));
        }
        if stored.row.kind == Kind::Read {
            shown.insert("decision_id".to_owned(), get("reference"));
        }
        shown.extend(get("detail").as_object().cloned().unwrap_or_default());
    }
    Ok(shown)
}
