//! The log with a real PostgreSQL behind it: outages, lost replies, rows it refuses, replicas.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tollgate::audit::{
    AppendError, Audit, CentralHealth, Durability, FileToKeep, Search, StoreSettings, verify_database,
    verify_folder,
};
use tollgate::store::{KeyRing, Keys, Role};

use crate::postgres::{Cluster, database};
use crate::samples;
use crate::store::{all, append_many, ids, open_with};

fn settings(folder: &tempfile::TempDir, url: &str) -> StoreSettings {
    StoreSettings { database_url: Some(url.to_owned()), ..StoreSettings::new(folder.path()) }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn shipped(audit: &Audit) {
    until("shipping", async || audit.health().central == CentralHealth::Reachable { lag: 0 }).await;
}

async fn count(url: &str, sql: &'static str) -> i64 {
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
}

const DECISIONS: &str = "SELECT count(*) FROM public.decision";

#[tokio::test(flavor = "multi_thread")]
async fn records_made_while_the_database_is_away_arrive_once_and_are_answered_meanwhile() {
    let mut cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let audit = open_with(settings(&folder, &cluster.url())).await;
    let mut made = append_many(&audit, 300, Durability::Local).await;
    shipped(&audit).await;

    // Killed while records are being made: some batches break in the middle.
    let storm = tokio::spawn({
        let audit = audit.clone();
        async move { append_many(&audit, 2000, Durability::Local).await }
    });
    cluster.kill();
    made.extend(storm.await.unwrap());
    made.extend(append_many(&audit, 200, Durability::Local).await);
    until("noticing", async || matches!(audit.health().central, CentralHealth::Away { .. })).await;
    let begun = Instant::now();
    assert_eq!(ids(&audit).await, made);
    assert!(begun.elapsed() < Duration::from_secs(5), "reads do not wait for a database that is away");

    cluster.resume();
    shipped(&audit).await;
    assert_eq!(count(&cluster.url(), DECISIONS).await, 2500);
    assert_eq!(ids(&audit).await, made);
    let report = verify_database(&cluster.url()).await.unwrap();
    assert!(report.is_whole(), "{:?}", report.problems);
    assert_eq!(report.decisions, 2500);
    audit.close(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_starts_while_the_database_is_away() {
    let mut cluster = Cluster::stopped();
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let audit = open_with(settings(&folder, &cluster.url())).await;
    let made = append_many(&audit, 20, Durability::Local).await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(ids(&audit).await, made);
    cluster.resume();
    shipped(&audit).await;
    assert_eq!(count(&cluster.url(), DECISIONS).await, 20);
    let default = "SELECT count(*) FROM public.decision_default";
    assert_eq!(count(&cluster.url(), default).await, 0, "rows go to their month's partition");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_and_not_shipped_before_a_crash_is_shipped_after_it() {
    let mut cluster = Cluster::stopped();
    let folder = tempfile::tempdir().unwrap();
    let audit = open_with(settings(&folder, &cluster.url())).await;
    let made = append_many(&audit, 100, Durability::Local).await;
    let crashed = tempfile::tempdir().unwrap();
    for file in ["log.db", "log.db-wal"] {
        std::fs::copy(folder.path().join(file), crashed.path().join(file)).unwrap();
    }
    audit.close(Duration::ZERO).await;
    cluster.resume();
    let reopened = open_with(settings(&crashed, &cluster.url())).await;
    shipped(&reopened).await;
    assert_eq!(count(&cluster.url(), DECISIONS).await, 100);
    assert_eq!(ids(&reopened).await, made);
}

/// Stands between the shipper and the server; cuts the connection instead of handing over the reply of a COMMIT.
fn lossy(server: u16, losses: usize) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let left = Arc::new(AtomicUsize::new(losses));
    let shared = Arc::clone(&left);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else { continue };
            let (mut from, mut to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Both);
            });
            let left = Arc::clone(&shared);
            std::thread::spawn(move || replies(upstream, client, &left));
        }
    });
    (port, left)
}

fn replies(mut from: TcpStream, mut to: TcpStream, left: &AtomicUsize) {
    let mut buffer = [0; 65536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let reply = &buffer[..read];
        let commit = reply.windows(7).any(|window| window == b"COMMIT\0");
        let lose = |left: usize| left.checked_sub(1);
        if commit && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lose).is_ok() {
            break;
        }
        if to.write_all(reply).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_of_commit_is_sent_again_and_changes_nothing() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    // First without the proxy, so that the migrations' own commits are not the ones that are lost.
    let audit = open_with(settings(&folder, &cluster.url())).await;
    shipped(&audit).await;
    audit.close(Duration::from_secs(5)).await;

    let (port, left) = lossy(cluster.port(), 3);
    let audit = open_with(settings(&folder, &cluster.url_at(port))).await;
    let made = append_many(&audit, 600, Durability::Local).await;
    until("losing replies", async || left.load(Ordering::SeqCst) == 0).await;
    shipped(&audit).await;
    assert_eq!(count(&cluster.url(), DECISIONS).await, 600);
    assert_eq!(ids(&audit).await, made);
    assert!(verify_database(&cluster.url()).await.unwrap().is_whole());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_database_refuses_is_set_aside_and_never_blocks_the_line() {
    let database = database().await;
    let folder = tempfile::tempdir().unwrap();
    let audit = open_with(settings(&folder, &database.url)).await;
    let mut made = append_many(&audit, 40, Durability::Local).await;
    let mut provenance = samples::provenance("poison", Durability::Local);
    provenance.reference = Some("nul \0 in a reference".into());
    let poison = provenance.decision_id;
    let record = audit.record(&provenance, &samples::given("poison"), &samples::facts(), &samples::verdict());
    audit.append(record).await.unwrap();
    made.extend(append_many(&audit, 40, Durability::Local).await);
    shipped(&audit).await;
    assert_eq!(count(&database.url, DECISIONS).await, 80);
    assert_eq!(count(&database.url, "SELECT count(*) FROM public.set_aside WHERE reason = '22021'").await, 1);
    assert_eq!(ids(&audit).await, made, "the rest is searched in the database");
    assert!(audit.get(poison).await.unwrap().is_some(), "and it is still found by its id");
    let report = verify_database(&database.url).await.unwrap();
    assert!(report.is_whole(), "set aside is not lost: {:?}", report.problems);
}

#[tokio::test(flavor = "multi_thread")]
async fn central_is_answered_once_postgres_has_it_and_never_downgraded() {
    let mut cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let wait = Duration::from_millis(700);
    let audit = open_with(StoreSettings { central_wait: wait, ..settings(&folder, &cluster.url()) }).await;
    shipped(&audit).await;
    for n in 0..5 {
        let record = samples::record(&audit, &format!("p{n}"), Durability::Central);
        let recorded = audit.append(record).await.unwrap();
        assert_eq!(recorded.durable, Durability::Central);
        assert_eq!(count(&cluster.url(), DECISIONS).await, n + 1);
    }
    cluster.kill();
    let late = audit.append(samples::record(&audit, "late", Durability::Central)).await;
    assert_eq!(late, Err(AppendError::NotCentral));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replicas_with_one_key_the_later_record_is_marked() {
    let database = database().await;
    let (folder_a, folder_b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a = open_with(settings(&folder_a, &database.url)).await;
    let b = open_with(settings(&folder_b, &database.url)).await;
    shipped(&a).await;
    shipped(&b).await;
    let first = a.append(samples::keyed(&a, "p", "k", Durability::Central)).await.unwrap();
    let second = samples::keyed(&b, "p", "k", Durability::Local);
    let second_id = second.id();
    b.append(second).await.unwrap();
    shipped(&b).await;
    let marked = b.search(all(10)).await.unwrap().items;
    let marked = marked.iter().find(|record| record.id() == second_id).unwrap();
    assert_eq!(marked.duplicate_of(), Some(first.decision_id));
    assert_eq!(marked.summary().unwrap()["duplicate_of"], first.decision_id.to_string());

    // A key that another replica has is found before deciding, and by who insists on `central`.
    a.append(samples::keyed(&a, "p", "k2", Durability::Central)).await.unwrap();
    let (_guard, holder) = b.begin_key("shop", "personal_loan", "k2").await.unwrap();
    assert!(holder.is_some());
    let other = a.append(samples::keyed(&a, "p", "k3", Durability::Central)).await.unwrap();
    match b.append(samples::keyed(&b, "p", "k3", Durability::Central)).await {
        Err(AppendError::KeyTaken(holder)) => assert_eq!(holder.decision_id, other.decision_id),
        answer => panic!("{answer:?}"),
    }
    assert!(verify_database(&database.url).await.unwrap().is_whole());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_recorded_the_other_finds() {
    let database = database().await;
    let (folder_a, folder_b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a = open_with(settings(&folder_a, &database.url)).await;
    shipped(&a).await;
    let b = open_with(settings(&folder_b, &database.url)).await;
    shipped(&b).await;
    let mut made: BTreeSet<_> = append_many(&a, 120, Durability::Local).await;
    let file =
        FileToKeep { flow: "personal_loan".into(), path: "flow.yaml".into(), bytes: b"x".as_slice().into() };
    a.put_revision("sha256:r", vec![file]).await.unwrap();
    made.extend(append_many(&b, 130, Durability::Local).await);
    shipped(&a).await;
    shipped(&b).await;
    assert_eq!(ids(&a).await, made);
    assert_eq!(ids(&b).await, made);
    for (change, expected) in [
        ((|s: &mut Search| s.subject = Some("person-7".into())) as fn(&mut Search), 2),
        (|s| s.filter.reference = Some("application-person-125".into()), 1),
        (|s| s.filter.rule = Some("policy.policy_rule_3".into()), 250),
        (|s| s.filter.reason = Some("R104".into()), 250),
        (|s| s.filter.model = Some("german_credit@2".into()), 250),
        (|s| s.filter.degraded = Some(true), 0),
        (|s| s.filter.outcome = Some("approve".into()), 0),
        (|s| s.filter.from_us = Some(1), 250),
        (|s| s.filter.to_us = Some(1), 0),
    ] {
        let mut search = all(1000);
        change(&mut search);
        let filter = search.filter.clone();
        let found = a.search(search).await.unwrap().items.len();
        // Subjects of both: the replica that came second took over the first one's key.
        assert_eq!(found, expected, "{filter:?}");
    }
    let one = *made.first().unwrap();
    let (left, right) = (a.get(one).await.unwrap().unwrap(), b.get(one).await.unwrap().unwrap());
    assert_eq!(left.verdict().unwrap(), right.verdict().unwrap());
    assert_eq!((left.digest(), left.position()), (right.digest(), right.position()));
    until("the revision", async || !b.revision_files("sha256:r").await.unwrap().is_empty()).await;
    assert!(verify_folder(folder_b.path()).await.unwrap().is_whole());
    let report = verify_database(&database.url).await.unwrap();
    assert!(report.is_whole() && report.nodes.len() == 2, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_live_in_the_database_and_are_known_while_it_is_away() {
    let mut cluster = Cluster::start();
    let (folder_a, folder_b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = cluster.url();
    let a = Keys::open(folder_a.path(), Some(&url)).await.unwrap();
    let (plain, _) = a.create("shop", &[Role::Caller], None).await.unwrap();
    let ring = KeyRing::open(Keys::open(folder_b.path(), Some(&url)).await.unwrap()).await.unwrap();
    assert_eq!(&*ring.recognise(&plain).unwrap().name, "shop");
    cluster.kill();
    let restarted = KeyRing::open(Keys::open(folder_b.path(), Some(&url)).await.unwrap()).await.unwrap();
    assert!(restarted.recognise(&plain).is_some(), "from the mirror");
    assert!(a.create("other", &[Role::Caller], None).await.is_err(), "a key that nobody else would know");
    cluster.resume();
    let id = a.list().await.unwrap()[0].id.clone();
    until("revoking", async || a.revoke(&id).await.unwrap_or(false)).await;
    until("forgetting", async || {
        restarted.refresh().await.unwrap();
        restarted.recognise(&plain).is_none()
    })
    .await;
}
