//! From a source column to matrix columns: one rule for fitting and for serving.
//! Learns nothing: means, scales and bins are given. Echoes no value: a refusal names the input only.

pub(super) mod noted;
mod number;

use std::sync::Arc;

use super::{ModelError, ModelFailure};
pub use number::as_number;

use crate::domain::value::{Kind, Name, Value};
use noted::{Beyond, Range, Taken};
use number::number;

/// A source column and how it becomes matrix columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    pub name: Name,
    /// `Choice`, `Integer`, `Decimal`, `Number` or `Boolean`.
    pub kind: Kind,
    pub encoding: Encoding,
    /// What a value that was not given stands for.
    pub missing: Fallback,
    /// A further column that is 1 when the value was not given, and 0 otherwise. Not for bins, which have one for it.
    pub flags_missing: bool,
    /// What a category that was not declared stands for (choices only).
    pub unseen: Fallback,
    /// The numbers that the model was fitted on, where it says what it does beyond them.
    pub range: Option<Range>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Encoding {
    /// The number itself; a boolean as 0 or 1.
    AsIs,
    /// `(x - mean) / scale`.
    Standardised { mean: f64, scale: f64 },
    /// One column a category, in the declared order: 1 in its own, 0 elsewhere.
    OneHot,
    /// One column: what the bin of the value is worth.
    Binned(Bins),
    /// One column: the place of the category in the declared order, from 0.
    Code,
}

/// What each value of an input is worth. All numbers are finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// Ascending. A number is in the first bin whose cut is above it, or in the last one. Empty for choices and
    /// booleans.
    pub cuts: Arc<[f64]>,
    /// For a number one more than the cuts; for a choice one a category, in the declared order; for a boolean two:
    /// false and true.
    pub worth: Arc<[f64]>,
    /// What a missing value is worth, if it has a bin of its own.
    pub missing: Option<f64>,
    /// What a category that was not declared is worth, if there is a bin for those.
    pub unseen: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Fallback {
    /// The model does not answer, and says which input it was.
    Refuse,
    As(Value),
    /// No evidence either way: the feature's columns stay 0 (one-hot only).
    Zero,
    /// A thing of its own: the bin that the encoding has for it; without bins, what the model itself does with a number
    /// that was not given (imported models only).
    Own,
}

/// Whether a predictor has an answer of its own for a number that was not given, which stands in its column as NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holes {
    Refused,
    Kept,
}

/// A feature made ready: checked, with the place of its first column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Encoder {
    name: Name,
    at: usize,
    how: How,
    /// What is written when the value was not given; `None` is a refusal.
    missing: Option<Absent>,
    range: Option<Range>,
    /// What notes say.
    taken: StandsFor,
}

/// What stands for values that are not taken as they came.
#[derive(Debug, Clone, PartialEq)]
struct StandsFor {
    missing: Taken,
    unseen: Taken,
}

/// The columns that a missing value sets.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Absent {
    cell: Option<(usize, f64)>,
    flag: Option<usize>,
}

#[derive(Debug, Clone, PartialEq)]
enum How {
    /// `AsIs` is mean 0 and scale 1, which changes no bit.
    Number {
        mean: f64,
        scale: f64,
    },
    Boolean,
    OneHot {
        categories: Arc<[Name]>,
        unseen: Unseen,
    },
    NumberBins {
        cuts: Arc<[f64]>,
        worth: Arc<[f64]>,
    },
    BooleanBins {
        worth: [f64; 2],
    },
    CategoryBins {
        categories: Arc<[Name]>,
        worth: Arc<[f64]>,
        unseen: Option<f64>,
    },
    Code {
        categories: Arc<[Name]>,
        unseen: Option<f64>,
    },
}

/// Where a category goes that was not declared.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Unseen {
    Refuse,
    Category(usize),
    Zero,
}

/// Checks the features and lays their columns one after the other; also says how many columns there are.
pub(super) fn compile(features: &[Feature], holes: Holes) -> Result<(Box<[Encoder]>, usize), ModelError> {
    let mut at = 0_usize;
    let mut encoders = Vec::with_capacity(features.len());
    for (index, feature) in features.iter().enumerate() {
        if features.iter().take(index).any(|earlier| earlier.name == feature.name) {
            return Err(ModelError::DuplicateFeature { name: feature.name.clone() });
        }
        let wrong = |problem| ModelError::Feature { name: feature.name.clone(), problem };
        let how = how(feature).map_err(wrong)?;
        let leaves_holes = |fallback: &Fallback| *fallback == Fallback::Own;
        let binned = matches!(feature.encoding, Encoding::Binned(_));
        if holes == Holes::Refused && !binned && leaves_holes(&feature.missing) {
            return Err(wrong("only bins have one for missing values"));
        }
        if holes == Holes::Refused && !binned && leaves_holes(&feature.unseen) {
            return Err(wrong("only bins have one for unseen categories"));
        }
        if let Some(range) = feature.range {
            range.check(feature).map_err(wrong)?;
        }
        let taken =
            StandsFor { missing: Taken::from(&feature.missing), unseen: Taken::from(&feature.unseen) };
        let (name, range) = (feature.name.clone(), feature.range);
        let mut encoder = Encoder { name, at, how, missing: None, range, taken };
        encoder.missing = encoder.absent(feature).map_err(wrong)?;
        at = at.saturating_add(encoder.width()).saturating_add(usize::from(feature.flags_missing));
        encoders.push(encoder);
    }
    Ok((encoders.into(), at))
}

fn how(feature: &Feature) -> Result<How, &'static str> {
    if !matches!(feature.kind, Kind::Choice(_)) && feature.unseen != Fallback::Refuse {
        return Err("only a choice can have an unseen category");
    }
    match (&feature.kind, &feature.encoding) {
        (Kind::Integer | Kind::Decimal | Kind::Number, Encoding::AsIs) => {
            Ok(How::Number { mean: 0.0, scale: 1.0 })
        }
        (Kind::Integer | Kind::Decimal | Kind::Number, Encoding::Standardised { mean, scale }) => {
            if !mean.is_finite() || !scale.is_finite() || *scale <= 0.0 {
                return Err("mean and scale must be finite, and the scale above 0");
            }
            Ok(How::Number { mean: *mean, scale: *scale })
        }
        (Kind::Boolean, Encoding::AsIs) => Ok(How::Boolean),
        (Kind::Choice(categories), Encoding::OneHot) => one_hot(categories, &feature.unseen),
        (Kind::Choice(categories), Encoding::Code) => code(categories, &feature.unseen),
        (_, Encoding::Binned(bins)) => binned(feature, bins),
        (Kind::Integer | Kind::Decimal | Kind::Number, Encoding::OneHot) => {
            Err("only a choice can be one-hot")
        }
        (Kind::Integer | Kind::Decimal | Kind::Number, Encoding::Code) => Err("only a choice has codes"),
        (Kind::Boolean, _) => Err("a boolean is encoded as it is, or in bins"),
        (Kind::Choice(_), _) => Err("a choice is encoded one-hot, or in bins"),
        _ => Err(READS),
    }
}

const READS: &str = "a model reads integers, decimals, numbers, booleans and choices only";

fn one_hot(categories: &Arc<[Name]>, unseen: &Fallback) -> Result<How, &'static str> {
    check_categories(categories)?;
    let unseen = match unseen {
        Fallback::Refuse => Unseen::Refuse,
        Fallback::Zero => Unseen::Zero,
        Fallback::As(value) => Unseen::Category(category(categories, value)?),
        Fallback::Own => return Err("one-hot columns have none for unseen categories"),
    };
    Ok(How::OneHot { categories: categories.clone(), unseen })
}

fn code(categories: &Arc<[Name]>, unseen: &Fallback) -> Result<How, &'static str> {
    check_categories(categories)?;
    let unseen = match unseen {
        Fallback::Refuse => None,
        Fallback::Own => Some(f64::NAN),
        Fallback::As(value) => Some(category(categories, value)? as f64),
        Fallback::Zero => return Err("a code has no zero for unseen categories"),
    };
    Ok(How::Code { categories: categories.clone(), unseen })
}

fn check_categories(categories: &[Name]) -> Result<(), &'static str> {
    if categories.is_empty() {
        return Err("a choice needs at least one category");
    }
    let repeated = categories.iter().enumerate().any(|(i, c)| categories.iter().take(i).any(|d| d == c));
    if repeated { Err("a category stands twice") } else { Ok(()) }
}

fn category(categories: &[Name], stands_for: &Value) -> Result<usize, &'static str> {
    let known = match stands_for {
        Value::Text(text) => categories.iter().position(|category| category == text),
        _ => None,
    };
    known.ok_or("what stands for an unseen category is not a declared one")
}

fn binned(feature: &Feature, bins: &Bins) -> Result<How, &'static str> {
    let Bins { cuts, worth, missing, unseen } = bins;
    let all = cuts.iter().chain(worth.iter()).chain(missing).chain(unseen);
    if !all.copied().all(f64::is_finite) {
        return Err("a cut or the worth of a bin is not a finite number");
    }
    if (feature.missing == Fallback::Own) != missing.is_some() {
        return Err("a bin for missing values and saying that they have one go together");
    }
    if (feature.unseen == Fallback::Own) != unseen.is_some() {
        return Err("a bin for unseen categories and saying that they have one go together");
    }
    if feature.flags_missing {
        return Err("bins flag no missing value: they have a bin for it");
    }
    let bins_wrong = Err("it has another number of bins than its type asks for");
    match &feature.kind {
        Kind::Integer | Kind::Decimal | Kind::Number if worth.len() == cuts.len() + 1 => {
            let ascends = cuts.iter().zip(cuts.iter().skip(1)).all(|(low, high)| low < high);
            if !ascends {
                return Err("the cuts do not ascend");
            }
            Ok(How::NumberBins { cuts: cuts.clone(), worth: worth.clone() })
        }
        Kind::Boolean if cuts.is_empty() => match worth.as_ref() {
            [no, yes] => Ok(How::BooleanBins { worth: [*no, *yes] }),
            _ => bins_wrong,
        },
        Kind::Choice(categories) if cuts.is_empty() && worth.len() == categories.len() => {
            check_categories(categories)?;
            let unseen = match &feature.unseen {
                Fallback::Refuse => None,
                Fallback::Own => *unseen,
                Fallback::As(value) => worth.get(category(categories, value)?).copied(),
                Fallback::Zero => return Err("bins have no zero: say what unseen categories are worth"),
            };
            Ok(How::CategoryBins { categories: categories.clone(), worth: worth.clone(), unseen })
        }
        Kind::Integer | Kind::Decimal | Kind::Number | Kind::Boolean | Kind::Choice(_) => bins_wrong,
        _ => Err(READS),
    }
}

/// Writes one row into `columns`, which are all 0 and at least as many as the encoders need. Says whether there is
/// something to note.
pub(super) fn write(encoders: &[Encoder], row: &[Value], columns: &mut [f64]) -> Result<bool, ModelFailure> {
    if row.len() != encoders.len() {
        let detail = format!("the model reads {} inputs and was given {}", encoders.len(), row.len());
        return Err(ModelFailure { code: "wrong_row", detail });
    }
    let mut is_noted = false;
    for (encoder, value) in encoders.iter().zip(row) {
        is_noted |= encoder.write(value, columns)?;
    }
    Ok(is_noted)
}

/// Which feature a column belongs to.
pub(super) fn owner(encoders: &[Encoder], column: usize) -> Option<usize> {
    encoders.partition_point(|encoder| encoder.at <= column).checked_sub(1)
}

#[inline]
fn set(columns: &mut [f64], cell: Option<(usize, f64)>) {
    if let Some((at, number)) = cell
        && let Some(column) = columns.get_mut(at)
    {
        *column = number;
    }
}

#[derive(Debug, Clone, Copy)]
enum Refusal {
    Missing,
    UnknownCategory,
    WrongType,
    NotFinite,
    OutOfRange,
}

impl Encoder {
    /// Writes what one value sets into a row's columns, which are all 0. Says whether there is something to note.
    #[inline]
    pub(super) fn write(&self, value: &Value, columns: &mut [f64]) -> Result<bool, ModelFailure> {
        // What most values of large batches are goes the short way.
        if let (Value::Number(number), How::Number { mean, scale }, None) = (value, &self.how, self.range) {
            let number = (number - mean) / scale;
            if number.is_finite() {
                set(columns, Some((self.at, number)));
                return Ok(false);
            }
        }
        let mut is_noted = false;
        let cell = match (value, self.missing) {
            (Value::Missing, Some(absent)) => {
                is_noted = true;
                set(columns, absent.flag.map(|at| (at, 1.0)));
                absent.cell
            }
            _ => self.place(value, &mut is_noted).map_err(|refusal| self.failure(refusal))?,
        };
        set(columns, cell);
        Ok(is_noted)
    }

    /// Which column the value sets, and to what; `None` leaves all of them 0.
    fn place(&self, value: &Value, is_noted: &mut bool) -> Result<Option<(usize, f64)>, Refusal> {
        let worth = |worth: Option<&f64>| worth.map(|worth| (self.at, *worth));
        let mut unseen_is = |taken: Option<Option<(usize, f64)>>| {
            *is_noted = true;
            taken.ok_or(Refusal::UnknownCategory)
        };
        match &self.how {
            How::Number { mean, scale } => {
                let number = (self.within(number(value)?, is_noted)? - mean) / scale;
                if number.is_finite() { Ok(Some((self.at, number))) } else { Err(Refusal::NotFinite) }
            }
            How::Boolean => Ok(Some((self.at, f64::from(u8::from(boolean(value)?))))),
            How::OneHot { categories, unseen } => match position(categories, value)? {
                Some(index) => Ok(Some((self.at + index, 1.0))),
                None => unseen_is(match unseen {
                    Unseen::Category(index) => Some(Some((self.at + index, 1.0))),
                    Unseen::Zero => Some(None),
                    Unseen::Refuse => None,
                }),
            },
            How::NumberBins { cuts, worth: all } => {
                let number = self.within(number(value)?, is_noted)?;
                Ok(worth(all.get(cuts.partition_point(|cut| *cut <= number))))
            }
            How::BooleanBins { worth: all } => Ok(worth(all.get(usize::from(boolean(value)?)))),
            How::CategoryBins { categories, worth: all, unseen } => match position(categories, value)? {
                Some(index) => Ok(worth(all.get(index))),
                None => unseen_is(unseen.map(|unseen| Some((self.at, unseen)))),
            },
            How::Code { categories, unseen } => match position(categories, value)? {
                Some(index) => Ok(Some((self.at, index as f64))),
                None => unseen_is(unseen.map(|unseen| Some((self.at, unseen)))),
            },
        }
    }

    /// The number, or what stands for one beyond the range.
    fn within(&self, number: f64, is_noted: &mut bool) -> Result<f64, Refusal> {
        let Some(range) = self.range.filter(|range| !range.holds(number)) else { return Ok(number) };
        *is_noted = true;
        match range.beyond {
            Beyond::Keep => Ok(number),
            Beyond::Clip => Ok(range.nearest(number)),
            Beyond::Refuse => Err(Refusal::OutOfRange),
        }
    }

    /// What a missing value sets, by what the feature says of it.
    fn absent(&self, feature: &Feature) -> Result<Option<Absent>, &'static str> {
        let flag = feature.flags_missing.then(|| self.at + self.width());
        match &feature.missing {
            Fallback::Refuse if feature.flags_missing => {
                Err("a missing value that is refused cannot be flagged")
            }
            Fallback::Refuse => Ok(None),
            Fallback::As(value) => match (value, self.place(value, &mut false)) {
                (Value::Missing, _) | (_, Err(_)) => {
                    Err("what stands for a missing value is not of the feature's type")
                }
                (_, Ok(cell)) => Ok(Some(Absent { cell, flag })),
            },
            Fallback::Zero if matches!(self.how, How::OneHot { .. }) => Ok(Some(Absent { cell: None, flag })),
            Fallback::Zero => Err("only one-hot columns can all stay 0"),
            Fallback::Own => match &feature.encoding {
                Encoding::Binned(Bins { missing: Some(worth), .. }) => {
                    Ok(Some(Absent { cell: Some((self.at, *worth)), flag: None }))
                }
                _ if matches!(self.how, How::OneHot { .. }) => {
                    Err("one-hot columns have none for missing values")
                }
                _ => Ok(Some(Absent { cell: Some((self.at, f64::NAN)), flag })),
            },
        }
    }

    fn width(&self) -> usize {
        match &self.how {
            How::OneHot { categories, .. } => categories.len(),
            How::Number { .. }
            | How::Boolean
            | How::NumberBins { .. }
            | How::BooleanBins { .. }
            | How::CategoryBins { .. }
            | How::Code { .. } => 1,
        }
    }

    #[cold]
    fn failure(&self, refusal: Refusal) -> ModelFailure {
        let name = &self.name;
        let (code, detail) = match refusal {
            Refusal::Missing => ("missing_value", format!("the model needs `{name}`, which is missing")),
            Refusal::UnknownCategory => {
                ("unknown_category", format!("`{name}` has a category that the model was not fitted on"))
            }
            Refusal::WrongType => ("wrong_type", format!("`{name}` is not of the type that the model reads")),
            Refusal::NotFinite => ("not_finite", format!("`{name}` is too large for the model")),
            Refusal::OutOfRange => {
                ("out_of_range", format!("`{name}` is beyond the numbers that the model was fitted on"))
            }
        };
        ModelFailure { code, detail }
    }
}

fn boolean(value: &Value) -> Result<bool, Refusal> {
    match value {
        Value::Boolean(yes) => Ok(*yes),
        Value::Missing => Err(Refusal::Missing),
        _ => Err(Refusal::WrongType),
    }
}

/// Which of the categories it is; `None` when it is none of them.
fn position(categories: &[Name], value: &Value) -> Result<Option<usize>, Refusal> {
    match value {
        Value::Text(text) => Ok(categories.iter().position(|category| category == text)),
        Value::Missing => Err(Refusal::Missing),
        _ => Err(Refusal::WrongType),
    }
}

pub(super) fn names(feature: &Feature) -> Vec<String> {
    let mut names = match (&feature.kind, &feature.encoding) {
        (Kind::Choice(categories), Encoding::OneHot) => {
            categories.iter().map(|category| format!("{}={category}", feature.name)).collect()
        }
        _ => vec![feature.name.to_string()],
    };
    if feature.flags_missing {
        names.push(format!("{} is missing", feature.name));
    }
    names
}
