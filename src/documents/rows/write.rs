//! Rows as files: CSV, and Parquet column by column. What stands in them was made elsewhere.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

/// What a column holds. Decimals, dates and times are texts, as in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    Integer,
    Number,
    Boolean,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnKind,
}

/// One cell of a row that is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Nothing,
    Text(String),
    Integer(i64),
    Number(f64),
    Boolean(bool),
}

/// Why rows cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("it cannot be written")]
    Write(#[from] std::io::Error),
    #[error("it cannot be written as Parquet")]
    Parquet(#[from] ParquetError),
}

/// Rows as lines of CSV, the fields quoted where they have to be.
#[must_use]
pub fn csv_lines<R: AsRef<[C]>, C: AsRef<[u8]>>(separator: u8, rows: impl IntoIterator<Item = R>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(separator).flexible(true).from_writer(Vec::new());
    for row in rows {
        // Into memory: nothing can fail.
        let _infallible = writer.write_record(row.as_ref());
    }
    writer.into_inner().unwrap_or_default()
}

impl Cell {
    /// As CSV shows it; nothing is an empty field.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text) => text.clone(),
            Self::Integer(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Boolean(value) => value.to_string(),
        }
    }
}

/// Rows of one group of rows: what a reader has to hold.
const GROUP_ROWS: usize = 32_768;

/// A Parquet file as it grows. It holds one group of rows.
pub struct ParquetWriter<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Held>,
    rows: usize,
}

impl<W: Write + Send> std::fmt::Debug for ParquetWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetWriter").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// A column's values that are not written yet, and which rows have one.
struct Held {
    given: Vec<i16>,
    values: Values,
}

enum Values {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Number(Vec<f64>),
    Boolean(Vec<bool>),
}

impl<W: Write + Send> ParquetWriter<W> {
    /// # Errors
    /// When the beginning cannot be written.
    pub fn new(to: W, columns: &[Column]) -> Result<Self, WriteError> {
        let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("decisions").with_fields(fields).build()?;
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let writer = SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties))?;
        let held = |column: &Column| Held {
            given: Vec::new(),
            values: match column.kind {
                ColumnKind::Text => Values::Text(Vec::new()),
                ColumnKind::Integer => Values::Integer(Vec::new()),
                ColumnKind::Number => Values::Number(Vec::new()),
                ColumnKind::Boolean => Values::Boolean(Vec::new()),
            },
        };
        Ok(Self { writer, columns: columns.iter().map(held).collect(), rows: 0 })
    }

    /// One row, a cell a column; a cell of another type than its column is nothing.
    ///
    /// # Errors
    /// When a group of rows is full and cannot be written.
    pub fn row(&mut self, cells: Vec<Cell>) -> Result<(), WriteError> {
        let mut cells = cells.into_iter();
        for column in &mut self.columns {
            column.add(cells.next().unwrap_or(Cell::Nothing));
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    /// Writes what is held and the end of the file.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn finish(mut self) -> Result<(), WriteError> {
        self.flush()?;
        self.writer.close()?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for held in &mut self.columns {
            let Some(mut column) = group.next_column()? else { break };
            let given = std::mem::take(&mut held.given);
            match &mut held.values {
                Values::Text(values) => {
                    column.typed::<ByteArrayType>().write_batch(&std::mem::take(values), Some(&given), None)
                }
                Values::Integer(values) => {
                    column.typed::<Int64Type>().write_batch(&std::mem::take(values), Some(&given), None)
                }
                Values::Number(values) => {
                    column.typed::<DoubleType>().write_batch(&std::mem::take(values), Some(&given), None)
                }
                Values::Boolean(values) => {
                    column.typed::<BoolType>().write_batch(&std::mem::take(values), Some(&given), None)
                }
            }?;
            column.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Held {
    fn add(&mut self, cell: Cell) {
        let is_given = match (&mut self.values, cell) {
            (Values::Text(values), Cell::Text(text)) => {
                values.push(ByteArray::from(text.into_bytes()));
                true
            }
            (Values::Integer(values), Cell::Integer(value)) => {
                values.push(value);
                true
            }
            (Values::Number(values), Cell::Number(value)) => {
                values.push(value);
                true
            }
            (Values::Boolean(values), Cell::Boolean(value)) => {
                values.push(value);
                true
            }
            _ => false,
        };
        self.given.push(i16::from(is_given));
    }
}

fn field(column: &Column) -> Result<Arc<Type>, ParquetError> {
    let (physical, converted) = match column.kind {
        ColumnKind::Text => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
        ColumnKind::Integer => (Physical::INT64, ConvertedType::NONE),
        ColumnKind::Number => (Physical::DOUBLE, ConvertedType::NONE),
        ColumnKind::Boolean => (Physical::BOOLEAN, ConvertedType::NONE),
    };
    let built = Type::primitive_type_builder(&column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_converted_type(converted)
        .build()?;
    Ok(Arc::new(built))
}

#[cfg(test)]
mod tests {
    use super::super::{Rows, RowsFormat, Written};
    use super::*;
    use crate::domain::facts::Given;

    #[test]
    fn what_is_written_as_parquet_is_read_back() {
        let columns = [
            ("name", ColumnKind::Text),
            ("age", ColumnKind::Integer),
            ("score", ColumnKind::Number),
            ("yes", ColumnKind::Boolean),
        ];
        let columns = columns.map(|(name, kind)| Column { name: name.to_owned(), kind });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        let mut writer = ParquetWriter::new(std::fs::File::create(&path).unwrap(), &columns).unwrap();
        let rows = GROUP_ROWS as i64 + 5;
        for at in 0..rows {
            let name = if at == 1 { Cell::Nothing } else { Cell::Text(format!("n{at}")) };
            writer
                .row(vec![name, Cell::Integer(at), Cell::Number(at as f64 / 2.0), Cell::Boolean(at == 2)])
                .unwrap();
        }
        writer.finish().unwrap();
        let mut read = Rows::open(std::fs::File::open(&path).unwrap(), RowsFormat::Parquet).unwrap();
        assert_eq!(read.columns().unwrap(), ["name", "age", "score", "yes"]);
        assert_eq!(read.progress().1, Some(rows as u64));
        let (mut count, mut first) = (0, Vec::new());
        while let Some(chunk) = read.next_chunk().unwrap() {
            chunk.each(|row| {
                count += 1;
                assert_eq!(row.number, count);
                if let (Written::Values(values), true) = (&row.written, count < 4) {
                    first.push(values.to_vec());
                }
            });
        }
        assert_eq!(count, rows as u64);
        let number = |text: &str| Given::Number(text.to_owned());
        let text = |text: &str| Given::Text(text.to_owned());
        assert_eq!(first[0], [text("n0"), number("0"), number("0"), Given::Boolean(false)]);
        assert_eq!(first[1], [Given::Null, number("1"), number("0.5"), Given::Boolean(false)]);
        assert_eq!(first[2], [text("n2"), number("2"), number("1"), Given::Boolean(true)]);
    }

    #[test]
    fn a_file_that_is_no_parquet_is_refused_and_one_that_is_damaged_ends_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        std::fs::write(&path, "secret,values\n1,2\n").unwrap();
        let open = || Rows::open(std::fs::File::open(&path).unwrap(), RowsFormat::Parquet);
        let said = open().map(drop).unwrap_err().to_string();
        assert!(said.starts_with("it is not a Parquet file") && !said.contains("secret"), "{said}");
        let columns = [Column { name: "a".to_owned(), kind: ColumnKind::Text }];
        let mut writer = ParquetWriter::new(std::fs::File::create(&path).unwrap(), &columns).unwrap();
        for at in 0..100 {
            writer.row(vec![Cell::Text(format!("value {at}"))]).unwrap();
        }
        writer.finish().unwrap();
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            std::fs::write(&path, &damaged).unwrap();
            let Ok(mut rows) = open() else { continue };
            while let Ok(Some(_)) = rows.next_chunk() {}
        }
    }
}
