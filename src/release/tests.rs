//! What comes into force when files change, on real folders: a switch is whole, a broken flow keeps its last good
//! version, and nothing is in force that the journal does not have.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::*;
use crate::domain::declaration::ThresholdLiteral;
use crate::domain::value::Name;

/// A journal as the store keeps one, in memory, that can be made to refuse.
#[derive(Default)]
struct Memorised {
    switches: std::sync::Mutex<Vec<Switch>>,
    down: AtomicBool,
}

impl Memorised {
    fn revisions(&self) -> Vec<Arc<str>> {
        self.switches.lock().unwrap().iter().map(|switch| Arc::clone(&switch.bundle.revision)).collect()
    }
}

impl ReleaseJournal for Memorised {
    fn coming_into_force<'a>(&'a self, switch: &'a Switch) -> BoxedFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            if self.down.load(Ordering::SeqCst) {
                return Err(JournalError("the disk is full".into()));
            }
            self.switches.lock().unwrap().push(switch.clone());
            Ok(())
        })
    }

    fn last_good(&self) -> BoxedFuture<'_, Result<Vec<StoredFlow>, JournalError>> {
        let switches = self.switches.lock().unwrap();
        let stored = |(name, flow): (&Name, &Arc<crate::bundle::FlowRevision>)| StoredFlow {
            flow: name.to_string(),
            flow_revision: flow.flow_revision.to_string(),
            files: flow.files.iter().map(|file| (file.path.clone(), Arc::clone(&file.bytes))).collect(),
        };
        let flows =
            switches.last().map(|last| last.bundle.flows.iter().map(stored).collect()).unwrap_or_default();
        Box::pin(std::future::ready(Ok(flows)))
    }
}

/// The sample in a folder of its own.
struct Folder {
    folder: tempfile::TempDir,
    journal: Arc<Memorised>,
}

const FLOW: &str = "rules/personal_loan/flow.yaml";
const KNOCKOUT: &str = "rules/personal_loan/knockout.rules.yaml";

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let documents =
            crate::bundle::read_folder(&root.join("tests/fixtures/small/rules"), &root.join("models"));
        for (path, bytes) in &documents.files {
            let to = folder.path().join(path);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, bytes).unwrap();
        }
        Self { folder, journal: Arc::default() }
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let path = self.folder.path().join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "no `{from}` in {}", path.display());
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    fn settings(&self) -> ReleaseSettings {
        let mut settings =
            ReleaseSettings::new(self.folder.path().join("rules"), self.folder.path().join("models"));
        settings.settle = Duration::from_millis(5);
        settings
    }

    async fn start(&self) -> Arc<Release> {
        let journal: Arc<dyn ReleaseJournal> = Arc::clone(&self.journal) as _;
        Release::start(self.settings(), journal).await.unwrap()
    }
}

#[tokio::test]
async fn an_edit_comes_into_force_and_a_touch_does_not() {
    let folder = Folder::new();
    let release = folder.start().await;
    let first = release.in_force();
    assert_eq!(release.status().reload, ReloadState::Ok);
    assert!(release.status().cases.told.run >= 15 && release.status().cases.told.failed == 0);

    let text = fs::read(folder.folder.path().join(FLOW)).unwrap();
    fs::write(folder.folder.path().join(FLOW), text).unwrap();
    assert_eq!(release.reload_now(Cause::Asked).await, ReloadOutcome::Unchanged);

    folder.edit(FLOW, "max_default_risk: 0.60", "max_default_risk: 0.61");
    let outcome = release.reload_now(Cause::Asked).await;
    let second = release.in_force();
    assert_eq!(outcome, ReloadOutcome::InForce { revision: Arc::clone(&second.revision) });
    assert_ne!(first.revision, second.revision);

    fs::write(folder.folder.path().join("rules/personal_loan/README.md"), "hello").unwrap();
    release.reload_now(Cause::Asked).await;
    assert_eq!(folder.journal.revisions(), [Arc::clone(&first.revision), Arc::clone(&second.revision)]);
    let status = release.status();
    assert_eq!((&status.revision, status.reload.word()), (&second.revision, "ok"));
}

#[tokio::test]
async fn a_broken_edit_changes_nothing_and_is_told_and_so_is_its_repair() {
    let folder = Folder::new();
    let release = folder.start().await;
    let first = release.in_force();
    folder.edit(KNOCKOUT, "age < min_age", "age < min_aged");
    let outcome = release.reload_now(Cause::FilesChanged).await;
    assert!(
        matches!(outcome, ReloadOutcome::PartlyInForce { ref kept, .. } if **kept == [Name::from("personal_loan")])
    );
    assert_eq!(release.in_force().revision, first.revision);
    let status = release.status();
    assert_eq!(status.reload, ReloadState::Failed);
    let flow = status.flows.get("personal_loan").unwrap();
    let told = flow.broken.first().unwrap();
    assert_eq!((told.file.as_str(), told.line), (KNOCKOUT, 7));
    assert_eq!(flow.flow_revision.as_ref(), first.flow("personal_loan").map(|flow| &flow.flow_revision));
    assert_eq!(folder.journal.revisions().len(), 1, "nothing came into force, so nothing is told of");

    folder.edit(KNOCKOUT, "age < min_aged", "age < min_age");
    release.reload_now(Cause::FilesChanged).await;
    let after = release.status();
    assert_eq!(
        (after.reload, &after.revision, after.since),
        (ReloadState::Ok, &first.revision, status.since)
    );
}

#[tokio::test]
async fn a_restart_on_broken_rules_serves_what_the_store_kept() {
    let folder = Folder::new();
    let first = folder.start().await.in_force();
    folder.edit(KNOCKOUT, "age < min_age", "age <");
    let release = folder.start().await;
    assert_eq!(release.in_force().revision, first.revision);
    assert_eq!(release.status().reload, ReloadState::Failed);

    fs::rename(folder.folder.path().join("rules"), folder.folder.path().join("gone")).unwrap();
    let release = folder.start().await;
    assert_eq!(release.in_force().revision, first.revision, "without `rules/` too");

    let empty = Folder { folder: tempfile::tempdir().unwrap(), journal: Arc::default() };
    let release = empty.start().await;
    assert!(release.in_force().flows.is_empty());
    assert_eq!(release.status().reload, ReloadState::Failed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_back_at_the_second_look_was_never_gone() {
    let folder = Folder::new();
    let release = folder.start().await;
    let first = release.in_force();
    let path = |name: &str| folder.folder.path().join(name);
    for part in ["rules/personal_loan", "models/german_credit", "models/german_credit/3", "models"] {
        loop {
            fs::rename(path(part), path("away")).unwrap();
            let (begun, reading) = (Instant::now(), Arc::clone(&release));
            let reading = tokio::spawn(async move { reading.reload_now(Cause::FilesChanged).await });
            tokio::time::sleep(Duration::from_millis(100)).await;
            fs::rename(path("away"), path(part)).unwrap();
            let is_in_time = begun.elapsed() < reload::REMOVED_AFTER;
            let outcome = reading.await.unwrap();
            // On a machine that is busy elsewhere, it may have been away for longer.
            if is_in_time {
                assert_eq!(outcome, ReloadOutcome::Unchanged, "{part}");
                break;
            }
            release.reload_now(Cause::FilesChanged).await;
        }
        assert_eq!(release.in_force().revision, first.revision);
        assert_eq!(release.status().reload, ReloadState::Ok, "{part}");
    }
}

#[tokio::test]
async fn nothing_comes_into_force_that_the_journal_does_not_have() {
    let folder = Folder::new();
    let release = folder.start().await;
    let first = release.in_force();
    folder.journal.down.store(true, Ordering::SeqCst);
    folder.edit(FLOW, "max_default_risk: 0.60", "max_default_risk: 0.61");
    assert!(matches!(release.reload_now(Cause::Asked).await, ReloadOutcome::Refused { .. }));
    assert_eq!(release.in_force().revision, first.revision);
    assert!(release.status().problem.is_some());

    folder.journal.down.store(false, Ordering::SeqCst);
    assert!(
        matches!(release.reload_now(Cause::Asked).await, ReloadOutcome::InForce { .. }),
        "tried again without an edit"
    );
    assert_eq!(release.status().problem, None);
    folder.journal.down.store(true, Ordering::SeqCst);
    let journal: Arc<dyn ReleaseJournal> = Arc::clone(&folder.journal) as _;
    assert!(matches!(Release::start(folder.settings(), journal).await, Err(StartError::Journal(_))));
}

#[tokio::test]
async fn a_case_that_does_not_hold_is_told_and_refuses_only_where_cases_are_required() {
    let folder = Folder::new();
    let release = folder.start().await;
    let first = release.in_force();
    folder.edit(FLOW, "min_age: 18", "min_age: 21");
    release.reload_now(Cause::Asked).await;
    assert_ne!(release.in_force().revision, first.revision);
    let status = release.status();
    assert_eq!((status.reload, status.cases.told.failed), (ReloadState::Ok, 1));
    assert_eq!(
        status.cases.failures.first().map(|failed| failed.case.as_str()),
        Some("who is eighteen today is not a minor")
    );

    folder.edit(FLOW, "min_age: 21", "min_age: 18");
    let strict = ReleaseSettings { require_cases: true, ..folder.settings() };
    let release = Release::start(strict, Arc::new(NoJournal)).await.unwrap();
    folder.edit(FLOW, "min_age: 18", "min_age: 21");
    release.reload_now(Cause::Asked).await;
    assert_eq!(release.in_force().revision, first.revision);
    assert_eq!(release.status().reload, ReloadState::Failed);
}

/// The threshold as the flow in force was compiled with it.
fn max_default_risk(bundle: &Bundle) -> String {
    let thresholds = &bundle.flow("personal_loan").unwrap().declaration.thresholds;
    let threshold = thresholds.iter().find(|threshold| threshold.name.value == "max_default_risk").unwrap();
    match &threshold.literal.value {
        ThresholdLiteral::Number(text) => text.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_edit_takes_effect_within_a_second_and_readers_never_see_a_mixture() {
    let folder = Folder::new();
    let release = folder.start().await;
    let _watching = release.watch();
    let stop = Arc::new(AtomicBool::new(false));
    let (reader, stopped) = (Arc::clone(&release), Arc::clone(&stop));
    let readers = tokio::task::spawn_blocking(move || {
        while !stopped.load(Ordering::SeqCst) {
            let bundle = reader.in_force();
            let flow = bundle.flow("personal_loan").unwrap();
            let file = flow.files.iter().find(|file| file.path == FLOW).unwrap();
            let text = String::from_utf8(file.bytes.to_vec()).unwrap();
            assert!(text.contains(&format!("max_default_risk: {}\n", max_default_risk(&bundle))));
        }
    });
    for n in 61..66 {
        let before = release.in_force();
        folder.edit(FLOW, &format!("max_default_risk: 0.{}", n - 1), &format!("max_default_risk: 0.{n}"));
        let started = Instant::now();
        while release.in_force().revision == before.revision {
            assert!(started.elapsed() < Duration::from_secs(5), "the edit never took effect");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(max_default_risk(&release.in_force()), format!("0.{n}"));
    }
    stop.store(true, Ordering::SeqCst);
    readers.await.unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swapped_link_is_an_edit_too() {
    let folder = Folder::new();
    let rules = folder.folder.path().join("rules/personal_loan");
    // As a ConfigMap is mounted: the files are links into `..data`, which is a link that is swapped.
    let mount = |version: &str, text: &str| {
        fs::create_dir_all(rules.join(version)).unwrap();
        fs::write(rules.join(version).join("flow.yaml"), text).unwrap();
        std::os::unix::fs::symlink(version, rules.join("..new")).unwrap();
        fs::rename(rules.join("..new"), rules.join("..data")).unwrap();
    };
    let text = fs::read_to_string(rules.join("flow.yaml")).unwrap();
    fs::remove_file(rules.join("flow.yaml")).unwrap();
    mount("..1", &text);
    std::os::unix::fs::symlink("..data/flow.yaml", rules.join("flow.yaml")).unwrap();
    let release = folder.start().await;
    let first = release.in_force();
    assert_eq!(release.status().reload, ReloadState::Ok);
    let _watching = release.watch();
    mount("..2", &text.replacen("max_default_risk: 0.60", "max_default_risk: 0.61", 1));
    let started = Instant::now();
    while release.in_force().revision == first.revision {
        assert!(started.elapsed() < Duration::from_secs(5), "the swap never took effect");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
