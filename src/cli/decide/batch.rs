//! `tollgate decide FLOW --batch FILE`: every row of a file, and what it came to. Absent on purpose: reading rows,
//! deciding and counting; a command opens the files, shows how far it is and what came out.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::{markdown, text};
use crate::bundle::{self, FlowRevision};
use crate::cli::say::{Say, Trouble};
use crate::cli::{Format, check, declared};
use crate::config::Settings;
use crate::documents::rows::write::{Cell, ParquetWriter, WriteError, csv_lines};
use crate::documents::rows::{Rows, RowsFormat};
use crate::trial::batch::{
    self, Asked, BatchError, ColumnsError, Form, Kept, Market, Named, Part, Rendered, Side, Summary,
};
use crate::trial::report;

/// Flags of a file of rows.
#[derive(Debug, Args)]
#[command(next_help_heading = "A file of rows")]
pub(super) struct BatchFlags {
    /// Decide every row of this file: CSV, lines of JSON or Parquet, by its ending; `-` reads stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["facts", "trace", "explain", "picture"])]
    batch: Option<String>,
    /// How the file is written, where its ending does not say
    #[arg(long, value_enum, requires = "batch")]
    input_format: Option<InputFormat>,
    /// What separates the cells of CSV [default: `,`; a tab in .tsv]
    #[arg(long, value_name = "CHARACTER", requires = "batch")]
    separator: Option<char>,
    /// Write each row's decision here: .ndjson, .csv or .parquet, in the order of the rows
    #[arg(long, value_name = "FILE", requires = "batch")]
    out: Option<PathBuf>,
    /// Keep refused rows here as they came, with why: .csv for CSV, else .ndjson
    #[arg(long, value_name = "FILE", requires = "batch")]
    rejects: Option<PathBuf>,
    /// The column with what came of it later; kept out of the decision
    #[arg(long, value_name = "COLUMN", requires = "batch")]
    label: Option<String>,
    /// The label's value that means bad; any other means good [default: bad, 1 and true]
    #[arg(long, value_name = "VALUE", requires = "label")]
    bad: Option<String>,
    /// Compare rates by the groups of this column; kept out of the decision. May be repeated
    #[arg(long, value_name = "COLUMN", requires = "batch")]
    groups: Vec<String>,
    /// Hand a column of --groups that the flow reads to it all the same
    #[arg(long, requires = "groups")]
    groups_may_be_inputs: bool,
    /// The column with your own id of each row, repeated in what is written
    #[arg(long, value_name = "COLUMN", requires = "batch")]
    reference: Option<String>,
    /// Columns that are left out
    #[arg(long, value_name = "COLUMN", requires = "batch", value_delimiter = ',')]
    ignore: Vec<String>,
    /// The column with each row's market; base where it is empty
    #[arg(long, value_name = "COLUMN", requires = "batch", conflicts_with = "market")]
    market_column: Option<String>,
    /// Write a report with charts here, one HTML file
    #[arg(long, value_name = "FILE", requires = "batch")]
    report: Option<PathBuf>,
    /// Decide every row by these rules too: a folder with rules/ and models/, or a revision (`sha256:…`)
    #[arg(long, value_name = "DIR", requires = "batch")]
    compare: Option<String>,
    /// Show the facts of rows that come out otherwise: they may be personal
    #[arg(long, requires = "compare")]
    show_facts: bool,
    /// Cores to use [default: all]
    #[arg(long, value_name = "COUNT", requires = "batch", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum InputFormat {
    Csv,
    Ndjson,
    Parquet,
}

impl BatchFlags {
    pub(super) fn is_asked(&self) -> bool {
        self.batch.is_some()
    }

    pub(super) fn run(
        self,
        flow: &str,
        market: Option<&str>,
        at: Option<Timestamp>,
        settings: &Settings,
        say: &Say,
    ) -> Result<ExitCode, Trouble> {
        let from = self.batch.as_deref().unwrap_or("-");
        let format = self.format(from)?;
        let out = self.out.as_deref().map(|path| Ok((path, out_format(path)?))).transpose()?;
        self.check_paths(from, format)?;
        let built = check::read(settings)?;
        let here = declared::flow(&built, flow)?;
        let there = self.compare.as_deref().map(|with| other(with, flow, settings)).transpose()?;
        let rows = open(from, format)?;
        let asked =
            self.asked((here, there), (market, at), &rows, (format, out.map(|(_, format)| format)))?;
        for model in asked.here.flow.flow.remote_models() {
            say.talk(&format!(
                "note: the model `{}` answers from elsewhere and is not asked: it counts as failed",
                model.name
            ));
        }
        let mut written = Written::create(&asked, out, self.rejects.as_deref())?;
        let summary = decided(&asked, rows, &mut written, say).map_err(|error| trouble(from, error))?;
        written.finish()?;
        if let Some(path) = &self.report {
            std::fs::write(path, report::page(&summary)).map_err(|error| unwritten(path, &error))?;
        }
        match say.format() {
            Format::Markdown => say.line(markdown::summary(&summary).trim_end())?,
            _ => say.result(&summary, || text::summary(&summary))?,
        }
        let is_whole = summary.refused == 0 && summary.needs.is_empty();
        Ok(ExitCode::from(u8::from(!is_whole)))
    }

    fn format(&self, from: &str) -> Result<RowsFormat, Trouble> {
        let format = match self.input_format {
            Some(InputFormat::Csv) => Some(RowsFormat::Csv { separator: b',' }),
            Some(InputFormat::Ndjson) => Some(RowsFormat::Ndjson),
            Some(InputFormat::Parquet) => Some(RowsFormat::Parquet),
            None => RowsFormat::of_name(from),
        };
        let what = || Trouble::new(format!("the ending of `{from}` does not say how it is written"));
        let format = format.ok_or_else(|| what().help("`--input-format csv`, `ndjson` or `parquet` does"))?;
        match (self.separator, format) {
            (None, format) => Ok(format),
            (Some(character), RowsFormat::Csv { .. }) => match u8::try_from(character) {
                Ok(separator) if separator.is_ascii() && !matches!(separator, b'"' | b'\n' | b'\r') => {
                    Ok(RowsFormat::Csv { separator })
                }
                _ => Err(Trouble::new("`--separator` takes one ASCII character, such as `;`")),
            },
            (Some(_), _) => Err(Trouble::new("`--separator` is for CSV alone")),
        }
    }

    /// No file is written over one that is read, nor twice.
    fn check_paths(&self, from: &str, format: RowsFormat) -> Result<(), Trouble> {
        if let Some(path) = &self.rejects {
            let fits = match format {
                RowsFormat::Csv { .. } => {
                    matches!(RowsFormat::of_name(&name(path)), Some(RowsFormat::Csv { .. }))
                }
                _ => matches!(RowsFormat::of_name(&name(path)), Some(RowsFormat::Ndjson)),
            };
            if !fits {
                let ending = if matches!(format, RowsFormat::Csv { .. }) { ".csv" } else { ".ndjson" };
                let what = format!("refused rows of `{from}` cannot be kept in `{}`", path.display());
                return Err(Trouble::new(what).help(format!("name a file that ends in `{ending}`")));
            }
        }
        let paths = [&self.out, &self.rejects, &self.report].into_iter().flatten();
        let mut seen: Vec<PathBuf> = std::fs::canonicalize(from).into_iter().collect();
        for path in paths {
            let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            if seen.contains(&whole) {
                return Err(Trouble::new(format!("`{}` is named twice", path.display()))
                    .help("every file that is read or written needs a name of its own"));
            }
            seen.push(whole);
        }
        Ok(())
    }

    fn asked(
        &self,
        (here, there): (Arc<FlowRevision>, Option<Side>),
        (market, at): (Option<&str>, Option<Timestamp>),
        rows: &Rows,
        (format, out): (RowsFormat, Option<RowsFormat>),
    ) -> Result<Asked, Trouble> {
        let market = match (&self.market_column, market) {
            (Some(column), _) => Market::Column(column.clone()),
            (None, Some(name)) => Market::Fixed(name.to_owned()),
            (None, None) => Market::default(),
        };
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let separator = match format {
            RowsFormat::Csv { separator } => Some(separator),
            _ => None,
        };
        let columns = rows.columns().unwrap_or_default().to_vec();
        Ok(Asked {
            here: Side { from: "the rules here".to_owned(), flow: here },
            there,
            named: Named {
                label: self.label.clone(),
                bad: self.bad.clone(),
                groups: self.groups.clone(),
                groups_may_be_inputs: self.groups_may_be_inputs,
                reference: self.reference.clone(),
                ignore: self.ignore.clone(),
            },
            market,
            // One time for all rows, so that a run can be repeated.
            at: at.unwrap_or_else(Timestamp::now),
            threads: self.threads.map_or_else(cores, usize::from),
            form: out.map(|format| if format == RowsFormat::Ndjson { Form::Lines } else { Form::Cells }),
            keep_refused: self.rejects.as_ref().map(|_| Kept { columns, separator }),
            show_facts: self.show_facts,
        })
    }
}

fn name(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn out_format(path: &Path) -> Result<RowsFormat, Trouble> {
    RowsFormat::of_name(&name(path)).ok_or_else(|| {
        Trouble::new(format!("the ending of `{}` does not say how it is to be written", path.display()))
            .help("name a file that ends in `.ndjson`, `.csv` or `.parquet`")
    })
}

fn open(from: &str, format: RowsFormat) -> Result<Rows, Trouble> {
    let rows = if from == "-" {
        Rows::stream(Box::new(std::io::stdin()), format)
    } else {
        let file = File::open(from)
            .map_err(|error| Trouble::because(&format!("`{from}` cannot be read"), &error))?;
        Rows::open(file, format)
    };
    rows.map_err(|error| Trouble::because(&format!("`{from}`"), &error))
}

/// The flow of the same name in another folder, or in a revision of the log.
fn other(with: &str, flow: &str, settings: &Settings) -> Result<Side, Trouble> {
    let from = with.to_owned();
    if with.starts_with("sha256:") {
        return Ok(Side { from, flow: crate::cli::wait(stored(with, flow, settings))? });
    }
    let (rules, models) = (Path::new(with).join("rules"), Path::new(with).join("models"));
    if !rules.is_dir() {
        return Err(Trouble::new(format!("there is no folder `{}`", rules.display()))
            .help("`--compare` takes a folder that holds `rules/`, or a revision (`sha256:…`)"));
    }
    // A folder of rules alone is compared on the models here.
    let models = if models.is_dir() { models } else { settings.models.clone() };
    let built = bundle::build(&bundle::read_folder(&rules, &models));
    let flow = declared::flow(&built, flow).map_err(|trouble| match trouble {
        Trouble::Failed { what, .. } => {
            let help = format!("`tollgate check {with}` says what is there");
            Trouble::new(format!("`{with}`: {what}")).help(help)
        }
        other => other,
    })?;
    Ok(Side { from, flow })
}

async fn stored(name: &str, flow: &str, settings: &Settings) -> Result<Arc<FlowRevision>, Trouble> {
    let flows = declared::stored(name, Some(flow), settings).await?;
    let found = flows.get(flow).cloned();
    found.ok_or_else(|| Trouble::new(format!("the revision `{name}` has no flow `{flow}`")))
}

fn trouble(from: &str, error: BatchError) -> Trouble {
    let help = match &error {
        BatchError::Columns(ColumnsError::Unknown { .. }) => Some(
            "`--ignore COLUMN` leaves one out; `--label`, `--groups` and `--reference` say what others are",
        ),
        BatchError::Columns(ColumnsError::GroupIsInput { .. }) => {
            Some("`--groups-may-be-inputs` hands it to the flow all the same, and still counts by it")
        }
        BatchError::Columns(ColumnsError::Missing { .. }) => {
            Some("`tollgate schema FLOW` says what the flow takes; a field of a map is a column `map.field`")
        }
        BatchError::Label { .. } => {
            Some("`--bad VALUE` says which value means bad; all others then mean good")
        }
        _ => None,
    };
    let said = Trouble::because(&format!("`{from}`"), &error);
    match help {
        Some(help) => said.help(help),
        None => said,
    }
}

fn unwritten(path: &Path, error: &(dyn std::error::Error + 'static)) -> Trouble {
    Trouble::because(&format!("`{}` cannot be written", path.display()), error)
}

fn decided(asked: &Asked, rows: Rows, written: &mut Written, say: &Say) -> Result<Summary, BatchError> {
    let (read, total) = rows.progress();
    let bar = say.rows(total);
    let started = Instant::now();
    let mut done = 0_u64;
    let summary = batch::run(asked, rows, &mut |part| {
        done += part.rows;
        bar.set_position(read.load(Ordering::Relaxed));
        bar.set_message(format!("{done} rows"));
        written.write(part)
    });
    bar.finish_and_clear();
    let summary = summary?;
    let seconds = started.elapsed().as_secs_f64();
    if seconds > 0.0 {
        let rate = summary.rows as f64 / seconds;
        say.talk(&format!("{} rows in {seconds:.2} s, {rate:.0} a second", summary.rows));
    }
    Ok(summary)
}

/// The files that rows are written to.
struct Written {
    out: Out,
    rejects: Option<(PathBuf, BufWriter<File>)>,
}

enum Out {
    Nothing,
    Text(PathBuf, BufWriter<File>, u8),
    Parquet(PathBuf, Box<ParquetWriter<BufWriter<File>>>),
}

impl Written {
    fn create(
        asked: &Asked,
        out: Option<(&Path, RowsFormat)>,
        rejects: Option<&Path>,
    ) -> Result<Self, Trouble> {
        let create =
            |path: &Path| File::create(path).map(BufWriter::new).map_err(|error| unwritten(path, &error));
        let columns = batch::written_columns(&asked.here);
        let out = match out {
            None => Out::Nothing,
            Some((path, RowsFormat::Ndjson)) => Out::Text(path.to_owned(), create(path)?, b','),
            Some((path, RowsFormat::Csv { separator })) => {
                let mut file = create(path)?;
                let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                file.write_all(&csv_lines(separator, [names])).map_err(|error| unwritten(path, &error))?;
                Out::Text(path.to_owned(), file, separator)
            }
            Some((path, RowsFormat::Parquet)) => {
                let writer = ParquetWriter::new(create(path)?, &columns);
                Out::Parquet(path.to_owned(), Box::new(writer.map_err(|error| unwritten(path, &error))?))
            }
        };
        let rejects = match (rejects, &asked.keep_refused) {
            (Some(path), Some(kept)) => {
                let mut file = create(path)?;
                file.write_all(&kept.header()).map_err(|error| unwritten(path, &error))?;
                Some((path.to_owned(), file))
            }
            _ => None,
        };
        Ok(Self { out, rejects })
    }

    fn write(&mut self, part: Part) -> Result<(), WriteError> {
        match (&mut self.out, part.decided) {
            (Out::Text(_, file, _), Rendered::Lines(lines)) => file.write_all(&lines)?,
            (Out::Text(_, file, separator), Rendered::Cells(rows)) => {
                let rows = rows.iter().map(|row| row.iter().map(Cell::text).collect::<Vec<_>>());
                file.write_all(&csv_lines(*separator, rows))?;
            }
            (Out::Parquet(_, writer), Rendered::Cells(rows)) => {
                rows.into_iter().try_for_each(|row| writer.row(row))?;
            }
            _ => {}
        }
        if let Some((_, file)) = &mut self.rejects {
            file.write_all(&part.refused)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Trouble> {
        match self.out {
            Out::Nothing => {}
            Out::Text(path, mut file, _) => file.flush().map_err(|error| unwritten(&path, &error))?,
            Out::Parquet(path, writer) => writer.finish().map_err(|error| unwritten(&path, &error))?,
        }
        match self.rejects {
            Some((path, mut file)) => file.flush().map_err(|error| unwritten(&path, &error)),
            None => Ok(()),
        }
    }
}
