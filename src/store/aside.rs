//! A whole entry as bytes, for one that Postgres does not take into its tables: written as JSON, which any text
//! survives, and read back so that a walk over the log finds no gap. Absent: any other use of JSON in the store.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::row::{Durability, Hash, Kind, Position, Row, Stored};

#[derive(Serialize, Deserialize)]
struct Aside {
    kind: i16,
    id: Uuid,
    at_us: i64,
    caller: Option<Arc<str>>,
    flow: Option<Arc<str>>,
    market: Option<Arc<str>>,
    outcome: Option<Arc<str>>,
    reasons: Option<Arc<str>>,
    rules: Option<Arc<str>>,
    models: Option<Arc<str>>,
    reference: Option<Arc<str>>,
    subject: Option<Arc<[u8]>>,
    revision: Option<Arc<str>>,
    degraded: bool,
    durable: i16,
    public: Arc<str>,
    personal: Option<Arc<str>>,
    salt: Option<[u8; 16]>,
    commitment: Hash,
    leaf: Hash,
    previous: Hash,
    chain: Hash,
    node: Uuid,
    epoch: i64,
    sequence: i64,
    recorded_us: i64,
    key: Option<(Arc<str>, Hash)>,
    #[serde(default)]
    decision: Option<Uuid>,
}

pub(super) fn write(stored: &Stored) -> Vec<u8> {
    let Stored { row, position, previous, chain, .. } = stored.clone();
    let aside = Aside {
        kind: row.kind.code(),
        id: row.id,
        at_us: row.at_us,
        caller: row.caller,
        flow: row.flow,
        market: row.market,
        outcome: row.outcome,
        reasons: row.reasons,
        rules: row.rules,
        models: row.models,
        reference: row.reference,
        subject: row.subject,
        revision: row.revision,
        degraded: row.degraded,
        durable: row.durable.code(),
        public: row.public,
        personal: row.personal,
        salt: row.salt,
        commitment: row.commitment,
        leaf: row.leaf,
        previous,
        chain,
        node: position.node,
        epoch: position.epoch,
        sequence: position.sequence,
        recorded_us: position.recorded_us,
        key: row.key.map(|key| (key.key, key.request_digest)),
        decision: row.decision,
    };
    serde_json::to_vec(&aside).unwrap_or_default()
}

/// `None` for bytes that [`write`] did not write.
pub(super) fn read(bytes: &[u8]) -> Option<Stored> {
    let aside: Aside = serde_json::from_slice(bytes).ok()?;
    let row = Row {
        kind: Kind::from_code(aside.kind.into())?,
        id: aside.id,
        at_us: aside.at_us,
        caller: aside.caller,
        flow: aside.flow,
        market: aside.market,
        outcome: aside.outcome,
        reasons: aside.reasons,
        rules: aside.rules,
        models: aside.models,
        reference: aside.reference,
        subject: aside.subject,
        revision: aside.revision,
        degraded: aside.degraded,
        durable: Durability::from_code(aside.durable.into())?,
        public: aside.public,
        personal: aside.personal,
        salt: aside.salt,
        commitment: aside.commitment,
        leaf: aside.leaf,
        key: None,
        decision: aside.decision,
    };
    let position = Position {
        node: aside.node,
        epoch: aside.epoch,
        sequence: aside.sequence,
        recorded_us: aside.recorded_us,
    };
    Some(Stored { row, position, previous: aside.previous, chain: aside.chain, duplicate_of: None, local: 0 })
}
