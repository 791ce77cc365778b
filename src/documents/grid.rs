//! CSV with the place of every cell, for tables that are checked cell by cell: what each cell holds is the CSV
//! parser's to say, where it stands is found here. No types, no meaning, and no row is dropped but blank ones.

use super::Source;
use crate::domain::place::{Located, Place, Span};

/// A header and rows of cells, trimmed; a row may have more or fewer cells than the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    pub header: Vec<Located<String>>,
    pub rows: Vec<Vec<Located<String>>>,
}

/// Why a text is no grid. Never shows a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    #[error("it has no header line")]
    NoHeader,
    #[error("it cannot be read as CSV")]
    Unreadable,
}

/// Reads a whole file; `file` is the number that its places carry. A byte order mark is skipped; lines may end in LF
/// or CRLF; lines that are blank, or hold nothing but separators, count for nothing.
///
/// # Errors
/// There is no header, or the CSV parser gives up; the span is where.
pub fn read(file: u32, source: &Source, separator: u8) -> Result<Grid, (GridError, Place)> {
    let text = source.text.as_ref();
    let base = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let body = text.get(base..).unwrap_or_default();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(body.as_bytes());
    let mut records = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        let start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let at = Place { file, span: Span::new(base + start, base + start) };
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(_) => return Err((GridError::Unreadable, at)),
        }
        let start = record.position().and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or(start);
        let spans = spans(body, start, separator, record.len());
        let cells: Vec<Located<String>> = record
            .iter()
            .zip(spans)
            .map(|(cell, (from, to))| {
                let trimmed = cell.trim();
                let lead = cell.len() - cell.trim_start().len();
                // What is escaped within a cell makes it longer in the file than it is.
                let length = if to - from == cell.len() { trimmed.len() } else { to - from };
                let span =
                    Span::new(base + from + lead.min(to - from), base + (from + lead + length).min(to));
                Located::new(trimmed.to_owned(), Place { file, span })
            })
            .collect();
        if cells.iter().any(|cell| !cell.value.is_empty()) {
            records.push(cells);
        }
    }
    let mut records = records.into_iter();
    let header = records.next().ok_or((GridError::NoHeader, Place { file, span: Span::default() }))?;
    Ok(Grid { header, rows: records.collect() })
}

/// Where each cell of a record begins and ends in the text, without its quotes.
fn spans(text: &str, start: usize, separator: u8, count: usize) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied();
    let mut at = start;
    while matches!(byte(at), Some(b'\r' | b'\n')) {
        at += 1;
    }
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let is_end = |b: Option<u8>| b.is_none_or(|b| b == separator || b == b'\n' || b == b'\r');
        let (from, to) = if byte(at) == Some(b'"') {
            let from = at + 1;
            at = from;
            while let Some(b) = byte(at) {
                match (b, byte(at + 1)) {
                    (b'"', Some(b'"')) => at += 2,
                    (b'"', _) => break,
                    _ => at += 1,
                }
            }
            let to = at;
            while !is_end(byte(at)) {
                at += 1;
            }
            (from, to)
        } else {
            let from = at;
            while !is_end(byte(at)) {
                at += 1;
            }
            (from, at)
        };
        all.push((from.min(bytes.len()), to.min(bytes.len()).max(from.min(bytes.len()))));
        at += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each cell as it was read, and as it stands in the file.
    fn cells(text: &str, separator: u8) -> Vec<(String, String)> {
        let source = Source::new("a.csv", text);
        let grid = read(0, &source, separator).unwrap();
        let shown = |cell: &Located<String>| {
            let Span { start, end } = cell.place.span;
            (cell.value.clone(), text.get(start as usize..end as usize).unwrap().to_owned())
        };
        grid.header.iter().chain(grid.rows.iter().flatten()).map(shown).collect()
    }

    #[test]
    fn every_cell_has_its_place_whatever_a_spreadsheet_writes() {
        for (text, separator, expected) in [
            ("a,b\n1,2\n", b',', vec!["a", "b", "1", "2"]),
            ("\u{feff}a;b\r\n\r\n 1 ;\"x;y\"\r\n;;\r\n2;ß\r\n", b';', vec!["a", "b", "1", "x;y", "2", "ß"]),
            ("a,b\n\"1\n2\",3", b',', vec!["a", "b", "1\n2", "3"]),
            ("a\tb\n1\t\n", b'\t', vec!["a", "b", "1", ""]),
        ] {
            let read: Vec<(String, String)> = cells(text, separator);
            let expected: Vec<(String, String)> =
                expected.into_iter().map(|cell| (cell.to_owned(), cell.to_owned())).collect();
            assert_eq!(read, expected, "{text:?}");
        }
        assert_eq!(cells("a\n\"say \"\"no\"\"\"\n", b',')[1], ("say \"no\"".into(), "say \"\"no\"\"".into()));
    }

    #[test]
    fn a_row_of_another_length_is_kept_and_an_empty_file_is_refused() {
        let read_text = |text: &str| read(0, &Source::new("a.csv", text), b',');
        assert_eq!(
            read_text("a,b\n1\n1,2,3\n").unwrap().rows.iter().map(Vec::len).collect::<Vec<_>>(),
            [1, 3]
        );
        assert_eq!(read_text("").unwrap_err().0, GridError::NoHeader);
        assert_eq!(read_text("\u{feff}\n , \n").unwrap_err().0, GridError::NoHeader);
    }
}
