//! Rows of a Parquet file, value by value as the flow's facts write them: whole numbers, decimals and doubles as numbers,
//! dates and times as texts, lists and groups as such. A double that is no number is not given: data frames mark gaps so.
//! It holds one page of each column at a time.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::{SignedDuration, Timestamp, civil};
use parquet::basic::{LogicalType, TimeUnit};
use parquet::data_type::Decimal;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::RowIter;

use super::RowsError;
use crate::domain::facts::Given;

pub(super) struct ParquetRows {
    rows: RowIter<'static>,
    columns: Vec<String>,
    /// How each column's times are meant.
    times: Vec<Times>,
    total: u64,
}

/// What a column's whole numbers or instants stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    /// Instants, or no times at all.
    Utc,
    /// Of no time zone: they stay without an offset, which no input of type `time` takes.
    Local,
    /// Whole numbers that count nanoseconds; `true`: of UTC.
    Nanoseconds(bool),
}

impl ParquetRows {
    pub(super) fn open(file: File) -> Result<Self, RowsError> {
        let damaged = |error: parquet::errors::ParquetError| RowsError::Parquet(error.to_string());
        let reader = guarded(|| SerializedFileReader::new(file))?.map_err(damaged)?;
        let about = reader.metadata().file_metadata();
        let total = u64::try_from(about.num_rows()).unwrap_or(0);
        let fields = about.schema().get_fields();
        let columns = fields.iter().map(|field| field.name().to_owned()).collect();
        let times = fields.iter().map(|field| times(field.get_basic_info().logical_type_ref())).collect();
        let rows = RowIter::from_file_into(Box::new(reader));
        Ok(Self { rows, columns, times, total })
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn next(&mut self, most: usize) -> Result<Vec<Vec<Given>>, RowsError> {
        // The library's own words about a value may show it.
        let unread = || RowsError::Parquet("a row or a type of its columns cannot be read".to_owned());
        let mut found = Vec::with_capacity(most);
        while found.len() < most {
            let Some(row) = guarded(|| self.rows.next())? else { break };
            let fields = row.map_err(|_| unread())?.into_columns();
            let values = fields.into_iter().zip(&self.times);
            found.push(values.map(|((_, field), times)| given(field, *times)).collect());
        }
        Ok(found)
    }
}

/// The library indexes into what a file says: a damaged one must not end the program.
fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, RowsError> {
    catch_unwind(AssertUnwindSafe(read))
        .map_err(|_| RowsError::Parquet("what it says of itself does not fit together".to_owned()))
}

fn times(kind: Option<&LogicalType>) -> Times {
    match kind {
        Some(LogicalType::Timestamp(time)) => match time.unit {
            TimeUnit::NANOS => Times::Nanoseconds(time.is_adjusted_to_u_t_c),
            _ if time.is_adjusted_to_u_t_c => Times::Utc,
            _ => Times::Local,
        },
        _ => Times::Utc,
    }
}

fn given(field: Field, times: Times) -> Given {
    let whole = |text: String| Given::Number(text);
    match field {
        Field::Null => Given::Null,
        Field::Bool(value) => Given::Boolean(value),
        Field::Byte(value) => whole(value.to_string()),
        Field::Short(value) => whole(value.to_string()),
        Field::Int(value) => whole(value.to_string()),
        Field::Long(value) => match times {
            Times::Nanoseconds(is_utc) => instant(Timestamp::from_nanosecond(i128::from(value)).ok(), is_utc),
            _ => whole(value.to_string()),
        },
        Field::UByte(value) => whole(value.to_string()),
        Field::UShort(value) => whole(value.to_string()),
        Field::UInt(value) => whole(value.to_string()),
        Field::ULong(value) => whole(value.to_string()),
        Field::Float16(value) => number(f64::from(value.to_f32())),
        Field::Float(value) => number(f64::from(value)),
        Field::Double(value) => number(value),
        Field::Decimal(value) => decimal(&value),
        Field::Str(value) => Given::Text(value),
        Field::Bytes(value) => match std::str::from_utf8(value.data()) {
            Ok(text) => Given::Text(text.to_owned()),
            // No input takes a list of nothing in particular: the flow says what it expects.
            Err(_) => Given::List(vec![Given::Null]),
        },
        Field::Date(days) => civil::date(1970, 1, 1)
            .checked_add(SignedDuration::from_hours(i64::from(days) * 24))
            .map_or_else(|_| Given::List(vec![Given::Null]), |date| Given::Text(date.to_string())),
        Field::TimeMillis(value) => whole(value.to_string()),
        Field::TimeMicros(value) => whole(value.to_string()),
        Field::TimestampMillis(value) => {
            instant(Timestamp::from_millisecond(value).ok(), times != Times::Local)
        }
        Field::TimestampMicros(value) => {
            instant(Timestamp::from_microsecond(value).ok(), times != Times::Local)
        }
        Field::Group(row) => Given::Map(
            row.into_columns().into_iter().map(|(name, field)| (name, given(field, Times::Utc))).collect(),
        ),
        Field::ListInternal(list) => {
            Given::List(list.elements().iter().map(|field| given(field.clone(), Times::Utc)).collect())
        }
        Field::MapInternal(map) => Given::Map(
            map.entries()
                .iter()
                .map(|(name, field)| {
                    let name = match name {
                        Field::Str(name) => name.clone(),
                        other => other.to_string(),
                    };
                    (name, given(field.clone(), Times::Utc))
                })
                .collect(),
        ),
    }
}

/// A whole number is written as such: `6`, not `6.0`, so that a decimal has no digits that nobody wrote.
fn number(value: f64) -> Given {
    let text = format!("{value:?}");
    if value.is_nan() {
        Given::Null
    } else {
        Given::Number(text.strip_suffix(".0").unwrap_or(&text).to_owned())
    }
}

fn instant(at: Option<Timestamp>, is_utc: bool) -> Given {
    let text = at.map_or_else(String::new, |at| at.to_string());
    Given::Text(if is_utc { text } else { text.trim_end_matches('Z').to_owned() })
}

/// Big-endian, in as many bytes as the file takes; exact, or too long for a decimal and then a text.
fn decimal(value: &Decimal) -> Given {
    let bytes = value.data();
    let is_negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
    let padded = bytes
        .iter()
        .fold(if is_negative { -1_i128 } else { 0 }, |sum, byte| sum.wrapping_shl(8) | i128::from(*byte));
    let scale = u32::try_from(value.scale()).ok();
    let exact = scale.and_then(|scale| rust_decimal::Decimal::try_from_i128_with_scale(padded, scale).ok());
    match exact {
        Some(exact) if bytes.len() <= 16 => Given::Number(exact.to_string()),
        _ => Given::Text("beyond 28 digits".to_owned()),
    }
}
