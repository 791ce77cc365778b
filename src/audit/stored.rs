//! A decision read back from the log: its verdict to the byte, its facts as they were given, the answer that it
//! was, and how it is shown to who may see it. Absent: any change to it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::json::read_given;
use super::record;
use crate::domain::facts::Given;
use crate::store::{Durability, Hash, Kind, Position, Stored};

/// A stored record that is not of a form that this program writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored record cannot be read: {0}")]
pub struct Unreadable(pub &'static str);

/// A decision as it was recorded.
#[derive(Debug, Clone)]
pub struct Record {
    pub(super) stored: Stored,
}

/// A reason's code and the text that was given with it.
pub type GivenReason = (Arc<str>, Option<Arc<str>>);

/// What the HTTP answer to the request was; enough to give it again.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub decision_id: Uuid,
    pub flow: Arc<str>,
    pub market: Arc<str>,
    pub revision: Arc<str>,
    pub flow_revision: Arc<str>,
    pub outcome: Arc<str>,
    /// Codes by rank, with the text that was given with each.
    pub reasons: Vec<GivenReason>,
    /// A JSON object.
    pub output: serde_json::Value,
    /// Rounded, as the flow saw them.
    pub scores: Vec<(Arc<str>, f64)>,
    pub decided_at: Timestamp,
    pub elapsed_us: u64,
    pub degraded: bool,
    pub durable: Durability,
}

/// The fields of the public part that are read back.
#[derive(Debug, Deserialize)]
pub(super) struct Public<'a> {
    pub caller: Arc<str>,
    pub decided_at: Arc<str>,
    pub decision_id: Uuid,
    pub degraded: bool,
    pub durable: Arc<str>,
    pub elapsed_us: u64,
    #[serde(borrow)]
    pub failures: &'a RawValue,
    pub flow: Arc<str>,
    pub flow_revision: Arc<str>,
    #[serde(borrow, default)]
    pub gathered: Option<&'a RawValue>,
    pub idempotency: Option<StoredKey>,
    pub language: u32,
    pub market: Arc<str>,
    #[serde(borrow)]
    pub models: &'a RawValue,
    pub outcome: Arc<str>,
    #[serde(borrow)]
    pub parts: &'a RawValue,
    #[serde(borrow)]
    pub reasons: &'a RawValue,
    pub reference: Option<Arc<str>>,
    pub revision: Arc<str>,
    pub stopped_at: Option<u64>,
    pub subject: Option<Arc<str>>,
    pub texts: std::collections::BTreeMap<Arc<str>, Arc<str>>,
}

/// The idempotency key in the public part.
#[derive(Debug, Deserialize)]
pub(super) struct StoredKey {
    pub key: Arc<str>,
    /// Hexadecimal.
    pub request_digest: Arc<str>,
}

/// The fields of the personal part that are read back.
#[derive(Debug, Deserialize)]
pub(super) struct Personal<'a> {
    #[serde(borrow)]
    pub facts: &'a RawValue,
    #[serde(borrow)]
    pub features: &'a RawValue,
    #[serde(borrow, default)]
    pub gathered: Option<&'a RawValue>,
    #[serde(borrow)]
    pub output: &'a RawValue,
    #[serde(borrow)]
    pub scores: &'a RawValue,
}

#[derive(Deserialize)]
struct StoredScore {
    rounded: f64,
}

impl Record {
    pub(super) fn new(stored: Stored) -> Option<Self> {
        (stored.row.kind == Kind::Decision).then_some(Self { stored })
    }

    #[must_use]
    pub fn id(&self) -> Uuid {
        self.stored.row.id
    }

    #[must_use]
    pub fn caller(&self) -> &str {
        self.stored.row.caller.as_deref().unwrap_or_default()
    }

    #[must_use]
    pub fn flow(&self) -> &str {
        self.stored.row.flow.as_deref().unwrap_or_default()
    }

    #[must_use]
    pub fn market(&self) -> &str {
        self.stored.row.market.as_deref().unwrap_or_default()
    }

    #[must_use]
    pub fn revision(&self) -> &str {
        self.stored.row.revision.as_deref().unwrap_or_default()
    }

    /// The caller's own id.
    #[must_use]
    pub fn reference(&self) -> Option<&str> {
        self.stored.row.reference.as_deref()
    }

    /// Whether it stopped on its way to ask its caller.
    ///
    /// # Errors
    /// When the record is not of this program's form.
    pub fn is_in_parts(&self) -> Result<bool, Unreadable> {
        Ok(self.public()?.parts.get() != "[]")
    }

    /// To the microsecond, as the evaluation saw it.
    #[must_use]
    pub fn decided_at(&self) -> Timestamp {
        Timestamp::from_microsecond(self.stored.row.at_us).unwrap_or_default()
    }

    #[must_use]
    pub fn position(&self) -> Position {
        self.stored.position
    }

    /// Where it stands in this node's local file; 0 when it came from Postgres.
    #[must_use]
    pub fn local(&self) -> i64 {
        self.stored.local
    }

    /// The decision that another replica gave first under the same key.
    #[must_use]
    pub fn duplicate_of(&self) -> Option<Uuid> {
        self.stored.duplicate_of
    }

    /// SHA-256 of the canonical record.
    #[must_use]
    pub fn digest(&self) -> Hash {
        record::digest(&self.stored.row.public, self.stored.row.personal.as_deref())
    }

    /// The version of the language in which the flow was written.
    ///
    /// # Errors
    /// When the record is not of this program's form.
    pub fn language(&self) -> Result<u32, Unreadable> {
        Ok(self.public()?.language)
    }

    /// Where the wall-clock guard stopped the evaluation; replay stops there too.
    ///
    /// # Errors
    /// When the record is not of this program's form.
    pub fn stopped_at(&self) -> Result<Option<u64>, Unreadable> {
        Ok(self.public()?.stopped_at)
    }

    /// The facts as they were given, numbers by their source text.
    ///
    /// # Errors
    /// When the record is not of this program's form, or its personal part was erased.
    pub fn facts(&self) -> Result<Given, Unreadable> {
        let json = serde_json::from_str(self.personal()?.facts.get()).map_err(|_| Unreadable("facts"))?;
        read_given(&json).map_err(Unreadable)
    }

    /// The canonical verdict: the bytes that `canonical_verdict` of the same verdict gives.
    ///
    /// # Errors
    /// When the record is not of this program's form, or its personal part was erased.
    pub fn verdict(&self) -> Result<Vec<u8>, Unreadable> {
        let (public, personal) = (self.public()?, self.personal()?);
        let outcome = serde_json::to_string(&*public.outcome).map_err(|_| Unreadable("outcome"))?;
        Ok(format!(
            "{{\"failures\":{},\"features\":{},\"models\":{},\"outcome\":{outcome},\"output\":{},\"reasons\":{},\
             \"scores\":{}}}",
            public.failures.get(),
            personal.features.get(),
            public.models.get(),
            personal.output.get(),
            public.reasons.get(),
            personal.scores.get(),
        )
        .into_bytes())
    }

    /// The answer as it was given.
    ///
    /// # Errors
    /// When the record is not of this program's form, or its personal part was erased.
    pub fn answer(&self) -> Result<Answer, Unreadable> {
        let (public, personal) = (self.public()?, self.personal()?);
        let output: serde_json::Value =
            serde_json::from_str(personal.output.get()).map_err(|_| Unreadable("output"))?;
        let scores: std::collections::BTreeMap<Arc<str>, StoredScore> =
            serde_json::from_str(personal.scores.get()).map_err(|_| Unreadable("scores"))?;
        Ok(Answer {
            decision_id: public.decision_id,
            flow: Arc::clone(&public.flow),
            market: Arc::clone(&public.market),
            revision: Arc::clone(&public.revision),
            flow_revision: Arc::clone(&public.flow_revision),
            outcome: Arc::clone(&public.outcome),
            reasons: self.reasons(&public)?,
            output: super::show::plain(output),
            scores: scores.into_iter().map(|(name, score)| (name, score.rounded)).collect(),
            decided_at: self.decided_at(),
            elapsed_us: public.elapsed_us,
            degraded: public.degraded,
            durable: self.stored.row.durable,
        })
    }

    pub(super) fn reasons(&self, public: &Public<'_>) -> Result<Vec<GivenReason>, Unreadable> {
        let codes: Vec<Arc<str>> =
            serde_json::from_str(public.reasons.get()).map_err(|_| Unreadable("reasons"))?;
        Ok(codes
            .into_iter()
            .map(|code| {
                let text = public.texts.get(&code).cloned();
                (code, text)
            })
            .collect())
    }

    pub(super) fn public(&self) -> Result<Public<'_>, Unreadable> {
        serde_json::from_str(&self.stored.row.public).map_err(|_| Unreadable("public part"))
    }

    pub(super) fn personal(&self) -> Result<Personal<'_>, Unreadable> {
        let text = self.stored.row.personal.as_deref().ok_or(Unreadable("its personal part was erased"))?;
        serde_json::from_str(text).map_err(|_| Unreadable("personal part"))
    }
}
