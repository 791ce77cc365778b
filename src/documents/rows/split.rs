//! A stream of bytes cut into rows, without reading what is in them: that is done elsewhere, several chunks at a time.
//! It holds no more than one chunk. Absent on purpose: cells.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::RowsError;

/// Bytes that are read at once.
const BLOCK: usize = 256 * 1024;
/// Bytes of one row, at most: a quote that is never closed would make a row of all the rest.
const MOST_BYTES: usize = 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Csv { separator: u8 },
    Lines,
}

/// Where a row lies in its chunk's text, and the line of the file that it begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub from: usize,
    pub to: usize,
    pub line: u64,
}

pub(super) struct Splitter<R> {
    from: R,
    kind: Kind,
    /// Read and not yet given out.
    held: Vec<u8>,
    /// How far `held` was looked through.
    at: usize,
    is_ended: bool,
    line: u64,
    place: Place,
    read: Arc<AtomicU64>,
}

/// What a byte of CSV stands in: the parser's own states, as far as they say where a row ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    FieldStart,
    Plain,
    Quoted,
    /// Behind a quote in a quoted field: another one means a quote, anything else that it is closed.
    QuoteSeen,
}

impl<R: Read> Splitter<R> {
    /// A byte order mark is skipped.
    pub(super) fn new(from: R, kind: Kind, read: Arc<AtomicU64>) -> Result<Self, RowsError> {
        let mut splitter = Self {
            from,
            kind,
            held: Vec::new(),
            at: 0,
            is_ended: false,
            line: 1,
            place: Place::FieldStart,
            read,
        };
        while splitter.held.len() < 3 && !splitter.is_ended {
            splitter.fill()?;
        }
        if splitter.held.starts_with(b"\xef\xbb\xbf") {
            splitter.held.drain(..3);
        }
        Ok(splitter)
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The first row alone.
    pub(super) fn header(&mut self) -> Result<Option<Vec<u8>>, RowsError> {
        let (text, records) = self.next(1)?;
        Ok(records.first().map(|record| text.get(record.from..record.to).unwrap_or_default().to_vec()))
    }

    /// The next rows and the text that they lie in; none after the last. Blank lines are no rows.
    pub(super) fn next(&mut self, most: usize) -> Result<(Vec<u8>, Vec<Record>), RowsError> {
        let mut records = Vec::with_capacity(most.min(1_000));
        let mut start = 0;
        let mut begins_at = self.line;
        loop {
            while let Some(byte) = self.held.get(self.at).copied() {
                self.at += 1;
                let ends = self.ends_row(byte);
                if byte == b'\n' {
                    self.line += 1;
                }
                if !ends {
                    continue;
                }
                if self.at - 1 > start {
                    records.push(Record { from: start, to: self.at - 1, line: begins_at });
                }
                start = self.at;
                begins_at = self.line;
                if records.len() >= most {
                    return Ok((self.take(start), records));
                }
            }
            if self.is_ended {
                let to = self.held.len();
                if to > start {
                    records.push(Record { from: start, to, line: begins_at });
                }
                return Ok((self.take(to), records));
            }
            if self.held.len() - start > MOST_BYTES {
                return Err(RowsError::TooLong { line: begins_at });
            }
            // What is whole goes on before more is read, so that long rows do not pile up.
            if !records.is_empty() && start > 4 * MOST_BYTES {
                let text = self.take(start);
                return Ok((text, records));
            }
            self.fill()?;
        }
    }

    /// Gives out what lies before a place. What lies behind it was begun and stays.
    fn take(&mut self, to: usize) -> Vec<u8> {
        let rest = self.held.split_off(to.min(self.held.len()));
        if to < self.at {
            // The row behind was begun: it is looked through again, its line counted again.
            let seen = rest.get(..self.at - to).unwrap_or_default();
            self.line -= seen.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.place = Place::FieldStart;
        }
        self.at = 0;
        std::mem::replace(&mut self.held, rest)
    }

    fn ends_row(&mut self, byte: u8) -> bool {
        let Kind::Csv { separator } = self.kind else { return byte == b'\n' };
        let is_end = matches!(byte, b'\n' | b'\r');
        self.place = match self.place {
            Place::Quoted if byte == b'"' => Place::QuoteSeen,
            Place::Quoted => Place::Quoted,
            Place::QuoteSeen | Place::FieldStart if byte == b'"' => Place::Quoted,
            _ if is_end || byte == separator => Place::FieldStart,
            _ => Place::Plain,
        };
        is_end && self.place == Place::FieldStart
    }

    fn fill(&mut self) -> Result<(), RowsError> {
        let before = self.held.len();
        self.held.resize(before + BLOCK, 0);
        let free = self.held.get_mut(before..).unwrap_or_default();
        let found = loop {
            match self.from.read(free) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let found = found.map_err(RowsError::Read)?;
        self.held.truncate(before + found);
        self.is_ended = found == 0;
        self.read.fetch_add(found as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Reads the rows that a text was cut into, one after the other: to make a parser costs as much as to decide a row.
pub(super) fn reader(text: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text)
}

/// The cells of the next row.
pub(super) fn parsed(
    reader: &mut csv::Reader<&[u8]>,
    record: &mut csv::StringRecord,
) -> Result<(), &'static str> {
    match reader.read_record(record) {
        Ok(true) => Ok(()),
        Ok(false) => Err("an empty row"),
        Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => Err("the text is not UTF-8"),
        Err(_) => Err("it cannot be read as CSV"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives a few bytes at a time, as pipes do.
    struct Dripping<'a>(&'a [u8], usize);

    impl Read for Dripping<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let size = self.1.min(into.len()).min(self.0.len());
            into[..size].copy_from_slice(&self.0[..size]);
            self.0 = &self.0[size..];
            Ok(size)
        }
    }

    fn all(text: &[u8], kind: Kind, drip: usize, most: usize) -> Vec<(u64, Vec<u8>)> {
        let mut splitter = Splitter::new(Dripping(text, drip), kind, Arc::default()).unwrap();
        let mut found = Vec::new();
        loop {
            let (text, records) = splitter.next(most).unwrap();
            if records.is_empty() {
                return found;
            }
            found.extend(records.iter().map(|r| (r.line, text[r.from..r.to].to_vec())));
        }
    }

    proptest! {
        /// The rows are those that the parser finds in the whole text, however it comes and is cut, and in each chunk
        /// it finds as many as were cut.
        #[test]
        fn rows_are_the_parser_s_own(
            text in r#"[ab,"\r\n]{0,40}"#, drip in 1_usize..7, most in 1_usize..4,
        ) {
            let mut whole = csv::ReaderBuilder::new().has_headers(false).flexible(true)
                .from_reader(text.as_bytes());
            let expected: Vec<Vec<String>> = whole.records()
                .map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
            let mut splitter =
                Splitter::new(Dripping(text.as_bytes(), drip), Kind::Csv { separator: b',' }, Arc::default()).unwrap();
            let mut record = csv::StringRecord::new();
            let mut found = Vec::new();
            loop {
                let (text, records) = splitter.next(most).unwrap();
                let mut rows = reader(&text, b',');
                for place in &records {
                    let mut alone = reader(&text[place.from..place.to], b',');
                    parsed(&mut alone, &mut record).unwrap();
                    let cells: Vec<String> = record.iter().map(str::to_owned).collect();
                    parsed(&mut rows, &mut record).unwrap();
                    prop_assert_eq!(&record.iter().collect::<Vec<_>>(), &cells);
                    found.push(cells);
                }
                prop_assert_eq!(parsed(&mut rows, &mut record), Err("an empty row"));
                if records.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn lines_are_counted_from_the_first_whatever_is_blank(text in "[a\n]{0,30}", drip in 1_usize..5) {
            let expected: Vec<(u64, Vec<u8>)> = (1..).zip(text.split('\n'))
                .filter(|(_, line)| !line.is_empty())
                .map(|(number, line)| (number, line.as_bytes().to_vec())).collect();
            prop_assert_eq!(all(text.as_bytes(), Kind::Lines, drip, 3), expected);
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_said_with_the_line_where_it_opens() {
        let mut text = b"a,b\n1,\"never\n".to_vec();
        text.resize(3 * MOST_BYTES, b'x');
        let mut splitter =
            Splitter::new(text.as_slice(), Kind::Csv { separator: b',' }, Arc::default()).unwrap();
        splitter.header().unwrap();
        let error = splitter.next(1_000).unwrap_err();
        assert!(matches!(error, RowsError::TooLong { line: 2 }), "{error}");
    }
}
