//! A decision in its durable form: what happened as two canonical texts (one without personal data), a commitment
//! to both, and the leaf of the log. Built where the decision was made, so that the writer only has to place it.
//! Absent: place, sequence and chain; those are the writer's.

use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::json::Json;
use super::subject::SubjectKey;
use super::{gathered, verdict};
use crate::domain::declaration::Personal;
use crate::domain::facts::{Facts, Given};
use crate::domain::flow::remote::Answered;
use crate::domain::value::Name;
use crate::domain::verdict::{Step, Verdict};
use crate::store::{Durability, Hash, KeyRow, Kind, Row, list};

/// Version of the record's form. Grows when a field changes its meaning; new fields alone do not.
pub const RECORD_VERSION: u32 = 1;
/// How every canonical record ends.
const VERSION_TAIL: &str = ",\"version\":1}";
/// Version of the trace's form, apart from the record's.
pub const TRACE_VERSION: u32 = 1;

/// Where a decision comes from: everything about it that its verdict does not say.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// From [`stamp`], with `decided_at`.
    pub decision_id: Uuid,
    pub decided_at: Timestamp,
    pub elapsed_us: u64,
    pub caller: Name,
    pub flow: Name,
    pub market: Name,
    /// The caller's own id of what is decided about.
    pub reference: Option<Arc<str>>,
    pub revision: Arc<str>,
    pub flow_revision: Arc<str>,
    /// This program's build, `tollgate 0.1.0`.
    pub engine: Arc<str>,
    /// Version of the language in which flows are written.
    pub language: u32,
    /// Text of the fact that says whom the decision is about; recorded only as a keyed hash.
    pub subject: Option<Arc<str>>,
    pub durable: Durability,
    pub key: Option<ProvenanceKey>,
    /// The flow's inputs and how personal each is.
    pub personal: Vec<(Name, Personal)>,
    /// What other servers answered, in the order asked.
    pub gathered: Vec<Answered>,
    /// When the caller was asked for more, and answered; empty for a decision made in one go.
    pub parts: Vec<AnsweredPart>,
    /// What the answer said for each reason, so that a repeated key is answered alike.
    pub reason_texts: Vec<(Name, Arc<str>)>,
}

/// One stop of a decision on its way: what its caller was asked for, and when and by whom it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredPart {
    pub number: u32,
    /// Name of the need.
    pub need: Arc<str>,
    pub asked_at: Timestamp,
    pub answered_at: Timestamp,
    pub answered_by: Name,
}

/// The idempotency key that a decision was asked under.
#[derive(Debug, Clone)]
pub struct ProvenanceKey {
    pub key: Arc<str>,
    /// SHA-256 of the request as JSON values.
    pub request_digest: Hash,
}

/// A decision ready to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRecord {
    pub(super) row: Row,
}

/// The time of a decision as it is recorded (whole microseconds), and an id that sorts by it.
#[must_use]
pub fn stamp(now: Timestamp) -> (Uuid, Timestamp) {
    let at_us = now.as_microsecond().max(0);
    let at = Timestamp::from_microsecond(at_us).unwrap_or(now);
    let (seconds, nanos) = (at_us / 1_000_000, (at_us % 1_000_000) * 1000);
    let time = uuid::Timestamp::from_unix(
        uuid::NoContext,
        u64::try_from(seconds).unwrap_or_default(),
        u32::try_from(nanos).unwrap_or_default(),
    );
    // Twelve bits of the fraction of a millisecond in the place that RFC 9562 (6.2, method 3) gives them, so that ids
    // of one node sort by the microsecond.
    let fraction = u128::try_from(at_us % 1000).unwrap_or_default() * 4096 / 1000;
    let id = Uuid::new_v7(time).as_u128() & !(0xfff << 64) | (fraction << 64);
    (Uuid::from_u128(id), at)
}

impl DecisionRecord {
    /// Builds the record of a verdict. `facts` are the admitted ones, `given` what was sent.
    #[must_use]
    pub fn new(
        provenance: &Provenance,
        given: &Given,
        facts: &Facts,
        verdict: &Verdict,
        subject_key: &SubjectKey,
        salt: [u8; 16],
    ) -> Self {
        let subject = provenance.subject.as_deref().map(|subject| subject_key.hash(subject));
        let public = public(provenance, facts, verdict, subject.as_ref());
        let personal = personal(given, verdict, &provenance.gathered);
        let at_us = provenance.decided_at.as_microsecond();
        let commitment = commitment(&salt, &public, Some(&personal));
        let mut models = Json::with_capacity(96);
        verdict::models(&mut models, verdict);
        let leaf = Leaf {
            id: provenance.decision_id,
            at_us,
            flow: &provenance.flow,
            revision: &provenance.revision,
            outcome: &verdict.outcome,
            durable: provenance.durable,
            models: &models.into_text(),
            commitment: &commitment,
        };
        let leaf = leaf.hash();
        let row = Row {
            kind: Kind::Decision,
            id: provenance.decision_id,
            at_us,
            caller: Some(Arc::clone(&provenance.caller)),
            flow: Some(Arc::clone(&provenance.flow)),
            market: Some(Arc::clone(&provenance.market)),
            outcome: Some(Arc::clone(&verdict.outcome)),
            reasons: list(verdict.reasons.iter().map(|code| &**code)),
            rules: rules_that_hit(verdict),
            models: models_that_answered(verdict),
            reference: provenance.reference.clone(),
            subject: subject.map(|hash| Arc::from(hash.as_slice())),
            revision: Some(Arc::clone(&provenance.revision)),
            degraded: verdict.degraded,
            durable: provenance.durable,
            public: public.into(),
            personal: Some(personal.into()),
            salt: Some(salt),
            commitment,
            leaf,
            key: provenance.key.as_ref().map(|key| KeyRow {
                caller: Arc::clone(&provenance.caller),
                flow: Arc::clone(&provenance.flow),
                key: Arc::clone(&key.key),
                request_digest: key.request_digest,
            }),
            decision: (!provenance.parts.is_empty()).then_some(provenance.decision_id),
        };
        Self { row }
    }

    #[must_use]
    pub fn id(&self) -> Uuid {
        self.row.id
    }

    /// SHA-256 of the canonical record.
    #[must_use]
    pub fn digest(&self) -> Hash {
        digest(&self.row.public, self.row.personal.as_deref())
    }
}

/// The canonical record, `{"personal":…,"public":…,"version":1}`, in pieces, so that hashing it needs no copy.
fn pieces(public: &str, personal: Option<&str>, mut take: impl FnMut(&str)) {
    take("{\"personal\":");
    take(personal.unwrap_or("null"));
    take(",\"public\":");
    take(public);
    take(VERSION_TAIL);
}

/// SHA-256 of the canonical record.
#[must_use]
pub fn digest(public: &str, personal: Option<&str>) -> Hash {
    let mut hash = Sha256::new();
    pieces(public, personal, |piece| hash.update(piece));
    hash.finalize().into()
}

/// SHA-256(salt ‖ canonical record): says nothing about the record to whom the salt is unknown.
#[must_use]
pub fn commitment(salt: &[u8; 16], public: &str, personal: Option<&str>) -> Hash {
    let mut hash = Sha256::new();
    hash.update(salt);
    pieces(public, personal, |piece| hash.update(piece));
    hash.finalize().into()
}

/// What of a decision goes into the log's tree: nothing personal.
pub(super) struct Leaf<'a> {
    pub id: Uuid,
    pub at_us: i64,
    pub flow: &'a str,
    pub revision: &'a str,
    pub outcome: &'a str,
    pub durable: Durability,
    /// Canonical JSON: name → digest.
    pub models: &'a str,
    pub commitment: &'a Hash,
}

impl Leaf<'_> {
    pub fn hash(&self) -> Hash {
        let mut json = Json::with_capacity(400);
        json.raw("{").key("commitment").hex(self.commitment);
        json.raw(",").key("decision_id").display(self.id.hyphenated());
        json.raw(",").key("flow").string(self.flow);
        json.raw(",").key("level").string(self.durable.word());
        json.raw(",").key("models").raw(self.models);
        json.raw(",").key("outcome").string(self.outcome);
        json.raw(",").key("revision").string(self.revision);
        json.raw(",").key("time").string(&time_text(self.at_us));
        json.raw(",").key("version").count(RECORD_VERSION.into()).raw("}");
        leaf_hash(json.into_text().as_bytes())
    }
}

/// The leaf hash of RFC 6962: SHA-256(0x00 ‖ leaf).
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(leaf);
    hash.finalize().into()
}

/// RFC 3339 in UTC with six digits.
#[must_use]
pub fn time_text(at_us: i64) -> String {
    Timestamp::from_microsecond(at_us).map_or_else(|_| at_us.to_string(), |at| format!("{at:.6}"))
}

fn public(provenance: &Provenance, facts: &Facts, verdict: &Verdict, subject: Option<&Hash>) -> String {
    let mut json = Json::with_capacity(1024);
    json.raw("{").key("assignment").null().raw(",").key("caller").string(&provenance.caller);
    json.raw(",").key("decided_at").string(&time_text(provenance.decided_at.as_microsecond()));
    json.raw(",").key("decision_id").display(provenance.decision_id.hyphenated());
    json.raw(",").key("degraded").boolean(verdict.degraded);
    json.raw(",").key("durable").string(provenance.durable.word());
    json.raw(",").key("elapsed_us").count(provenance.elapsed_us);
    json.raw(",").key("engine").string(&provenance.engine).raw(",").key("failures");
    verdict::failures(&mut json, &verdict.failures);
    json.raw(",").key("flow").string(&provenance.flow);
    json.raw(",").key("flow_revision").string(&provenance.flow_revision);
    json.raw(",").key("gathered");
    gathered::public(&mut json, &provenance.gathered);
    json.raw(",").key("idempotency");
    match &provenance.key {
        Some(key) => json
            .raw("{")
            .key("key")
            .string(&key.key)
            .raw(",")
            .key("request_digest")
            .hex(&key.request_digest)
            .raw("}"),
        None => json.null(),
    };
    json.raw(",").key("invalid").array(&facts.invalid, |json, problem| {
        json.raw("{").key("code").string(problem.code);
        json.raw(",").key("pointer").string(&problem.pointer).raw("}");
    });
    json.raw(",").key("language").count(provenance.language.into());
    json.raw(",").key("market").string(&provenance.market).raw(",").key("models");
    verdict::models(&mut json, verdict);
    json.raw(",").key("outcome").string(&verdict.outcome).raw(",").key("parts");
    answered_parts(&mut json, &provenance.parts);
    json.raw(",").key("personal");
    personal_inputs(&mut json, &provenance.personal, facts);
    json.raw(",").key("reasons").array(&verdict.reasons, |json, code| {
        json.string(code);
    });
    json.raw(",").key("reference");
    optional(&mut json, provenance.reference.as_deref());
    json.raw(",").key("revision").string(&provenance.revision).raw(",").key("stopped_at");
    match verdict.stopped_at {
        Some(tick) => json.count(tick),
        None => json.null(),
    };
    json.raw(",").key("subject");
    match subject {
        Some(hash) => json.hex(hash),
        None => json.null(),
    };
    json.raw(",").key("texts");
    json.object(provenance.reason_texts.iter().map(|(code, text)| (&**code, text)), |json, text| {
        json.string(text);
    });
    json.raw(",").key("ticks").count(verdict.ticks);
    json.raw(",").key("trace_version").count(TRACE_VERSION.into());
    json.raw(",").key("version").count(RECORD_VERSION.into()).raw("}");
    json.into_text()
}

fn answered_parts(json: &mut Json, parts: &[AnsweredPart]) {
    json.array(parts, |json, part| {
        json.raw("{").key("answered_at").string(&time_text(part.answered_at.as_microsecond()));
        json.raw(",").key("answered_by").string(&part.answered_by);
        json.raw(",").key("asked_at").string(&time_text(part.asked_at.as_microsecond()));
        json.raw(",").key("need").string(&part.need);
        json.raw(",").key("part").count(part.number.into()).raw("}");
    });
}

/// The names that must be masked when the record is shown: declared personal, or not declared at all.
pub(super) fn personal_inputs(json: &mut Json, declared: &[(Name, Personal)], facts: &Facts) {
    let word = |personal: &Personal| match personal {
        Personal::No => None,
        Personal::Key => Some("key"),
        Personal::Mask => Some("mask"),
    };
    let declared = declared.iter().filter_map(|(name, personal)| Some((&**name, word(personal)?)));
    let unread = facts.unread.iter().map(|(name, _)| (name.as_str(), "mask"));
    json.object(declared.chain(unread), |json, word| {
        json.string(word);
    });
}

fn personal(given: &Given, verdict: &Verdict, gathered: &[Answered]) -> String {
    let mut json = Json::with_capacity(2048);
    json.raw("{").key("facts").given(given).raw(",").key("features");
    verdict::features(&mut json, verdict);
    if !gathered.is_empty() {
        json.raw(",").key("gathered");
        gathered::personal(&mut json, gathered);
    }
    json.raw(",").key("output");
    verdict::output(&mut json, &verdict.output);
    json.raw(",").key("scores");
    verdict::scores(&mut json, verdict);
    json.raw(",").key("trace");
    verdict::trace(&mut json, &verdict.trace);
    json.raw("}");
    json.into_text()
}

pub(super) fn optional(json: &mut Json, text: Option<&str>) {
    match text {
        Some(text) => json.string(text),
        None => json.null(),
    };
}

/// `rule` and `set.rule` of every hit, in the order of the trace.
fn rules_that_hit(verdict: &Verdict) -> Option<Arc<str>> {
    fn add(steps: &[Step], below: &str, names: &mut Vec<String>) {
        for step in steps {
            match step {
                Step::Rules { name, rules, .. } => {
                    for rule in rules.hits() {
                        names.push(rule.id.to_string());
                        names.push(format!("{below}{name}.{}", rule.id));
                    }
                }
                Step::SubFlow { name, trace, .. } => add(trace, &format!("{below}{name}."), names),
                _ => {}
            }
        }
    }
    let mut names: Vec<String> = Vec::new();
    add(&verdict.trace, "", &mut names);
    list(names.iter().map(String::as_str))
}

/// `model`, `model@version` of every model that was asked, then the digests.
fn models_that_answered(verdict: &Verdict) -> Option<Arc<str>> {
    fn add(steps: &[Step], names: &mut Vec<String>) {
        for step in steps {
            match step {
                Step::Model { model, version, .. } => {
                    names.push(model.to_string());
                    names.push(format!("{model}@{version}"));
                }
                Step::SubFlow { trace, .. } => add(trace, names),
                _ => {}
            }
        }
    }
    let mut names: Vec<String> = Vec::new();
    add(&verdict.trace, &mut names);
    list(names.iter().map(String::as_str).chain(verdict.models.iter().map(|(_, digest)| &**digest)))
}

#[cfg(test)]
mod tests {
    use super::super::{sample, verify};
    use super::*;

    #[test]
    fn ids_sort_by_the_microsecond_and_are_version_7() {
        let at = |us: i64| stamp(Timestamp::from_microsecond(1_795_000_000_123_000 + us).unwrap()).0;
        assert_eq!(at(0).get_version_num(), 7);
        for us in 0..2000 {
            assert!(at(us) < at(us + 1), "{us}");
        }
        let (_, rounded) = stamp("2026-11-22T09:00:00.123456789Z".parse().unwrap());
        assert_eq!(rounded.to_string(), "2026-11-22T09:00:00.123456Z");
    }

    fn canonical(public: &str, personal: Option<&str>) -> String {
        let mut whole = String::new();
        pieces(public, personal, |piece| whole.push_str(piece));
        whole
    }

    #[test]
    fn both_parts_and_the_whole_are_canonical_json() {
        let key = SubjectKey::new([1; 32]);
        let (given, facts, verdict) = (sample::given(), sample::facts(), sample::verdict());
        for provenance in [sample::provenance(), sample::keyed("k\u{1}\"", 1)] {
            let record = DecisionRecord::new(&provenance, &given, &facts, &verdict, &key, [2; 16]);
            let personal = record.row.personal.as_deref().unwrap();
            let whole = canonical(&record.row.public, Some(personal));
            for text in [&*record.row.public, personal, whole.as_str()] {
                let parsed: serde_json::Value = serde_json::from_str(text).unwrap();
                assert_eq!(serde_json_canonicalizer::to_string(&parsed).unwrap(), text);
            }
            assert!(!record.row.public.contains("person-7"), "the public part has no fact");
            assert!(!record.row.public.contains("2500"));
        }
    }

    /// What a flow that was asked did stands inside its step: both must look there.
    #[test]
    fn what_verification_reads_from_the_trace_is_what_the_columns_say() {
        let inner = sample::verdict();
        let outer = Step::SubFlow {
            name: "fraud_check".into(),
            outcome: inner.outcome.clone(),
            reasons: inner.reasons.clone(),
            degraded: false,
            trace: inner.trace.clone(),
        };
        let mut verdict = sample::verdict();
        verdict.trace.insert(0, outer);
        let mut text = Json::with_capacity(64);
        crate::audit::verdict::trace(&mut text, &verdict.trace);
        let trace: Vec<serde_json::Value> = serde_json::from_str(&text.into_text()).unwrap();
        let rules = rules_that_hit(&verdict);
        assert_eq!(verify::rules(&trace), rules);
        let rules = rules.unwrap();
        assert!(rules.contains("fraud_check.knockout.heavy"), "{rules}");
        let digests = verdict.models.iter().map(|(name, digest)| (name.to_string(), digest.to_string()));
        let models = verify::sorted(models_that_answered(&verdict).as_deref());
        assert_eq!(verify::models(&trace, &digests.collect()), models);
        assert_eq!(models.iter().filter(|model| *model == "german_credit@2").count(), 2);
    }

    #[test]
    fn a_commitment_says_nothing_without_its_salt() {
        let key = SubjectKey::new([1; 32]);
        let provenance = sample::provenance();
        let make = |salt| {
            DecisionRecord::new(
                &provenance,
                &sample::given(),
                &sample::facts(),
                &sample::verdict(),
                &key,
                salt,
            )
        };
        assert_eq!(make([1; 16]), make([1; 16]));
        assert_ne!(make([1; 16]).row.commitment, make([2; 16]).row.commitment);
        assert_eq!(make([1; 16]).digest(), make([2; 16]).digest());
    }
}
