//! The log as the engine and the doors use it: records in, records out. Cloning shares it. Absent: SQL, and any
//! judgement about who asks.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::entry::{self, Entry};
use super::part::{self, OpenDecision, PartRecord, StoppedPart};
use super::record::{DecisionRecord, Provenance};
use super::stored::{Record, Unreadable};
use super::subject::SubjectKey;
use crate::domain::facts::{Facts, Given};
use crate::domain::verdict::Verdict;
use crate::store::{
    AppendError, Appended, Durability, Filter, Health, KeyGuard, KeyHolder, Kind, OpenError, RevisionFile,
    RevisionRow, Store, StoreError, StoreSettings,
};

/// The audit log.
#[derive(Debug, Clone)]
pub struct Audit {
    store: Store,
}

/// That a record is as durable as it was asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    pub decision_id: Uuid,
    /// What was waited for.
    pub durable: Durability,
    /// Its place; `None` while it is only queued (`memory`).
    pub appended: Option<Appended>,
}

/// A file of a revision that is about to come into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileToKeep {
    /// The flow that it belongs to; empty for what belongs to no single flow (a model, a shared list).
    pub flow: Arc<str>,
    /// Relative, with `/`.
    pub path: Arc<str>,
    pub bytes: Arc<[u8]>,
}

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// A page of a search.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where to go on; `None` on the last page. Needs no escaping in a URL.
    pub next: Option<String>,
}

/// How far the decisions that are looked for have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SearchState {
    #[default]
    Decided,
    /// They wait for their caller.
    Needs,
}

/// What a search asks for, as a caller says it.
#[derive(Debug, Clone, Default)]
pub struct Search {
    pub state: SearchState,
    pub filter: Filter,
    /// Whom the decision is about, in plain; searched as keyed hashes.
    pub subject: Option<String>,
    pub cursor: Option<String>,
}

/// Not a cursor that this program gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this search")]
pub struct BadCursor;

impl Search {
    /// # Errors
    /// When the cursor is none that this program gave.
    pub fn check(&self) -> Result<(), BadCursor> {
        self.cursor.as_deref().map_or(Ok(()), |cursor| parse_cursor(cursor).map(drop))
    }
}

fn parse_cursor(cursor: &str) -> Result<Uuid, BadCursor> {
    let simple = cursor.len() == 32 && cursor.bytes().all(|byte| byte.is_ascii_hexdigit());
    if simple { Uuid::try_parse(cursor).map_err(|_| BadCursor) } else { Err(BadCursor) }
}

impl Audit {
    /// Opens the log under the data folder; Postgres follows in the background.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(settings: StoreSettings) -> Result<Self, OpenError> {
        Ok(Self { store: Store::open(settings).await? })
    }

    /// Builds the record of a verdict, with a fresh salt and this log's subject key.
    #[must_use]
    pub fn record(
        &self,
        provenance: &Provenance,
        given: &Given,
        facts: &Facts,
        verdict: &Verdict,
    ) -> DecisionRecord {
        let key = self.store.subject_keys().first().copied().unwrap_or_default();
        DecisionRecord::new(provenance, given, facts, verdict, &SubjectKey::new(key), salt())
    }

    /// Appends a decision and waits as long as its durability asks. Once queued it is recorded even if the caller
    /// goes away.
    ///
    /// # Errors
    /// See [`AppendError`]; on `KeyTaken` the answer is the holder's.
    pub async fn append(&self, record: DecisionRecord) -> Result<Recorded, AppendError> {
        let (decision_id, durable) = (record.id(), record.row.durable);
        let appended = self.store.append(record.row).await?;
        Ok(Recorded { decision_id, durable, appended })
    }

    /// Builds the record of an evaluation that stopped to ask its caller; `None` if it asks for nothing.
    #[must_use]
    pub fn part(
        &self,
        provenance: &Provenance,
        part: &StoppedPart,
        given: (&Given, &Facts),
        verdict: &Verdict,
    ) -> Option<PartRecord> {
        let key = self.store.subject_keys().first().copied().unwrap_or_default();
        PartRecord::new(provenance, part, given, verdict, &SubjectKey::new(key), salt())
    }

    /// Appends a part and waits as long as its durability asks.
    ///
    /// # Errors
    /// See [`AppendError`]; on `KeyTaken` the answer is the holder's.
    pub async fn append_part(&self, part: PartRecord) -> Result<Recorded, AppendError> {
        let (decision_id, durable) = (part.row.stands_for(), part.row.durable);
        let appended = self.store.append(part.row).await?;
        Ok(Recorded { decision_id, durable, appended })
    }

    /// Waits for one's turn to go on with a decision; kept until what comes of it has been appended.
    pub async fn begin_part(&self, decision: Uuid) -> KeyGuard {
        self.store.begin_part(decision).await
    }

    /// A decision that waits for its caller; also one that was made since: look for that first.
    ///
    /// # Errors
    /// When neither the local log nor Postgres can say.
    pub async fn open_decision(&self, id: Uuid) -> Result<Option<OpenDecision>, ReadError> {
        Ok(OpenDecision::read(self.store.parts(id).await?)?)
    }

    /// A page of decisions that wait for their caller, newest first. A page may have fewer than asked for: those that
    /// were made meanwhile are left out.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn open_decisions(&self, search: Search) -> Result<Page<OpenDecision>, ReadError> {
        let page = self.page(Kind::Part, search).await?;
        // Each has exactly one first part.
        let first = page.items.iter().filter(|stored| part::is_first(stored));
        let ids: Vec<Uuid> = first.map(|stored| stored.row.stands_for()).collect();
        let decided = self.store.decided(ids.clone()).await?;
        let mut items: Vec<OpenDecision> = Vec::new();
        for id in ids.into_iter().filter(|id| !decided.contains(id)) {
            items
                .extend(self.open_decision(id).await?.filter(|_| !items.iter().any(|o| o.decision_id == id)));
        }
        Ok(Page { items, next: page.next })
    }

    /// Appends a refusal, release or read; durable here when it returns if `Local`.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn append_entry(&self, entry: Entry, durable: Durability) -> Result<Uuid, AppendError> {
        let row = entry.into_row(salt(), durable);
        let id = row.id;
        self.store.append(row).await?;
        Ok(id)
    }

    /// Waits for one's turn under an idempotency key: `Some` holder is the decision to give again, else the caller
    /// decides and keeps the guard until the record has been appended.
    ///
    /// # Errors
    /// When the local log cannot be read.
    pub async fn begin_key(
        &self,
        caller: &str,
        flow: &str,
        key: &str,
    ) -> Result<(KeyGuard, Option<KeyHolder>), StoreError> {
        self.store.begin_key(caller, flow, key).await
    }

    /// The decision that a key stands for.
    ///
    /// # Errors
    /// When the local log cannot be read.
    pub async fn lookup_key(
        &self,
        caller: &str,
        flow: &str,
        key: &str,
    ) -> Result<Option<KeyHolder>, StoreError> {
        self.store.key_holder(caller, flow, key).await
    }

    /// Waits until Postgres has a record of this node, for a repeated key that asks for `central`.
    ///
    /// # Errors
    /// `NotCentral` when it does not confirm in time.
    pub async fn wait_central(&self, local: i64) -> Result<(), AppendError> {
        if local == 0 { Ok(()) } else { self.store.wait_central(local).await }
    }

    /// One decision.
    ///
    /// # Errors
    /// When neither the local log nor Postgres can say.
    pub async fn get(&self, id: Uuid) -> Result<Option<Record>, ReadError> {
        Ok(self.store.get(id).await?.and_then(Record::new))
    }

    /// A page of decisions, newest first.
    ///
    /// # Errors
    /// When the log cannot be read. A bad cursor is refused by [`Search::check`]; here it finds nothing.
    pub async fn search(&self, search: Search) -> Result<Page<Record>, ReadError> {
        let page = self.page(Kind::Decision, search).await?;
        Ok(Page { items: page.items.into_iter().filter_map(Record::new).collect(), next: page.next })
    }

    /// A page of refusals, as JSON.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn refusals(&self, search: Search) -> Result<Page<Value>, ReadError> {
        self.entries(Kind::Refusal, search).await
    }

    /// A page of releases, as JSON. `filter.flow` finds those that had the flow in force.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn releases(&self, mut search: Search) -> Result<Page<Value>, ReadError> {
        search.filter.rule = search.filter.flow.take();
        self.entries(Kind::Release, search).await
    }

    /// A page of reads, as JSON. `filter.reference` is the id of the decision that was read.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn reads(&self, search: Search) -> Result<Page<Value>, ReadError> {
        self.entries(Kind::Read, search).await
    }

    async fn entries(&self, kind: Kind, search: Search) -> Result<Page<Value>, ReadError> {
        let page = self.page(kind, search).await?;
        let items = page.items.iter().map(entry::show).collect::<Result<_, _>>()?;
        Ok(Page { items, next: page.next })
    }

    async fn page(&self, kind: Kind, search: Search) -> Result<Page<crate::store::Stored>, ReadError> {
        let Search { state: _, mut filter, subject, cursor } = search;
        filter.limit = filter.limit.clamp(1, crate::store::PAGE_LIMIT);
        match cursor.as_deref().map(parse_cursor) {
            Some(Err(BadCursor)) => return Ok(Page { items: Vec::new(), next: None }),
            Some(Ok(before)) => filter.before = Some(before),
            None => {}
        }
        if let Some(subject) = subject {
            let keys = self.store.subject_keys();
            filter.subject =
                Some(keys.iter().map(|key| SubjectKey::new(*key).hash(&subject).to_vec()).collect());
        }
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        let items = self.store.search(kind, filter).await?;
        // A full page may be the last; then the next one is empty, which is cheaper than asking for one more each.
        let next = items.last().filter(|_| items.len() >= limit).map(|last| last.row.id.simple().to_string());
        Ok(Page { items, next })
    }

    /// Stores the files of a revision, durable on this machine when it returns; before the revision comes into
    /// force.
    ///
    /// # Errors
    /// When they could not be stored: the revision must not come into force.
    pub async fn put_revision(&self, revision: &str, files: Vec<FileToKeep>) -> Result<(), StoreError> {
        let files = files
            .into_iter()
            .map(|FileToKeep { flow, path, bytes }| RevisionFile {
                flow,
                path,
                digest: Sha256::digest(&bytes).into(),
                bytes,
            })
            .collect();
        self.store.put_revision(Arc::from(revision), files).await
    }

    /// The files of a revision by (flow, path); empty when nobody has it.
    ///
    /// # Errors
    /// When it is not here and Postgres is away.
    pub async fn revision_files(&self, revision: &str) -> Result<Vec<RevisionFile>, StoreError> {
        self.store.revision_files(revision).await
    }

    /// Every known revision, newest first.
    ///
    /// # Errors
    /// When the local log cannot be read.
    pub async fn revisions(&self) -> Result<Vec<RevisionRow>, StoreError> {
        self.store.revisions().await
    }

    /// Remembers which revision is in force here, for a restart with broken documents.
    ///
    /// # Errors
    /// When the local log cannot take it.
    pub async fn set_in_force(&self, revision: &str) -> Result<(), StoreError> {
        self.store.set_in_force(revision).await
    }

    /// The revision that was last in force here.
    ///
    /// # Errors
    /// When the local log cannot be read.
    pub async fn last_in_force(&self) -> Result<Option<String>, StoreError> {
        self.store.last_in_force().await
    }

    #[must_use]
    pub fn health(&self) -> Health {
        self.store.health()
    }

    /// This log's stable id.
    #[must_use]
    pub fn node(&self) -> Uuid {
        self.store.node()
    }

    /// Commits what is queued, ships what it can within `deadline`, closes the file.
    pub async fn close(&self, deadline: Duration) {
        self.store.close(deadline).await;
    }
}

/// From this thread's generator, which the system seeds: a call to the system for each record would be felt.
fn salt() -> [u8; 16] {
    rand::random()
}

#[cfg(test)]
mod tests {
    use super::super::verdict::canonical_verdict;
    use super::super::{Sight, sample};
    use super::*;

    async fn open(folder: &std::path::Path) -> Audit {
        Audit::open(StoreSettings::new(folder)).await.unwrap()
    }

    async fn append(audit: &Audit, provenance: &Provenance) -> Result<Recorded, AppendError> {
        let record = audit.record(provenance, &sample::given(), &sample::facts(), &sample::verdict());
        audit.append(record).await
    }

    #[tokio::test]
    async fn a_decision_comes_back_to_the_byte_and_masked() {
        let folder = tempfile::tempdir().unwrap();
        let audit = open(folder.path()).await;
        let provenance = sample::provenance();
        let recorded = append(&audit, &provenance).await.unwrap();
        assert_eq!(recorded.appended.unwrap().position.sequence, 1);

        let record = audit.get(provenance.decision_id).await.unwrap().unwrap();
        assert_eq!(record.verdict().unwrap(), canonical_verdict(&sample::verdict()));
        assert_eq!(record.decided_at(), provenance.decided_at);
        let Given::Map(mut sent) = sample::given() else { panic!() };
        sent.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(record.facts().unwrap(), Given::Map(sent));
        let answer = record.answer().unwrap();
        assert_eq!(answer.output, serde_json::json!({ "limit": "0.00" }));
        assert_eq!(answer.reasons[0].1.as_deref(), Some("Estimated risk of default is too high"));
        assert_eq!((answer.elapsed_us, answer.degraded), (84, true));

        let masked = record.show(Sight::Masked).unwrap();
        assert_eq!(masked["facts"], serde_json::json!({ "age": 41, "amount": "***", "applicant_id": "***" }));
        assert_eq!(masked["features"]["from_amount"], "***");
        assert_eq!(masked["features"]["burden"], 0.35);
        assert_eq!(masked["trace"][0]["value"], "***");
        assert!(!masked.to_string().contains("person-7"));
        let plain = record.show(Sight::Plain).unwrap();
        assert_eq!(plain["facts"]["amount"], "2500.00");
        assert_eq!(plain["trace"][0]["value"], 2.5);
        assert_eq!(plain["features"]["unused"]["state"], "unread");
        audit.close(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn every_filter_finds_and_refuses() {
        let folder = tempfile::tempdir().unwrap();
        let audit = open(folder.path()).await;
        append(&audit, &sample::provenance()).await.unwrap();
        let found = |change: fn(&mut Search, &str)| {
            let audit = audit.clone();
            move |value: &'static str| {
                let audit = audit.clone();
                async move {
                    let mut search =
                        Search { filter: Filter { limit: 10, ..Filter::default() }, ..Search::default() };
                    change(&mut search, value);
                    audit.search(search).await.unwrap().items.len()
                }
            }
        };
        type Change = fn(&mut Search, &str);
        let cases: [(Change, &[&'static str]); 10] = [
            (|s, v| s.filter.flow = Some(v.into()), &["personal_loan"]),
            (|s, v| s.filter.market = Some(v.into()), &["base"]),
            (|s, v| s.filter.outcome = Some(v.into()), &["decline"]),
            (|s, v| s.filter.reason = Some(v.into()), &["R201", "R104"]),
            (|s, v| s.filter.rule = Some(v.into()), &["heavy", "knockout.heavy"]),
            (|s, v| s.filter.model = Some(v.into()), &["german_credit", "german_credit@2", "sha256:aa"]),
            (|s, v| s.filter.reference = Some(v.into()), &["application-8841"]),
            (|s, v| s.filter.revision = Some(v.into()), &["sha256:rr"]),
            (|s, v| s.filter.caller = Some(v.into()), &["shop"]),
            (|s, v| s.subject = Some(v.into()), &["person-7"]),
        ];
        for (change, values) in cases {
            for value in values {
                assert_eq!(found(change)(value).await, 1, "{value}");
            }
            assert_eq!(found(change)("another").await, 0);
        }
        assert_eq!(found(|s, _| s.filter.rule = Some("young".into()))("").await, 0, "a miss is no hit");
        assert_eq!(found(|s, _| s.filter.degraded = Some(false))("").await, 0);
        assert_eq!(found(|s, _| s.filter.to_us = Some(0))("").await, 0);
        assert_eq!(found(|s, _| s.filter.from_us = Some(1))("").await, 1);
        audit.close(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn a_key_stands_for_its_first_decision() {
        let folder = tempfile::tempdir().unwrap();
        let audit = open(folder.path()).await;
        let first = sample::keyed("k1", 1);
        append(&audit, &first).await.unwrap();
        let holder = KeyHolder { request_digest: [1; 32], decision_id: first.decision_id };
        let second = append(&audit, &sample::keyed("k1", 2)).await;
        assert_eq!(second, Err(AppendError::KeyTaken(holder)));
        let (_guard, found) = audit.begin_key("shop", "personal_loan", "k1").await.unwrap();
        assert_eq!(found, Some(holder));
        assert_eq!(audit.lookup_key("other", "personal_loan", "k1").await.unwrap(), None);
        audit.close(Duration::ZERO).await;
    }
}
