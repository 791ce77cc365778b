//! The log on real SQLite files: crashes, concurrency, limits, retention, tampering.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Connection as _;
use tollgate::audit::{
    AppendError, Audit, CasesRun, Durability, Entry, FileToKeep, Filter, OpenError, QueueLimits, ReadEntry,
    Refusal, Search, StoreSettings, Switch, verify_folder,
};

use crate::{needs_log, samples};

pub async fn open(folder: &Path) -> Audit {
    open_with(StoreSettings::new(folder)).await
}

/// Opens a log that was perhaps dropped a moment ago, whose threads may still hold its lock.
pub async fn open_with(settings: StoreSettings) -> Audit {
    for _ in 0..200 {
        match Audit::open(settings.clone()).await {
            Ok(audit) => return audit,
            Err(OpenError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("the log stayed in use");
}

pub fn all(limit: u32) -> Search {
    Search { filter: Filter { limit, ..Filter::default() }, ..Search::default() }
}

/// Appends from many tasks at once; gives the ids that were acknowledged.
pub async fn append_many(audit: &Audit, count: usize, durable: Durability) -> BTreeSet<uuid::Uuid> {
    let tasks: Vec<_> = (0..count)
        .map(|n| {
            let audit = audit.clone();
            tokio::spawn(async move {
                let record = samples::record(&audit, &format!("person-{n}"), durable);
                audit.append(record).await.unwrap().decision_id
            })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for task in tasks {
        ids.insert(task.await.unwrap());
    }
    ids
}

pub async fn ids(audit: &Audit) -> BTreeSet<uuid::Uuid> {
    let mut found = BTreeSet::new();
    let mut search = all(100);
    loop {
        let page = audit.search(search.clone()).await.unwrap();
        for record in &page.items {
            assert!(found.insert(record.id()), "{} twice", record.id());
        }
        match page.next {
            Some(next) => search.cursor = Some(next),
            None => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_crash_and_sequences_are_contiguous() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path()).await;
    let acknowledged = append_many(&audit, 700, Durability::Local).await;
    // What kill -9 leaves behind is what the files hold now, while the log is open.
    let crashed = tempfile::tempdir().unwrap();
    for file in ["log.db", "log.db-wal"] {
        std::fs::copy(folder.path().join(file), crashed.path().join(file)).unwrap();
    }
    let reopened = open(crashed.path()).await;
    assert_eq!(ids(&reopened).await, acknowledged);
    let more = append_many(&reopened, 30, Durability::Local).await;
    let report = verify_folder(crashed.path()).await.unwrap();
    assert!(report.is_whole(), "{:?}", report.problems);
    assert_eq!((report.entries, report.nodes[&reopened.node()]), (730, 2), "one node, two epochs");
    assert_eq!(ids(&reopened).await.len(), acknowledged.len() + more.len());

    // Dropped without being closed, then opened again.
    drop(audit);
    let again = open(folder.path()).await;
    assert_eq!(ids(&again).await, acknowledged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path()).await;
    let mut gone = BTreeSet::new();
    for n in 0..50 {
        let record = samples::record(&audit, &format!("person-{n}"), Durability::Local);
        gone.insert(record.id());
        let append = tokio::spawn({
            let audit = audit.clone();
            async move { audit.append(record).await }
        });
        tokio::task::yield_now().await;
        if n % 2 == 0 {
            let _ = append.await;
        } else {
            append.abort();
        }
    }
    audit.close(Duration::from_secs(1)).await;
    let reopened = open(folder.path()).await;
    let kept = ids(&reopened).await;
    assert!(kept.is_subset(&gone) && kept.len() >= 25);
    assert!(verify_folder(folder.path()).await.unwrap().is_whole());
}

#[tokio::test]
async fn a_second_process_on_one_log_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path()).await;
    let refused = Audit::open(StoreSettings::new(folder.path())).await.unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }));
    assert!(refused.to_string().contains("--data"), "{refused}");
    audit.close(Duration::ZERO).await;
    let next = Audit::open(StoreSettings::new(folder.path())).await.unwrap();
    assert_eq!(next.node(), audit.node(), "the node is the folder's");
    let after = audit.append(samples::record(&next, "p", Durability::Local)).await;
    assert!(matches!(after, Err(AppendError::NotRecorded(_))), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_in_parallel_under_one_key_make_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path()).await;
    let decided = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..1000)
        .map(|n| {
            let (audit, decided) = (audit.clone(), Arc::clone(&decided));
            tokio::spawn(async move {
                let (mut guard, holder) = audit.begin_key("shop", "personal_loan", "k").await.unwrap();
                if let Some(holder) = holder {
                    return Some(holder.decision_id);
                }
                // The first two who get a turn fail after deciding: the key stays free.
                if decided.fetch_add(1, Ordering::SeqCst) < 2 {
                    return None;
                }
                let record = samples::keyed(&audit, &format!("person-{n}"), "k", Durability::Local);
                let recorded = audit.append(record).await.unwrap();
                let word =
                    tollgate::audit::KeyHolder { request_digest: [7; 32], decision_id: recorded.decision_id };
                guard.leave_word(word);
                Some(recorded.decision_id)
            })
        })
        .collect();
    let mut given = Vec::new();
    for task in tasks {
        given.extend(task.await.unwrap());
    }
    assert_eq!(given.len(), 998);
    assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(ids(&audit).await, given.into_iter().collect());

    // Without the guard the unique index holds: everyone else is told whose the key is.
    let race: Vec<_> = (0..100)
        .map(|n| {
            let audit = audit.clone();
            tokio::spawn(async move {
                audit.append(samples::keyed(&audit, &format!("p{n}"), "raced", Durability::Memory)).await
            })
        })
        .collect();
    let mut won = Vec::new();
    let mut holders = BTreeSet::new();
    for task in race {
        match task.await.unwrap() {
            Ok(recorded) => won.push(recorded.decision_id),
            Err(AppendError::KeyTaken(holder)) => drop(holders.insert(holder.decision_id)),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((won.len(), holders), (1, won.iter().copied().collect()));
    assert!(verify_folder(folder.path()).await.unwrap().is_whole());
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let limits = QueueLimits { records: 8, bytes: 1 << 20 };
    let audit = open_with(StoreSettings { queue: limits, ..StoreSettings::new(folder.path()) }).await;
    let records: Vec<_> =
        (0..200).map(|n| samples::record(&audit, &format!("p{n}"), Durability::Local)).collect();
    let (mut taken, mut refused, mut tasks) = (BTreeSet::new(), 0, Vec::new());
    for record in records {
        let (id, audit) = (record.id(), audit.clone());
        tasks.push((id, tokio::spawn(async move { audit.append(record).await })));
    }
    for (id, task) in tasks {
        match task.await.unwrap() {
            Ok(_) => drop(taken.insert(id)),
            Err(AppendError::Overloaded) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0 && taken.len() >= 8, "{refused} refused");
    audit.close(Duration::ZERO).await;
    let reopened = open(folder.path()).await;
    assert_eq!(ids(&reopened).await, taken);
    assert_eq!(audit.health().gaps, 0);

    let limits = QueueLimits { records: 1000, bytes: 100 };
    let other = tempfile::tempdir().unwrap();
    let audit = open_with(StoreSettings { queue: limits, ..StoreSettings::new(other.path()) }).await;
    let large = audit.append(samples::record(&audit, "p", Durability::Local)).await;
    assert_eq!(large, Err(AppendError::Overloaded), "bytes count too");
}

#[tokio::test]
async fn who_does_not_wait_is_slowed_down_before_anyone_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let limits = QueueLimits { records: 8, bytes: 1 << 20 };
    let audit = open_with(StoreSettings { queue: limits, ..StoreSettings::new(folder.path()) }).await;
    let mut waited = 0;
    for n in 0..200 {
        let recorded =
            audit.append(samples::record(&audit, &format!("p{n}"), Durability::Memory)).await.unwrap();
        waited += usize::from(recorded.appended.is_some());
    }
    assert!(waited > 0, "a queue of 8 must have been half full");
    audit.close(Duration::ZERO).await;
    let reopened = open(folder.path()).await;
    assert_eq!(ids(&reopened).await.len(), 200);
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path()).await;
    append_many(&audit, 25, Durability::Local).await;
    let mut search = all(10);
    let mut sizes = Vec::new();
    let mut last = None;
    loop {
        let page = audit.search(search.clone()).await.unwrap();
        for record in &page.items {
            assert!(last.is_none_or(|last| record.id() < last), "newest first");
            last = Some(record.id());
        }
        sizes.push(page.items.len());
        let Some(next) = page.next else { break };
        assert!(next.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        search.cursor = Some(next);
        search.check().unwrap();
    }
    assert_eq!(sizes, [10, 10, 5]);
    search.cursor = Some("' OR 1=1 --".to_owned());
    assert!(search.check().is_err());
}

#[tokio::test]
async fn refusals_releases_and_reads_are_entries_of_the_same_log() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path()).await;
    let at = Timestamp::now();
    let refusal = Refusal {
        at,
        caller: Some("shop".into()),
        flow: Some("personal_loan".into()),
        market: None,
        reference: Some("application-1".into()),
        code: "invalid_facts".into(),
        problems: vec![("missing".into(), "/amount".into()), ("too_low".into(), "/age".into())],
    };
    let switch = |revision: &str, previous: Option<&str>| Switch {
        at: Timestamp::now(),
        revision: revision.into(),
        previous: previous.map(Into::into),
        from: "rules and models folders".into(),
        by: None,
        flows: vec![("personal_loan".into(), "sha256:f1".into())],
        cases: Some(CasesRun { cases: 9, failed: 0 }),
    };
    audit.append_entry(Entry::Refusal(refusal), Durability::Local).await.unwrap();
    audit.append_entry(Entry::Release(switch("sha256:a", None)), Durability::Local).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    audit
        .append_entry(Entry::Release(switch("sha256:b", Some("sha256:a"))), Durability::Local)
        .await
        .unwrap();
    let record = samples::record(&audit, "p", Durability::Local);
    let id = record.id();
    audit.append(record).await.unwrap();
    let read = ReadEntry {
        at: Timestamp::now(),
        caller: "auditor-1".into(),
        what: "decision".into(),
        decision_id: Some(id),
        records: 1,
        purpose: Some("complaint 77".into()),
    };
    audit.append_entry(Entry::Read(read), Durability::Local).await.unwrap();

    let mut search = all(10);
    search.filter.reason = Some("too_low".to_owned());
    let refusals = audit.refusals(search).await.unwrap().items;
    assert_eq!(refusals[0]["code"], "invalid_facts");
    assert_eq!(refusals[0]["problems"][1]["pointer"], "/age");
    assert_eq!(refusals[0]["reference"], "application-1");
    let mut search = all(1);
    search.filter.flow = Some("personal_loan".to_owned());
    let releases = audit.releases(search.clone()).await.unwrap();
    assert_eq!(releases.items[0]["revision"], "sha256:b");
    assert_eq!(releases.items[0]["by"], "unknown");
    assert_eq!(releases.items[0]["cases"]["cases"], 9);
    search.cursor = releases.next;
    assert_eq!(audit.releases(search).await.unwrap().items[0]["previous"], serde_json::Value::Null);
    let mut search = all(10);
    search.filter.reference = Some(id.to_string());
    let reads = audit.reads(search).await.unwrap().items;
    assert_eq!((&reads[0]["purpose"], &reads[0]["caller"]), (&"complaint 77".into(), &"auditor-1".into()));
    assert_eq!(ids(&audit).await.len(), 1, "a list of decisions holds decisions only");
    let report = verify_folder(folder.path()).await.unwrap();
    assert!(report.is_whole(), "{:?}", report.problems);
    assert_eq!((report.entries, report.decisions), (5, 1));
}

#[tokio::test]
async fn files_of_a_revision_are_kept_by_content_and_the_last_in_force_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path()).await;
    let file = |flow: &str, path: &str, bytes: &[u8]| FileToKeep {
        flow: flow.into(),
        path: path.into(),
        bytes: bytes.into(),
    };
    let rules = file("personal_loan", "rules/personal_loan/flow.yaml", b"flow: personal_loan");
    let first = vec![rules.clone(), file("", "models/german_credit/1/model.bin", &[0, 159, 146, 150])];
    audit.put_revision("sha256:a", first.clone()).await.unwrap();
    audit.put_revision("sha256:a", first).await.unwrap();
    audit.put_revision("sha256:b", vec![rules]).await.unwrap();
    audit.set_in_force("sha256:b").await.unwrap();
    audit.close(Duration::ZERO).await;
    let audit = open(folder.path()).await;
    let files = audit.revision_files("sha256:a").await.unwrap();
    assert_eq!(
        files.iter().map(|file| &*file.path).collect::<Vec<_>>(),
        ["models/german_credit/1/model.bin", "rules/personal_loan/flow.yaml"]
    );
    assert_eq!(&*files[0].bytes, &[0, 159, 146, 150]);
    assert_eq!(audit.revisions().await.unwrap().len(), 2);
    assert_eq!(audit.last_in_force().await.unwrap().as_deref(), Some("sha256:b"));
    assert_eq!(audit.revision_files("sha256:nobody").await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_cuts_the_log_and_it_still_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path()).await;
    append_many(&audit, 1500, Durability::Local).await;
    audit.close(Duration::ZERO).await;
    let settings = StoreSettings { retention: Some(Duration::ZERO), ..StoreSettings::new(folder.path()) };
    let audit = open_with(settings).await;
    for _ in 0..100 {
        if ids(&audit).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(ids(&audit).await.is_empty());
    audit.close(Duration::ZERO).await;
    let audit = open(folder.path()).await;
    let kept = append_many(&audit, 3, Durability::Local).await;
    assert_eq!(ids(&audit).await, kept);
    let report = verify_folder(folder.path()).await.unwrap();
    assert!(report.is_whole(), "{:?}", report.problems);
    assert_eq!(report.entries, 3);
}

/// A log with decisions and other entries, closed; copied for each way of tampering.
static LOG: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    // On a thread of its own: whoever asks first may be inside a runtime already.
    std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(sample_log())).join().unwrap()
});

async fn sample_log() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path()).await;
    append_many(&audit, 5, Durability::Local).await;
    let refusal = Refusal {
        at: Timestamp::now(),
        caller: Some("shop".into()),
        flow: Some("personal_loan".into()),
        market: Some("base".into()),
        reference: Some("a-1".into()),
        code: "unknown_flow".into(),
        problems: Vec::new(),
    };
    audit.append_entry(Entry::Refusal(refusal), Durability::Local).await.unwrap();
    audit.append(samples::keyed(&audit, "p", "key-1", Durability::Local)).await.unwrap();
    needs_log::append_in_parts(&audit).await;
    audit.close(Duration::ZERO).await;
    folder
}

const COLUMNS: [(&str, &str); 28] = [
    ("entry", "kind"),
    ("entry", "id"),
    ("entry", "epoch"),
    ("entry", "sequence"),
    ("entry", "at_us"),
    ("entry", "recorded_us"),
    ("entry", "caller"),
    ("entry", "flow"),
    ("entry", "market"),
    ("entry", "outcome"),
    ("entry", "reasons"),
    ("entry", "rules"),
    ("entry", "models"),
    ("entry", "reference"),
    ("entry", "subject"),
    ("entry", "revision"),
    ("entry", "key"),
    ("entry", "request_digest"),
    ("entry", "degraded"),
    ("entry", "durable"),
    ("entry", "commitment"),
    ("entry", "leaf"),
    ("entry", "previous"),
    ("entry", "chain"),
    ("entry", "decision_id"),
    ("body", "public"),
    ("body", "personal"),
    ("body", "salt"),
];

/// Flips one bit of one cell of a copy of the log; `None` when the cell is empty.
async fn tampered(column: usize, position: i64, bit: usize) -> Option<tollgate::audit::Verification> {
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(LOG.path().join("log.db"), copy.path().join("log.db")).unwrap();
    let (table, column) = COLUMNS[column];
    let address = format!("sqlite://{}", copy.path().join("log.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&address).await.unwrap();
    let read = format!("SELECT typeof({column}), CAST({column} AS BLOB) FROM {table} WHERE position = ?");
    let (kind, cell): (String, Option<Vec<u8>>) =
        sqlx::query_as(sqlx::AssertSqlSafe(read)).bind(position).fetch_one(&mut connection).await.unwrap();
    let mut cell = cell.filter(|cell| !cell.is_empty())?;
    let sql = format!("UPDATE {table} SET {column} = ? WHERE position = ?");
    if kind == "integer" {
        let number: i64 = String::from_utf8(cell).unwrap().parse().unwrap();
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(number ^ (1 << (bit % 62))).bind(position);
        query.execute(&mut connection).await.unwrap();
    } else {
        let byte = (bit / 8) % cell.len();
        cell[byte] ^= 1 << (bit % 8);
        // Text that is no longer UTF-8 cannot be read back at all; that is noticed, but not by the chain.
        let sql = if kind == "text" { sql.replace("= ? WHERE", "= CAST(? AS TEXT) WHERE") } else { sql };
        if kind == "text" && std::str::from_utf8(&cell).is_err() {
            return None;
        }
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(cell).bind(position);
        query.execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    // Refusing to read a row is noticing too.
    verify_folder(copy.path()).await.ok()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(96))]

    #[test]
    fn any_one_bit_changed_in_the_log_is_found(
        column in 0..COLUMNS.len(), position in 1_i64..=9, bit in 0_usize..30_000,
    ) {
        let report = tokio::runtime::Runtime::new().unwrap().block_on(tampered(column, position, bit));
        if let Some(report) = report {
            proptest::prop_assert!(!report.is_whole(), "{:?} at {position}, bit {bit}", COLUMNS[column]);
        }
    }
}

#[tokio::test]
async fn a_removed_entry_is_a_gap() {
    let copy = tempfile::tempdir().unwrap();
    let source = LOG.path().join("log.db");
    std::fs::copy(source, copy.path().join("log.db")).unwrap();
    assert!(verify_folder(copy.path()).await.unwrap().is_whole());
    let address = format!("sqlite://{}", copy.path().join("log.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&address).await.unwrap();
    sqlx::query("DELETE FROM entry WHERE position = 3").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let report = verify_folder(copy.path()).await.unwrap();
    let codes: Vec<_> = report.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["gap", "chain"]);
}
