//! CSV as written: a header and rows of text, with the line of each. The one door to the CSV parser.
//! No types and no meaning: an empty cell is an empty text here.

/// A table as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
}

/// One row; as many cells as the table has columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// 1-based line of the file.
    pub line: u64,
    pub cells: Vec<String>,
}

/// Why a table cannot be read. Never shows a cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error("the table has no header line")]
    NoHeader,
    #[error("line 1: column {position} has no name")]
    UnnamedColumn { position: usize },
    #[error("line 1: column `{name}` stands twice")]
    DuplicateColumn { name: String },
    #[error("line {line}: {found} cells, but the header has {expected}")]
    CellCount { line: u64, found: u64, expected: u64 },
    #[error("line {line}: the text is not UTF-8")]
    NotUtf8 { line: u64 },
    #[error("line {line}: it cannot be read as CSV")]
    Unreadable { line: u64 },
}

/// Reads a whole table. A byte order mark is skipped; lines may end in LF or CRLF; blank lines count for nothing.
///
/// # Errors
/// The first thing wrong, with its line.
pub fn parse(bytes: &[u8], separator: u8) -> Result<Table, TableError> {
    let mut reader = Reader::new(bytes, separator)?;
    let mut rows = Vec::new();
    while let Some((line, record)) = reader.next_row()? {
        rows.push(Row { line, cells: record.iter().map(str::to_owned).collect() });
    }
    Ok(Table { columns: reader.columns, rows })
}

/// A table read row by row, for those too long to be held as text.
#[derive(Debug)]
pub struct Reader<'a> {
    pub columns: Vec<String>,
    records: csv::Reader<&'a [u8]>,
    record: csv::StringRecord,
    lines: Lines<'a>,
}

impl<'a> Reader<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// When there is none, or a column has no name or the name of another.
    pub fn new(bytes: &'a [u8], separator: u8) -> Result<Self, TableError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut records = csv::ReaderBuilder::new().delimiter(separator).from_reader(bytes);
        let columns: Vec<String> = records
            .headers()
            .map_err(|error| explain(&error, 1))?
            .iter()
            .map(|name| name.trim().to_owned())
            .collect();
        if columns.is_empty() {
            return Err(TableError::NoHeader);
        }
        for (index, name) in columns.iter().enumerate() {
            if name.is_empty() {
                return Err(TableError::UnnamedColumn { position: index + 1 });
            }
            if columns.iter().take(index).any(|earlier| earlier == name) {
                return Err(TableError::DuplicateColumn { name: name.clone() });
            }
        }
        let lines = Lines { bytes, at: 0, line: 1 };
        Ok(Self { columns, records, record: csv::StringRecord::new(), lines })
    }

    /// The next row with its 1-based line; `None` after the last.
    ///
    /// # Errors
    /// When it is not as long as the header, not UTF-8, or not CSV.
    pub fn next_row(&mut self) -> Result<Option<(u64, Cells<'_>)>, TableError> {
        match self.records.read_record(&mut self.record) {
            Ok(false) => Ok(None),
            Ok(true) => {
                let line = self.lines.of(self.record.position());
                Ok(Some((line, Cells(&self.record))))
            }
            Err(error) => Err(explain(&error, self.lines.of(error.position()))),
        }
    }
}

/// The cells of one record.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'r>(&'r csv::StringRecord);

impl<'r> Cells<'r> {
    pub(super) fn of(record: &'r csv::StringRecord) -> Self {
        Self(record)
    }

    #[must_use]
    pub fn get(&self, column: usize) -> Option<&'r str> {
        self.0.get(column)
    }

    /// The cell in a column, without the spaces around it; empty when there is none.
    #[must_use]
    pub fn trimmed(&self, column: usize) -> &'r str {
        self.0.get(column).unwrap_or_default().trim()
    }

    pub fn iter(&self) -> impl Iterator<Item = &'r str> {
        self.0.iter()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Goes through records one by one, header or not, whatever number of cells each has, and keeps none: for files of a
/// million lines. Each comes with the byte at which it begins, a byte order mark counted.
///
/// # Errors
/// The first record that is not CSV or not UTF-8, with its line.
pub fn each_record(
    bytes: &[u8],
    separator: u8,
    mut each: impl FnMut(usize, Cells<'_>),
) -> Result<(), TableError> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mark = bytes.len() - text.len();
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text);
    let mut record = csv::StringRecord::new();
    loop {
        let more = reader.read_record(&mut record).map_err(|error| {
            let line = Lines { bytes: text, at: 0, line: 1 }.of(error.position());
            explain(&error, line)
        })?;
        if !more {
            return Ok(());
        }
        let start = record.position().and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or_default();
        let blank = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let skipped = text.get(start..).unwrap_or_default().iter().take_while(blank).count();
        each(mark + start + skipped, Cells(&record));
    }
}

/// Counts lines by itself: the parser's own count says where the line before a record ended.
#[derive(Debug)]
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first byte of the record that begins at `position` or after blank lines there.
    fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(self.at);
        let blank = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let start = start + self.bytes.get(start..).unwrap_or_default().iter().take_while(blank).count();
        let between = self.bytes.get(self.at..start).unwrap_or_default();
        self.line += between.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = self.at.max(start);
        self.line
    }
}

fn explain(error: &csv::Error, line: u64) -> TableError {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            TableError::CellCount { line, found: *len, expected: *expected_len }
        }
        csv::ErrorKind::Utf8 { .. } => TableError::NotUtf8 { line },
        _ => TableError::Unreadable { line },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spreadsheets_write_is_read() {
        let table = parse(b"\xef\xbb\xbfa;b\r\n1;\"x;y\"\r\n\r\n2;\r\n", b';').unwrap();
        assert_eq!(table.columns, ["a", "b"]);
        let cells: Vec<_> = table.rows.iter().map(|r| (r.line, r.cells.join("|"))).collect();
        assert_eq!(cells, [(2, "1|x;y".to_owned()), (4, "2|".to_owned())]);
    }

    #[test]
    fn records_come_one_by_one_with_the_byte_they_begin_at() {
        let mut found = Vec::new();
        let text = "\u{feff}a\r\n\r\n\"b;\nc\";d\n  \nlast";
        let each = |at: usize, cells: Cells<'_>| found.push((at, cells.iter().collect::<Vec<_>>().join("|")));
        each_record(text.as_bytes(), b';', each).unwrap();
        let expected = [(3, "a"), (8, "b;\nc|d"), (17, "  "), (20, "last")];
        assert_eq!(found, expected.map(|(at, cells)| (at, cells.to_owned())));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let check = |text: &[u8], says: &str| assert_eq!(parse(text, b',').unwrap_err().to_string(), says);
        check(b"", "the table has no header line");
        check(b"a,,c\n", "line 1: column 2 has no name");
        check(b"a,b,a\n", "line 1: column `a` stands twice");
        check(b"a,b\n1,2\n1,2,3\n", "line 3: 3 cells, but the header has 2");
        check(b"a,b\n1,\xff\n", "line 2: the text is not UTF-8");
    }
}
