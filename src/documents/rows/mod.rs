//! Rows of files too long to be held: CSV, one JSON object a line, and Parquet, in chunks that keep the order. Each row
//! has its number and its line, and one that cannot be read does not end the others. No meaning: which column is what
//! belongs to whoever asks; `cell` says what a text stands for where a type is expected.

mod cell;
mod parquet;
mod split;
pub mod write;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use cell::{fitted, given};

use super::json::{self, JsonLimits};
use super::table::Cells;
use crate::domain::facts::Given;
use split::{Kind, Splitter};

/// Rows of one chunk, at most.
const CHUNK_ROWS: usize = 1_000;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsFormat {
    Csv {
        separator: u8,
    },
    /// One JSON object a line.
    Ndjson,
    Parquet,
}

impl RowsFormat {
    /// By the ending of a file's name: `.csv`, `.tsv`, `.ndjson`, `.jsonl`, `.parquet`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let ending = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
        Some(match ending.as_str() {
            "csv" => Self::Csv { separator: b',' },
            "tsv" => Self::Csv { separator: b'\t' },
            "ndjson" | "jsonl" => Self::Ndjson,
            "parquet" | "pq" => Self::Parquet,
            _ => return None,
        })
    }
}

/// Why rows cannot be read on. Never shows a value.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    #[error("it cannot be read")]
    Read(#[source] std::io::Error),
    #[error("there is no header line")]
    NoHeader,
    #[error("line 1: the header is not UTF-8")]
    HeaderNotUtf8,
    #[error("line 1: column {position} has no name")]
    UnnamedColumn { position: usize },
    #[error("line 1: column `{name}` stands twice")]
    DuplicateColumn { name: String },
    #[error("line {line}: the row that begins here is longer than 1 MiB; is a quote not closed?")]
    TooLong { line: u64 },
    #[error("it is not a Parquet file, or damaged: {0}")]
    Parquet(String),
}

/// A file of rows, read from its beginning to its end once.
pub struct Rows {
    source: Source,
    next_row: u64,
    read: Arc<AtomicU64>,
    total: Option<u64>,
}

enum Source {
    Text(Splitter<Box<dyn Read + Send>>, Vec<String>),
    Parquet(Box<parquet::ParquetRows>),
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("next_row", &self.next_row).finish_non_exhaustive()
    }
}

/// Some rows that follow each other.
#[derive(Debug)]
pub struct Chunk {
    /// Number of its first row, from 1.
    pub first: u64,
    content: Content,
    columns: usize,
}

#[derive(Debug)]
enum Content {
    Csv { text: Vec<u8>, records: Vec<split::Record>, separator: u8 },
    Lines { text: Vec<u8>, records: Vec<split::Record> },
    Values(Vec<Vec<Given>>),
}

/// One row as it was written.
#[derive(Debug)]
pub struct Row<'c> {
    /// From 1, the header not counted.
    pub number: u64,
    /// Of a text, from 1.
    pub line: Option<u64>,
    pub written: Written<'c>,
    /// Of a text: the row itself, without the end of the line.
    pub raw: &'c [u8],
}

#[derive(Debug)]
pub enum Written<'c> {
    /// One text a column.
    Texts(Cells<'c>),
    /// One value a column.
    Values(&'c [Given]),
    /// An object of its own names.
    Object(Vec<(String, Given)>),
    /// It cannot be read, and why; never with what it holds.
    Broken(String),
}

impl Rows {
    /// Opens a file; its header, if there is one, is read at once.
    ///
    /// # Errors
    /// When it cannot be read, or has no usable header.
    pub fn open(file: File, format: RowsFormat) -> Result<Self, RowsError> {
        let total = file.metadata().ok().map(|data| data.len()).filter(|length| *length > 0);
        match format {
            RowsFormat::Parquet => {
                let rows = parquet::ParquetRows::open(file)?;
                let total = Some(rows.total());
                let source = Source::Parquet(Box::new(rows));
                Ok(Self { source, next_row: 1, read: Arc::default(), total })
            }
            text => Ok(Self { total, ..Self::stream(Box::new(file), text)? }),
        }
    }

    /// Reads rows of text from anywhere.
    ///
    /// # Errors
    /// As `open`. Parquet needs a file: it is read from its end.
    pub fn stream(from: Box<dyn Read + Send>, format: RowsFormat) -> Result<Self, RowsError> {
        let read = Arc::new(AtomicU64::new(0));
        let kind = match format {
            RowsFormat::Csv { separator } => Kind::Csv { separator },
            RowsFormat::Ndjson => Kind::Lines,
            RowsFormat::Parquet => {
                return Err(RowsError::Parquet("it is read from its end, so it has to be a file".to_owned()));
            }
        };
        let mut splitter = Splitter::new(from, kind, Arc::clone(&read))?;
        let columns = match kind {
            Kind::Csv { separator } => header(&splitter.header()?.ok_or(RowsError::NoHeader)?, separator)?,
            Kind::Lines => Vec::new(),
        };
        Ok(Self { source: Source::Text(splitter, columns), next_row: 1, read, total: None })
    }

    /// The names of the columns; `None` where each row names its own.
    #[must_use]
    pub fn columns(&self) -> Option<&[String]> {
        match &self.source {
            Source::Text(splitter, columns) => {
                matches!(splitter.kind(), Kind::Csv { .. }).then_some(columns.as_slice())
            }
            Source::Parquet(rows) => Some(rows.columns()),
        }
    }

    /// How far it was read and how far it goes, in one measure (bytes or rows); the end is not known of a stream.
    #[must_use]
    pub fn progress(&self) -> (Arc<AtomicU64>, Option<u64>) {
        (Arc::clone(&self.read), self.total)
    }

    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// When nothing behind this place can be read.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, RowsError> {
        let (content, rows, columns) = match &mut self.source {
            Source::Text(splitter, columns) => {
                let (text, records) = splitter.next(CHUNK_ROWS)?;
                let rows = records.len();
                let content = match splitter.kind() {
                    Kind::Csv { separator } => Content::Csv { text, records, separator },
                    Kind::Lines => Content::Lines { text, records },
                };
                (content, rows, columns.len())
            }
            Source::Parquet(source) => {
                let values = source.next(CHUNK_ROWS)?;
                let rows = values.len();
                self.read.fetch_add(rows as u64, Ordering::Relaxed);
                (Content::Values(values), rows, source.columns().len())
            }
        };
        if rows == 0 {
            return Ok(None);
        }
        let first = self.next_row;
        self.next_row += rows as u64;
        Ok(Some(Chunk { first, content, columns }))
    }
}

fn header(text: &[u8], separator: u8) -> Result<Vec<String>, RowsError> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text);
    let mut record = csv::StringRecord::new();
    reader.read_record(&mut record).map_err(|_| RowsError::HeaderNotUtf8)?;
    let mut names: Vec<String> = Vec::with_capacity(record.len());
    for (at, name) in record.iter().enumerate() {
        let name = name.trim();
        if name.is_empty() {
            return Err(RowsError::UnnamedColumn { position: at + 1 });
        }
        if names.iter().any(|earlier| earlier == name) {
            return Err(RowsError::DuplicateColumn { name: name.to_owned() });
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

impl Chunk {
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Csv { records, .. } | Content::Lines { records, .. } => records.len(),
            Content::Values(values) => values.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Goes through its rows in order.
    pub fn each(&self, mut each: impl FnMut(Row<'_>)) {
        match &self.content {
            Content::Csv { text, records, separator } => self.each_csv(text, records, *separator, each),
            Content::Lines { text, records } => {
                for (number, record) in (self.first..).zip(records) {
                    let raw = text.get(record.from..record.to).unwrap_or_default();
                    each(Row { number, line: Some(record.line), written: object(raw), raw });
                }
            }
            Content::Values(values) => {
                for (number, values) in (self.first..).zip(values) {
                    each(Row { number, line: None, written: Written::Values(values), raw: &[] });
                }
            }
        }
    }

    fn each_csv(&self, text: &[u8], records: &[split::Record], separator: u8, mut each: impl FnMut(Row<'_>)) {
        let mut record = csv::StringRecord::new();
        let mut reader = split::reader(text, separator);
        for (number, place) in (self.first..).zip(records) {
            let raw = text.get(place.from..place.to).unwrap_or_default();
            let written = match split::parsed(&mut reader, &mut record) {
                Ok(()) if record.len() == self.columns => Written::Texts(Cells::of(&record)),
                Ok(()) => {
                    Written::Broken(format!("{} cells, but the header has {}", record.len(), self.columns))
                }
                Err(why) => Written::Broken(why.to_owned()),
            };
            each(Row { number, line: Some(place.line), written, raw });
        }
    }
}

fn object<'c>(raw: &[u8]) -> Written<'c> {
    match json::parse(raw, JsonLimits::default()) {
        Ok(Given::Map(entries)) => Written::Object(entries),
        Ok(_) => Written::Broken("not a JSON object".to_owned()),
        Err(error) => Written::Broken(format!("{} at column {}", error.problem, error.column)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str, format: RowsFormat) -> Vec<(u64, Option<u64>, String)> {
        let mut rows = Rows::stream(Box::new(text.as_bytes()), format).unwrap();
        let mut found = Vec::new();
        while let Some(chunk) = rows.next_chunk().unwrap() {
            chunk.each(|row| {
                let shown = match &row.written {
                    Written::Texts(cells) => cells.iter().collect::<Vec<_>>().join("|"),
                    Written::Broken(why) => format!("! {why}"),
                    other => format!("{other:?}"),
                };
                found.push((row.number, row.line, shown));
            });
        }
        found
    }

    const CSV: RowsFormat = RowsFormat::Csv { separator: b',' };

    #[test]
    fn rows_have_their_number_and_the_line_that_they_begin_at() {
        let found = read("\u{feff}a,b\r\n\r\n1,\"x\r\ny\"\r\n2\r\n3,\"d\"\"q\"\n\n4,5", CSV);
        let expected =
            [(1, 3, "1|x\r\ny"), (2, 5, "! 1 cells, but the header has 2"), (3, 6, "3|d\"q"), (4, 8, "4|5")];
        let expected: Vec<_> = expected.map(|(n, line, shown)| (n, Some(line), shown.to_owned())).into();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_line_that_is_no_object_does_not_end_the_others() {
        let found = read("{\"a\": 1}\n\n[1]\n{\"a\": \n{\"a\": 2}", RowsFormat::Ndjson);
        let lines: Vec<_> = found.iter().map(|(number, line, _)| (*number, line.unwrap())).collect();
        assert_eq!(lines, [(1, 1), (2, 3), (3, 4), (4, 5)]);
        assert!(found[1].2 == "! not a JSON object", "{found:?}");
        assert!(found[2].2.starts_with("! the body ends too early"), "{found:?}");
    }

    #[test]
    fn a_header_that_names_nothing_is_refused() {
        let says = |text: &'static str| {
            Rows::stream(Box::new(text.as_bytes()), CSV).map(drop).unwrap_err().to_string()
        };
        assert_eq!(says(""), "there is no header line");
        assert_eq!(says("a,,c\n"), "line 1: column 2 has no name");
        assert_eq!(says("a, a\n"), "line 1: column `a` stands twice");
    }
}
