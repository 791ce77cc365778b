//! A flow on a file of rows: every row decided, in order, on every core, with what was decided written as it comes and
//! counted on the way. Memory stays the same however long the file is. Nothing is recorded, and nothing here opens a
//! file or prints: the command line does.

mod columns;
mod comparison;
mod counts;
mod decide;
mod frontier;
mod groups;
mod parting;
mod rendered;
mod spread;
mod summary;
mod tally;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use jiff::Timestamp;

pub use columns::{ColumnsError, Named};
pub use comparison::{Comparison, Example, Flip, ReasonChange};
pub use counts::Counts;
pub use frontier::{FrontierPoint, ThresholdPoint};
pub use groups::{Attribute, FourFifths, Group, Proxy, ScoreShift};
pub use rendered::{Form, Kept, Part, Rendered};
pub use spread::{Band, Direction};
pub use summary::{Labelled, MarketSummary, OutcomeSummary, ReasonSummary, ScoreSummary, Summary};
pub use tally::{Refused, RefusedRow};

use crate::bundle::{BASE, FlowRevision};
use crate::documents::rows::write::WriteError;
use crate::documents::rows::{Chunk, Rows, RowsError};
use columns::{Columns, Layout};
use decide::{Done, Worker};
use tally::Tally;

/// Chunks that wait for a worker, and for whoever writes what it gave: memory is bounded by them.
const WAITING: usize = 2;

/// One flow that decides every row.
#[derive(Debug, Clone)]
pub struct Side {
    /// As people name it: where its rules are from.
    pub from: String,
    pub flow: Arc<FlowRevision>,
}

/// In which market a row is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Market {
    /// All rows in this one.
    Fixed(String),
    /// As this column says; `base` where its cell is empty.
    Column(String),
}

impl Default for Market {
    fn default() -> Self {
        Self::Fixed(BASE.to_owned())
    }
}

/// What is asked of a file of rows.
#[derive(Debug)]
pub struct Asked {
    pub here: Side,
    /// Decides every row too, to be compared.
    pub there: Option<Side>,
    pub named: Named,
    pub market: Market,
    /// The time of every decision.
    pub at: Timestamp,
    pub threads: usize,
    /// In which form decided rows are wanted, if at all.
    pub form: Option<Form>,
    /// In which form refused rows are wanted, if at all.
    pub keep_refused: Option<Kept>,
    /// Whether examples show the facts that they were decided on.
    pub show_facts: bool,
}

/// Why a file of rows was not gone through to its end. Never shows a value.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    #[error(transparent)]
    Columns(#[from] ColumnsError),
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error("{}", at_row(*.row, *.line))]
    Label { row: u64, line: Option<u64> },
    #[error("what was decided cannot be written")]
    Write(#[from] WriteError),
    #[error("a worker stopped; this is a defect of the program")]
    Defect,
}

fn at_row(row: u64, line: Option<u64>) -> String {
    let place = line.map_or_else(|| format!("row {row}"), |line| format!("line {line}"));
    format!("{place}: the label is none of `good` and `bad`, `0` and `1`, `false` and `true`")
}

/// Columns of the decisions that are written, for those who write them as columns.
#[must_use]
pub fn written_columns(side: &Side) -> Vec<crate::documents::rows::write::Column> {
    rendered::columns(&side.flow)
}

/// Decides every row. What was decided is given to `sink` in the order of the rows, chunk by chunk.
///
/// # Errors
/// When columns do not fit the flow, the file cannot be read on, or what is decided cannot be written.
pub fn run(
    asked: &Asked,
    rows: Rows,
    sink: &mut dyn FnMut(Part) -> Result<(), WriteError>,
) -> Result<Summary, BatchError> {
    let layout = Layout::of(asked)?;
    let columns = Columns::resolve(&layout, asked, rows.columns())?;
    let mut total = Tally::new(asked, &layout);
    let worker = Worker { asked, layout: &layout, columns: &columns, sample_below: total.sample_below() };
    let threads = asked.threads.max(1);
    thread::scope(|scope| {
        let (mut to_workers, mut from_workers, mut workers) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..threads {
            let (give, take) = sync_channel::<Chunk>(WAITING);
            let (done, results) = sync_channel::<Done>(WAITING);
            let worker = &worker;
            workers.push(scope.spawn(move || work(worker, &take, &done)));
            to_workers.push(give);
            from_workers.push(results);
        }
        let reader = scope.spawn(move || read(rows, &to_workers));
        let collected = collect(&from_workers, &mut total, sink);
        // Whoever still reads or decides finds nobody waiting, and ends.
        drop(from_workers);
        let read = reader.join();
        for worker in workers {
            worker.join().map_err(|_| BatchError::Defect)?;
        }
        let read = read.map_err(|_| BatchError::Defect)?;
        collected?;
        read.map_err(BatchError::from)
    })?;
    Ok(total.summary(asked, &layout))
}

/// Deals the chunks out in turn: the order of the rows is that of the turns.
fn read(mut rows: Rows, to_workers: &[SyncSender<Chunk>]) -> Result<(), RowsError> {
    for worker in to_workers.iter().cycle() {
        let Some(chunk) = rows.next_chunk()? else { break };
        if worker.send(chunk).is_err() {
            break;
        }
    }
    Ok(())
}

fn work(worker: &Worker<'_>, chunks: &Receiver<Chunk>, done: &SyncSender<Done>) {
    for chunk in chunks {
        if done.send(worker.decide(&chunk)).is_err() {
            break;
        }
    }
}

fn collect(
    from_workers: &[Receiver<Done>],
    total: &mut Tally,
    sink: &mut dyn FnMut(Part) -> Result<(), WriteError>,
) -> Result<(), BatchError> {
    for worker in from_workers.iter().cycle() {
        let Ok(done) = worker.recv() else { break };
        if let Some((row, line)) = done.wrong_label {
            return Err(BatchError::Label { row, line });
        }
        sink(done.part)?;
        total.merge(done.tally);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
