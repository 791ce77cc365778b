//! A decision on its way: each time that it stops to ask its caller, an entry of the log says what was known and what
//! was asked, before the caller hears of it. Read back, the last of them is where the decision goes on. Absent: the
//! decision itself, which is an entry like any other once it is made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::entry::entry_leaf;
use super::gathered::{self, RecordedAnswer};
use super::json::{Json, read_given};
use super::record::{
    AnsweredPart, Provenance, RECORD_VERSION, TRACE_VERSION, commitment, digest, optional, personal_inputs,
    time_text,
};
use super::show::{MASK, Sight, place, plain, show_personal};
use super::stored::{StoredKey, Unreadable};
use super::subject::SubjectKey;
use super::{verdict, verify};
use crate::domain::facts::{Facts, Given};
use crate::domain::value::Name;
use crate::domain::verdict::Verdict;
use crate::store::{Durability, Hash, KeyRow, Kind, Row, Stored};

/// Where on its way a decision stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoppedPart {
    /// From 1.
    pub number: u32,
    /// When the caller was asked: now.
    pub at: Timestamp,
    /// Who sent the facts that led here.
    pub by: Name,
}

/// A part ready to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRecord {
    pub(super) row: Row,
}

/// The id of a part: made from the decision's, so that two parts of one number cannot both be recorded.
fn part_id(decision: Uuid, number: u32) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(b"tollgate-part-1\0");
    hash.update(decision.as_bytes());
    hash.update(number.to_be_bytes());
    let hash: Hash = hash.finalize().into();
    let tail = hash.iter().take(8).fold(0_u128, |tail, byte| (tail << 8) | u128::from(*byte));
    // The time and version of the decision's id, and the variant that every UUID has.
    let head = decision.as_u128() >> 64 << 64;
    Uuid::from_u128(head | (0b10 << 62) | (tail & ((1 << 62) - 1)))
}

/// Whether this is where a decision stopped first.
pub(super) fn is_first(stored: &Stored) -> bool {
    part_id(stored.row.stands_for(), 1) == stored.row.id
}

impl PartRecord {
    /// Builds the record of an evaluation that stopped to ask. `facts` are the admitted ones, `given` all that was sent
    /// so far; `None` if the verdict asks for nothing.
    #[must_use]
    pub fn new(
        provenance: &Provenance,
        part: &StoppedPart,
        (given, facts): (&Given, &Facts),
        verdict: &Verdict,
        subject_key: &SubjectKey,
        salt: [u8; 16],
    ) -> Option<Self> {
        let asked = verdict.needs.first()?;
        let id = part_id(provenance.decision_id, part.number);
        let at_us = part.at.as_microsecond();
        let subject = provenance.subject.as_deref().map(|subject| subject_key.hash(subject));
        let public = public(provenance, part, (id, &asked.name), facts, subject.as_ref(), verdict.ticks);
        let mut json = Json::with_capacity(2048);
        json.raw("{").key("facts").given(given).raw(",").key("features");
        verdict::features(&mut json, verdict);
        if !provenance.gathered.is_empty() {
            json.raw(",").key("gathered");
            gathered::personal(&mut json, &provenance.gathered);
        }
        json.raw(",").key("scores");
        verdict::scores(&mut json, verdict);
        json.raw(",").key("trace");
        verdict::trace(&mut json, &verdict.trace);
        json.raw(",").key("with").value(&asked.with).raw("}");
        let personal = json.into_text();
        let commitment = commitment(&salt, &public, Some(&personal));
        let row = Row {
            kind: Kind::Part,
            id,
            at_us,
            caller: Some(Arc::clone(&provenance.caller)),
            flow: Some(Arc::clone(&provenance.flow)),
            market: Some(Arc::clone(&provenance.market)),
            outcome: None,
            reasons: None,
            rules: None,
            models: None,
            reference: provenance.reference.clone(),
            subject: subject.map(|hash| Arc::from(hash.as_slice())),
            revision: Some(Arc::clone(&provenance.revision)),
            degraded: false,
            durable: provenance.durable,
            leaf: entry_leaf(Kind::Part, id, at_us, &commitment),
            public: public.into(),
            personal: Some(personal.into()),
            salt: Some(salt),
            commitment,
            key: provenance.key.as_ref().map(|key| KeyRow {
                caller: Arc::clone(&provenance.caller),
                flow: Arc::clone(&provenance.flow),
                key: Arc::clone(&key.key),
                request_digest: key.request_digest,
            }),
            decision: Some(provenance.decision_id),
        };
        Some(Self { row })
    }
}

fn public(
    provenance: &Provenance,
    part: &StoppedPart,
    (id, need): (Uuid, &str),
    facts: &Facts,
    subject: Option<&Hash>,
    ticks: u64,
) -> String {
    let mut json = Json::with_capacity(1024);
    json.raw("{").key("at").string(&time_text(part.at.as_microsecond())).raw(",").key("by").string(&part.by);
    json.raw(",").key("caller").string(&provenance.caller);
    json.raw(",").key("decided_at").string(&time_text(provenance.decided_at.as_microsecond()));
    json.raw(",").key("decision_id").display(provenance.decision_id.hyphenated());
    json.raw(",").key("durable").string(provenance.durable.word());
    json.raw(",").key("elapsed_us").count(provenance.elapsed_us);
    json.raw(",").key("engine").string(&provenance.engine).raw(",").key("flow").string(&provenance.flow);
    json.raw(",").key("flow_revision").string(&provenance.flow_revision);
    if !provenance.gathered.is_empty() {
        json.raw(",").key("gathered");
        gathered::public(&mut json, &provenance.gathered);
    }
    json.raw(",").key("id").display(id.hyphenated()).raw(",").key("idempotency");
    match &provenance.key {
        Some(key) => {
            json.raw("{").key("key").string(&key.key);
            json.raw(",").key("request_digest").hex(&key.request_digest).raw("}")
        }
        None => json.null(),
    };
    json.raw(",").key("kind").string(Kind::Part.word());
    json.raw(",").key("language").count(provenance.language.into());
    json.raw(",").key("market").string(&provenance.market).raw(",").key("need").string(need);
    json.raw(",").key("part").count(part.number.into()).raw(",").key("personal");
    personal_inputs(&mut json, &provenance.personal, facts);
    json.raw(",").key("reference");
    optional(&mut json, provenance.reference.as_deref());
    json.raw(",").key("revision").string(&provenance.revision).raw(",").key("subject");
    match subject {
        Some(hash) => json.hex(hash),
        None => json.null(),
    };
    json.raw(",").key("ticks").count(ticks).raw(",").key("trace_version").count(TRACE_VERSION.into());
    json.raw(",").key("version").count(RECORD_VERSION.into()).raw("}");
    json.into_text()
}

/// The fields of the public part that are read back.
#[derive(Debug, Deserialize)]
struct PartPublic {
    #[serde(deserialize_with = "time")]
    at: Timestamp,
    by: Arc<str>,
    caller: Arc<str>,
    #[serde(deserialize_with = "time")]
    decided_at: Timestamp,
    decision_id: Uuid,
    durable: Arc<str>,
    elapsed_us: u64,
    flow: Arc<str>,
    flow_revision: Arc<str>,
    #[serde(default)]
    gathered: Option<Box<RawValue>>,
    id: Uuid,
    idempotency: Option<StoredKey>,
    kind: Arc<str>,
    market: Arc<str>,
    need: Arc<str>,
    part: u32,
    personal: BTreeMap<String, Value>,
    reference: Option<Arc<str>>,
    revision: Arc<str>,
    subject: Option<Arc<str>>,
}

fn time<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Timestamp, D::Error> {
    let text = Arc::<str>::deserialize(reader)?;
    text.parse().map_err(|_| serde::de::Error::custom("not a time"))
}

#[derive(Debug, Deserialize)]
struct PartPersonal<'a> {
    #[serde(borrow)]
    facts: &'a RawValue,
    #[serde(borrow, default)]
    gathered: Option<&'a RawValue>,
    with: Value,
}

/// A decision that waits for its caller.
#[derive(Debug, Clone)]
pub struct OpenDecision {
    pub decision_id: Uuid,
    /// Who asked for the decision.
    pub caller: Name,
    pub flow: Name,
    pub market: Name,
    pub reference: Option<Arc<str>>,
    pub revision: Arc<str>,
    pub flow_revision: Arc<str>,
    pub decided_at: Timestamp,
    /// Of the evaluation that stopped last.
    pub elapsed_us: u64,
    pub durable: Durability,
    /// What it waits for.
    pub need: Arc<str>,
    /// What the flow says with it: a JSON object.
    pub with: Value,
    /// All that was sent so far, numbers by their source text.
    pub facts: Given,
    /// What other servers have answered so far.
    pub gathered: Vec<RecordedAnswer>,
    /// Each stop so far: need, when, by whom it was led there.
    stops: Vec<(Arc<str>, Timestamp, Name)>,
    last: Stored,
    masked: BTreeSet<String>,
}

impl OpenDecision {
    /// From all parts of one decision; `None` if there are none.
    ///
    /// # Errors
    /// When a part is not of this program's form, or one between two is not there.
    pub(super) fn read(parts: Vec<Stored>) -> Result<Option<Self>, Unreadable> {
        let mut read = Vec::with_capacity(parts.len());
        for stored in parts {
            let public: PartPublic =
                serde_json::from_str(&stored.row.public).map_err(|_| Unreadable("public part"))?;
            read.push((public, stored));
        }
        read.sort_by_key(|(public, _)| public.part);
        let stops: Vec<_> =
            read.iter().map(|(p, _)| (Arc::clone(&p.need), p.at, Arc::clone(&p.by))).collect();
        let Some((public, last)) = read.pop() else { return Ok(None) };
        if usize::try_from(public.part) != Ok(stops.len()) {
            return Err(Unreadable("a part before the last is not there"));
        }
        let personal = last.row.personal.clone().ok_or(Unreadable("its personal part was erased"))?;
        let personal: PartPersonal<'_> =
            serde_json::from_str(&personal).map_err(|_| Unreadable("personal part"))?;
        let facts = serde_json::from_str(personal.facts.get()).map_err(|_| Unreadable("facts"))?;
        Ok(Some(Self {
            decision_id: public.decision_id,
            caller: public.caller,
            flow: public.flow,
            market: public.market,
            reference: public.reference,
            revision: public.revision,
            flow_revision: public.flow_revision,
            decided_at: public.decided_at,
            elapsed_us: public.elapsed_us,
            durable: last.row.durable,
            need: public.need,
            with: plain(personal.with),
            facts: read_given(&facts).map_err(Unreadable)?,
            gathered: gathered::read(public.gathered.as_deref(), personal.gathered)?,
            masked: public.personal.into_keys().collect(),
            stops,
            last,
        }))
    }

    /// The part that comes next, should it stop again.
    #[must_use]
    pub fn next_number(&self) -> u32 {
        u32::try_from(self.stops.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Every stop, the last of them answered now.
    #[must_use]
    pub fn answered(&self, now: Timestamp, by: &Name) -> Vec<AnsweredPart> {
        let next = self.stops.iter().skip(1).map(|(_, at, by)| (*at, Arc::clone(by)));
        let answers = next.chain([(now, Arc::clone(by))]);
        let numbered = self.stops.iter().zip(answers).zip(1..);
        numbered
            .map(|(((need, asked_at, _), (answered_at, answered_by)), number)| AnsweredPart {
                number,
                need: Arc::clone(need),
                asked_at: *asked_at,
                answered_at,
                answered_by,
            })
            .collect()
    }

    /// Where the last part stands in this node's local file; 0 when it came from Postgres.
    #[must_use]
    pub fn local(&self) -> i64 {
        self.last.local
    }

    /// All of it, as `GET /v1/decisions/{id}` shows it.
    ///
    /// # Errors
    /// When the last part is not of this program's form.
    pub fn show(&self, sight: Sight) -> Result<Value, Unreadable> {
        let mut shown = self.head(sight);
        let text = self.last.row.personal.as_deref().ok_or(Unreadable("its personal part was erased"))?;
        let personal = serde_json::from_str(text).map_err(|_| Unreadable("personal part"))?;
        show_personal(&mut shown, personal, sight, self.masked.clone());
        // Only a decision has them.
        shown.remove("output");
        let digest = digest(&self.last.row.public, Some(text));
        shown.insert("log".to_owned(), place(&self.last, &digest));
        Ok(Value::Object(shown))
    }

    /// One line of a list.
    #[must_use]
    pub fn summary(&self) -> Value {
        Value::Object(self.head(Sight::Masked))
    }

    fn head(&self, sight: Sight) -> Map<String, Value> {
        let mut with = self.with.clone();
        if sight == Sight::Masked {
            mask_all(&mut with);
        }
        let stops = self.stops.iter().zip(1..);
        let parts: Vec<Value> = stops
            .map(|((need, at, by), number)| {
                json!({
                    "part": number, "need": need, "by": by, "asked_at": time_text(at.as_microsecond()),
                })
            })
            .collect();
        let shown = json!({
            "decision_id": self.decision_id,
            "state": "needs",
            "needs": [{ "input": self.need, "with": with }],
            "flow": self.flow,
            "market": self.market,
            "reference": self.reference,
            "caller": self.caller,
            "revision": self.revision,
            "flow_revision": self.flow_revision,
            "decided_at": time_text(self.decided_at.as_microsecond()),
            "durable": self.durable.word(),
            "parts": parts,
        });
        match shown {
            Value::Object(shown) => shown,
            _ => Map::new(),
        }
    }
}

/// What a flow says with a question may be made of anything that it knows.
pub(super) fn mask_all(with: &mut Value) {
    for value in with.as_object_mut().into_iter().flat_map(Map::values_mut) {
        *value = json!(MASK);
    }
}

/// Checks what a part says of itself.
pub(super) fn check(stored: &Stored, found: &mut Vec<(&'static str, String)>) -> Result<(), Unreadable> {
    let row = &stored.row;
    let public: PartPublic = serde_json::from_str(&row.public).map_err(|_| Unreadable("public part"))?;
    if entry_leaf(row.kind, row.id, row.at_us, &row.commitment) != row.leaf {
        found.push(("leaf", "the leaf is not that of the record".to_owned()));
    }
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let subject = row.subject.as_deref().map(|hash| hex(hash).into());
    verify::differs(found, "id", &row.id, &public.id);
    verify::differs(found, "id", &row.id, &part_id(public.decision_id, public.part));
    verify::differs(found, "decision_id", &row.decision, &Some(public.decision_id));
    verify::differs(found, "time", &row.at_us, &public.at.as_microsecond());
    verify::differs(found, "kind", &row.kind.word(), &&*public.kind);
    verify::differs(found, "caller", &row.caller, &Some(public.caller));
    verify::differs(found, "flow", &row.flow, &Some(public.flow));
    verify::differs(found, "market", &row.market, &Some(public.market));
    verify::differs(found, "reference", &row.reference, &public.reference);
    verify::differs(found, "subject", &subject, &public.subject);
    verify::differs(found, "revision", &row.revision, &Some(public.revision));
    verify::differs(found, "durable", &row.durable.word(), &&*public.durable);
    // What only decisions have; a search would otherwise find what nobody recorded.
    verify::differs(found, "outcome", &row.outcome, &None);
    verify::differs(found, "reasons", &row.reasons, &None);
    verify::differs(found, "rules", &row.rules, &None);
    verify::differs(found, "models", &row.models, &None);
    verify::differs(found, "degraded", &row.degraded, &false);
    if stored.local != 0 {
        let column = row.key.as_ref().map(|key| (Arc::clone(&key.key), hex(&key.request_digest)));
        let said = public.idempotency.map(|key| (key.key, key.request_digest.to_string()));
        verify::differs(found, "key", &column, &said);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_ids_of_their_own_that_keep_the_time_of_the_decision() {
        let (decision, _) = super::super::record::stamp("2026-11-22T09:00:00Z".parse().unwrap());
        let ids: BTreeSet<Uuid> = (1..100).map(|number| part_id(decision, number)).collect();
        assert_eq!((ids.len(), ids.contains(&decision)), (99, false));
        for id in ids {
            assert_eq!((id.as_u128() >> 64, id.get_version_num()), (decision.as_u128() >> 64, 7));
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        }
    }
}
