//! TO BE REPLACED AT MERGE: only the signatures of `audit` that the doors use.
use crate::domain::value::Name;
use jiff::Timestamp;
use serde_json::Value as Json;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    Central,
    Local,
    Memory,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecisionQuery {
    pub flow: Option<String>,
    pub market: Option<String>,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub reference: Option<String>,
    pub rule: Option<String>,
    pub model: Option<String>,
    pub revision: Option<String>,
    pub caller: Option<String>,
    pub subject: Option<String>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub degraded: Option<bool>,
    pub limit: u32,
    pub cursor: Option<String>,
}

/// Also for releases (`flow`, `to` = at).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryQuery {
    pub flow: Option<String>,
    pub reference: Option<String>,
    pub code: Option<String>,
    pub caller: Option<String>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub limit: u32,
    pub cursor: Option<String>,
}

#[derive(Debug)]
pub struct Page<T> {
    pub entries: Vec<T>,
    pub next: Option<String>,
}

#[derive(Debug)]
pub struct StoredDecision {
    pub caller: Name,
    pub personal: Vec<String>,
    pub record: Json,
}

#[derive(Debug)]
pub struct Refusal {
    pub at: Timestamp,
    pub caller: Option<Name>,
    pub flow: Option<String>,
    pub reference: Option<String>,
    pub code: &'static str,
    /// Pointer and code.
    pub problems: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Read {
    pub at: Timestamp,
    pub reader: Name,
    pub decision_id: Option<Uuid>,
    pub purpose: Option<String>,
    pub what: &'static str,
}

#[derive(Debug, Clone)]
pub struct KeyRecord {
    pub name: Name,
    pub role: String,
    pub flows: Option<Vec<String>>,
    pub sha256: [u8; 32],
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("the cursor is not one of ours")]
    BadCursor,
    #[error("the record store cannot be read")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[derive(Debug, Clone)]
pub struct AuditSettings {
    pub data: std::path::PathBuf,
    pub database_url: Option<String>,
    pub queue_records: usize,
    pub queue_bytes: usize,
    pub keep_shipped: Option<std::time::Duration>,
    pub keep_local: Option<std::time::Duration>,
}

#[derive(Debug, thiserror::Error)]
#[error("the data directory cannot be opened")]
pub struct OpenError;

#[derive(Debug)]
pub struct Audit {
    _private: (),
}

#[expect(clippy::unused_async, reason = "signatures only; replaced at merge")]
impl Audit {
    pub async fn open(_settings: AuditSettings) -> Result<Self, OpenError> {
        Ok(Self { _private: () })
    }
    pub async fn close(&self) -> Result<(), AuditError> {
        Ok(())
    }
    pub async fn get(&self, _id: Uuid) -> Result<Option<StoredDecision>, AuditError> {
        Ok(None)
    }
    pub async fn search(&self, _query: DecisionQuery) -> Result<Page<StoredDecision>, AuditError> {
        Ok(Page { entries: vec![], next: None })
    }
    pub async fn refusals(&self, _query: EntryQuery) -> Result<Page<Json>, AuditError> {
        Ok(Page { entries: vec![], next: None })
    }
    pub async fn releases(&self, _query: EntryQuery) -> Result<Page<Json>, AuditError> {
        Ok(Page { entries: vec![], next: None })
    }
    pub async fn revisions(&self) -> Result<Vec<Json>, AuditError> {
        Ok(vec![])
    }
    pub async fn revision(&self, _revision: &str) -> Result<Option<Json>, AuditError> {
        Ok(None)
    }
    pub fn refuse(&self, _refusal: Refusal) {}
    pub fn record_read(&self, _read: Read) {}
    pub fn health(&self) -> Json {
        Json::Null
    }
    pub async fn keys(&self) -> Result<Vec<KeyRecord>, AuditError> {
        Ok(vec![])
    }
}
