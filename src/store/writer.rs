//! The one writer of the local log: takes whatever is queued, gives each entry its place in the chain, commits
//! the group, then answers. Recording happens here and never in a request's future, so a caller that goes away
//! changes nothing. Absent: waiting to make a group larger; a commit in progress does that by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Sqlite, Transaction};
use tokio::sync::{mpsc, oneshot};

use super::error::AppendError;
use super::insert::{self, Placed};
use super::local::Tail;
use super::maintain::{self, Chore};
use super::row::{Position, Row, chain};

/// Rows that one commit takes at most: few enough that the next group can form meanwhile, enough to share a sync.
const GROUP: usize = 128;

/// The place that an entry got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    pub position: Position,
    /// Order in the local file; what the shipper counts in.
    pub local: i64,
}

type Reply = oneshot::Sender<Result<Appended, AppendError>>;

pub(super) enum Command {
    Append { row: Box<Row>, reply: Option<Reply> },
    Chore(Chore),
}

/// How much may wait for the writer.
#[derive(Debug, Clone, Copy)]
pub struct QueueLimits {
    pub records: usize,
    pub bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { records: 16_384, bytes: 64 << 20 }
    }
}

/// The way to the writer: bounded by count and by bytes, never blocking.
#[derive(Debug, Clone)]
pub struct Queue {
    sender: mpsc::UnboundedSender<Command>,
    state: Arc<State>,
    limits: QueueLimits,
}

/// What the writer and those who ask it share.
#[derive(Debug, Default)]
pub(super) struct State {
    records: AtomicUsize,
    bytes: AtomicUsize,
    /// A commit failed in a way that leaves the file in doubt; nothing on it is acknowledged again.
    broken: AtomicBool,
    /// Entries that were answered (`memory`) and then lost.
    gaps: AtomicUsize,
    /// The last committed position.
    pub(super) last: AtomicI64,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Append { .. } => "Append",
            Self::Chore(_) => "Chore",
        })
    }
}

impl Queue {
    /// Queues an entry and returns the answer to wait for. `Overloaded` at once when there is no room.
    pub(super) fn append(
        &self,
        row: Row,
    ) -> Result<oneshot::Receiver<Result<Appended, AppendError>>, AppendError> {
        let (reply, answer) = oneshot::channel();
        self.push(row, Some(reply))?;
        Ok(answer)
    }

    /// Queues an entry that nobody waits for.
    pub(super) fn append_unawaited(&self, row: Row) -> Result<(), AppendError> {
        self.push(row, None)
    }

    fn push(&self, row: Row, reply: Option<Reply>) -> Result<(), AppendError> {
        if self.is_broken() {
            return Err(AppendError::NotRecorded("the log's file failed; restart to recover what it holds"));
        }
        let size = row.size();
        let records = self.state.records.fetch_add(1, Ordering::AcqRel);
        let bytes = self.state.bytes.fetch_add(size, Ordering::AcqRel);
        if records >= self.limits.records || bytes.saturating_add(size) > self.limits.bytes {
            self.state.leave(1, size);
            metrics::counter!("tollgate_log_overloaded_total").increment(1);
            return Err(AppendError::Overloaded);
        }
        self.sender.send(Command::Append { row: Box::new(row), reply }).map_err(|_| {
            self.state.leave(1, size);
            AppendError::NotRecorded("the log is closed")
        })
    }

    pub(super) fn chore(&self, chore: Chore) -> Result<(), AppendError> {
        self.sender.send(Command::Chore(chore)).map_err(|_| AppendError::NotRecorded("the log is closed"))
    }

    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.state.broken.load(Ordering::Acquire)
    }

    /// Entries queued or being committed.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state.records.load(Ordering::Acquire)
    }

    /// Whether more than half of the room is taken: time to slow those down who do not wait.
    #[must_use]
    pub fn is_half_full(&self) -> bool {
        self.state.records.load(Ordering::Acquire) > self.limits.records / 2
            || self.state.bytes.load(Ordering::Acquire) > self.limits.bytes / 2
    }

    /// Entries that were answered from the queue and then lost.
    #[must_use]
    pub fn gaps(&self) -> usize {
        self.state.gaps.load(Ordering::Acquire)
    }

    /// The last committed position.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.state.last.load(Ordering::Acquire)
    }
}

impl State {
    fn leave(&self, records: usize, bytes: usize) {
        self.records.fetch_sub(records, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// The task that owns the log's only writing connection.
pub(super) struct Writer {
    connection: SqliteConnection,
    tail: Tail,
    commands: mpsc::UnboundedReceiver<Command>,
    state: Arc<State>,
    now_us: fn() -> i64,
    committed: tokio::sync::watch::Sender<i64>,
}

struct Waiting {
    row: Box<Row>,
    reply: Option<Reply>,
}

/// What a failed commit means for the file.
enum Trouble {
    /// Rolled back cleanly: the next group may succeed.
    Refused(&'static str),
    /// One of the rows cannot be inserted.
    Row,
    /// The file is in doubt.
    Broken(sqlx::Error),
}

impl Writer {
    pub(super) fn new(
        connection: SqliteConnection,
        tail: Tail,
        limits: QueueLimits,
        now_us: fn() -> i64,
    ) -> (Self, Queue, tokio::sync::watch::Receiver<i64>) {
        let (sender, commands) = mpsc::unbounded_channel();
        let state = Arc::new(State::default());
        state.last.store(tail.local, Ordering::Release);
        let (committed, watch) = tokio::sync::watch::channel(tail.local);
        let queue = Queue { sender, state: Arc::clone(&state), limits };
        (Self { connection, tail, commands, state, now_us, committed }, queue, watch)
    }

    /// Runs until every [`Queue`] is gone or a `Close` chore has been done.
    pub(super) async fn run(mut self) {
        let mut taken = Vec::with_capacity(GROUP);
        while self.commands.recv_many(&mut taken, GROUP).await > 0 {
            let mut group = Vec::with_capacity(taken.len());
            for command in taken.drain(..) {
                match command {
                    Command::Append { row, reply } => group.push(Waiting { row, reply }),
                    Command::Chore(Chore::Close(done)) => {
                        self.record(std::mem::take(&mut group)).await;
                        self.finish(done).await;
                        return;
                    }
                    Command::Chore(chore) => {
                        self.record(std::mem::take(&mut group)).await;
                        maintain::run(&mut self.connection, chore).await;
                    }
                }
            }
            self.record(group).await;
        }
        let _ = self.connection.close().await;
    }

    /// Commits what is still queued, then closes the file.
    async fn finish(mut self, done: oneshot::Sender<()>) {
        self.commands.close();
        let mut group = Vec::new();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Append { row, reply } => group.push(Waiting { row, reply }),
                Command::Chore(chore) => maintain::run(&mut self.connection, chore).await,
            }
        }
        self.record(group).await;
        let _ = self.connection.close().await;
        let _ = done.send(());
    }

    /// Commits a group and answers everyone in it.
    async fn record(&mut self, group: Vec<Waiting>) {
        if group.is_empty() {
            return;
        }
        let bytes = group.iter().map(|waiting| waiting.row.size()).sum();
        let records = group.len();
        let answers = self.record_rows(&group).await;
        // Room first, answers second: who is answered finds the room that it left.
        self.state.leave(records, bytes);
        for (waiting, answer) in group.into_iter().zip(answers) {
            let lost = matches!(answer, Err(AppendError::NotRecorded(_)));
            match waiting.reply {
                Some(reply) => drop(reply.send(answer)),
                None if lost => {
                    self.state.gaps.fetch_add(1, Ordering::AcqRel);
                    metrics::counter!("tollgate_log_gaps_total").increment(1);
                }
                None => {}
            }
        }
    }

    async fn record_rows(&mut self, group: &[Waiting]) -> Vec<Result<Appended, AppendError>> {
        if self.state.broken.load(Ordering::Acquire) {
            return refuse(group.len(), "the log's file failed");
        }
        let rows: Vec<&Row> = group.iter().map(|waiting| &*waiting.row).collect();
        match self.commit(&rows).await {
            Ok(answers) => answers,
            Err(Trouble::Row) if rows.len() > 1 => {
                let mut answers = Vec::with_capacity(rows.len());
                for row in rows {
                    match self.commit(&[row]).await {
                        Ok(one) => answers.extend(one),
                        Err(trouble) => answers.extend(refuse(1, self.note(trouble))),
                    }
                }
                answers
            }
            Err(trouble) => refuse(rows.len(), self.note(trouble)),
        }
    }

    /// Logs the trouble once and remembers what it means.
    fn note(&self, trouble: Trouble) -> &'static str {
        metrics::counter!("tollgate_log_commit_failures_total").increment(1);
        match trouble {
            Trouble::Refused(why) => {
                tracing::error!(why, "the local log refused a group");
                why
            }
            Trouble::Row => "the log has an entry with this id",
            Trouble::Broken(error) => {
                self.state.broken.store(true, Ordering::Release);
                tracing::error!(%error, "the local log's file failed; nothing is recorded in it until a restart");
                "the log's file failed"
            }
        }
    }

    /// One transaction: keys, then entries, then bodies. The tail moves only when it has been committed.
    async fn commit(&mut self, rows: &[&Row]) -> Result<Vec<Result<Appended, AppendError>>, Trouble> {
        let started = std::time::Instant::now();
        let now_us = (self.now_us)();
        let is_plain = rows.len() <= insert::LONGEST && rows.iter().all(|row| row.key.is_none());
        let (tail, answers) = if is_plain {
            self.commit_plain(rows, now_us).await?
        } else {
            self.commit_keyed(rows, now_us).await?
        };
        self.tail = tail;
        self.state.last.store(tail.local, Ordering::Release);
        self.committed.send_replace(tail.local);
        metrics::histogram!("tollgate_log_commit_seconds").record(started.elapsed().as_secs_f64());
        let committed = answers.iter().filter(|answer| answer.is_ok()).count();
        metrics::counter!("tollgate_log_records_total")
            .increment(u64::try_from(committed).unwrap_or_default());
        Ok(answers)
    }

    /// A group without keys needs no answer on its way, so the whole transaction is one call to SQLite's thread: under
    /// load, waiting for that thread's turn costs more than what it does.
    async fn commit_plain(&mut self, rows: &[&Row], now_us: i64) -> Result<Filled, Trouble> {
        let mut tail = self.tail;
        let placed: Vec<Placed<'_>> = rows.iter().map(|row| place(&mut tail, row, now_us)).collect();
        if let Err(error) = insert::transaction(&mut self.connection, &placed).await {
            // Nothing of the group may stay behind open; when SQLite has rolled back by itself there is nothing to do.
            let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
            return Err(trouble(error, false));
        }
        Ok((tail, placed.iter().map(|placed| Ok(placed.appended())).collect()))
    }

    async fn commit_keyed(&mut self, rows: &[&Row], now_us: i64) -> Result<Filled, Trouble> {
        let mut transaction =
            self.connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| trouble(error, false))?;
        let filled =
            fill(&mut transaction, self.tail, rows, now_us).await.map_err(|error| trouble(error, false))?;
        transaction.commit().await.map_err(|error| trouble(error, true))?;
        Ok(filled)
    }
}

/// The tail behind a group, and each row's answer.
type Filled = (Tail, Vec<Result<Appended, AppendError>>);

/// Gives a row its place behind `tail`, and moves the tail there.
fn place<'a>(tail: &mut Tail, row: &'a Row, now_us: i64) -> Placed<'a> {
    let sequence = tail.sequence.saturating_add(1);
    let position = Position { node: tail.node, epoch: tail.epoch, sequence, recorded_us: now_us };
    let (local, previous) = (tail.local.saturating_add(1), tail.chain);
    let chain = chain(&previous, &position, &row.leaf);
    *tail = Tail { sequence, local, chain, ..*tail };
    Placed { row, local, position, previous, chain }
}

/// Inserts the rows behind `tail`; gives the new tail and each row's answer.
async fn fill(
    transaction: &mut Transaction<'_, Sqlite>,
    mut tail: Tail,
    rows: &[&Row],
    now_us: i64,
) -> Result<Filled, sqlx::Error> {
    let claimed = insert::claim(transaction, rows, now_us).await?;
    let mut placed = Vec::with_capacity(rows.len());
    let mut answers = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(key) = row.key.as_ref().filter(|_| !claimed.contains(&row.stands_for())) {
            answers.push(Err(AppendError::KeyTaken(insert::holder(transaction, key).await?)));
            continue;
        }
        let one = place(&mut tail, row, now_us);
        answers.push(Ok(one.appended()));
        placed.push(one);
    }
    insert::rows(transaction, &placed).await?;
    Ok((tail, answers))
}

fn refuse(count: usize, why: &'static str) -> Vec<Result<Appended, AppendError>> {
    vec![Err(AppendError::NotRecorded(why)); count]
}

/// What an error of SQLite says about the file. A failure of COMMIT other than a plain refusal leaves it in doubt:
/// the system may have dropped the pages that it could not sync.
fn trouble(error: sqlx::Error, at_commit: bool) -> Trouble {
    const BUSY: i64 = 5;
    const LOCKED: i64 = 6;
    const READ_ONLY: i64 = 8;
    const FULL: i64 = 13;
    const CONSTRAINT: i64 = 19;
    let code = error
        .as_database_error()
        .and_then(|database| database.code())
        .and_then(|code| code.parse::<i64>().ok())
        .map(|extended| extended & 0xff);
    match code {
        Some(FULL) => Trouble::Refused("the disk is full"),
        Some(BUSY | LOCKED) => Trouble::Refused("the log is locked by another program"),
        Some(READ_ONLY) => Trouble::Refused("the log is read-only"),
        Some(CONSTRAINT) if !at_commit => Trouble::Row,
        _ => Trouble::Broken(error),
    }
}
