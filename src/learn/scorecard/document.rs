//! The scorecard as the language reads it: `NAME.scorecard.yaml`, and what it gives for a row, computed apart from
//! the served model so that the two can disagree. No parsing: reading scorecards is the bundle's.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use crate::documents::yaml::quoted;
use crate::domain::model::Scale;
use crate::domain::value::{Name, Value};

#[derive(Debug, Clone, PartialEq)]
pub(in crate::learn) struct Document {
    pub scorecard: String,
    pub base_points: i64,
    pub characteristics: Vec<(String, Vec<Line>)>,
}

/// One bin; the first that matches counts.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::learn) struct Line {
    pub test: Test,
    pub points: i64,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::learn) enum Test {
    Missing,
    Is(bool),
    In(Vec<Name>),
    Below(f64),
    /// Any value that was given.
    Otherwise,
}

impl Document {
    /// The points of a row, whose values stand in the order of the characteristics; `None` when one has no bin.
    pub fn points(&self, row: &[Value]) -> Option<i64> {
        let mut sum = self.base_points;
        for ((_, lines), value) in self.characteristics.iter().zip(row) {
            sum += lines.iter().find(|line| line.test.holds(value))?.points;
        }
        Some(sum)
    }

    /// The file. `digest` is that of the model beside it.
    pub fn yaml(&self, digest: &str, scale: Scale) -> String {
        let Scale { base_points, base_odds, points_to_double } = scale;
        let mut out = format!(
            "# Written by `tollgate train` beside the model that gives the same points\n# ({digest}).\n\
             # {base_points} points are odds of {base_odds} good to 1 bad, and {points_to_double} points more double \
             them.\n"
        );
        let written = (|| {
            writeln!(out, "scorecard: {}", word(&self.scorecard))?;
            writeln!(out, "base_points: {}\ncharacteristics:", self.base_points)?;
            for (name, lines) in &self.characteristics {
                writeln!(out, "  {}:", word(name))?;
                for line in lines {
                    let reason = line.reason.as_ref();
                    let reason =
                        reason.map_or_else(String::new, |reason| format!(", reason: {}", word(reason)));
                    writeln!(out, "    - {{ {}, points: {}{reason} }}", line.test.yaml(), line.points)?;
                }
            }
            Ok::<(), std::fmt::Error>(())
        })();
        // Writing to a text cannot fail.
        debug_assert!(written.is_ok());
        out
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Missing, value) => *value == Value::Missing,
            (_, Value::Missing) => false,
            (Self::Otherwise, _) => true,
            (Self::Is(wanted), Value::Boolean(yes)) => wanted == yes,
            (Self::In(names), Value::Text(text)) => names.contains(text),
            (Self::Below(cut), Value::Number(number)) => number < cut,
            // Exactly, as the language compares: the cut is the decimal that its text is.
            (Self::Below(cut), Value::Decimal(decimal)) => exact(*cut).is_some_and(|cut| *decimal < cut),
            (Self::Below(cut), Value::Integer(integer)) => {
                exact(*cut).is_some_and(|cut| Decimal::from(*integer) < cut)
            }
            _ => false,
        }
    }

    fn yaml(&self) -> String {
        match self {
            Self::Missing => "missing: true".to_owned(),
            Self::Is(yes) => format!("is: {yes}"),
            Self::In(names) => match names.as_slice() {
                [one] => format!("is: {}", word(one)),
                several => {
                    let names: Vec<String> = several.iter().map(|name| word(name)).collect();
                    format!("in: [{}]", names.join(", "))
                }
            },
            Self::Below(cut) => format!("below: {cut}"),
            Self::Otherwise => "otherwise: true".to_owned(),
        }
    }
}

/// A text as YAML: plain where every reader takes it for the text that it is.
fn word(text: &str) -> String {
    let not_texts = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let is_plain = crate::learn::library::is_name(text) && !not_texts.contains(&text.to_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

fn exact(number: f64) -> Option<Decimal> {
    Decimal::from_str_exact(&number.to_string()).ok()
}
