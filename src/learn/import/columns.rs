//! What a file does not say: the names and types of its columns, what they stand for when they are missing, and reason
//! codes. Read from a small YAML file; what the model's file says itself need not be said again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::{Absent, ImportError, Known, read_file};
use crate::documents::{Source, yaml};
use crate::domain::model::{Beyond, Encoding, Fallback, Feature, Range};
use crate::domain::nearest::nearest;
use crate::domain::value::{Kind, Name, Value};
use crate::learn::artefact::TargetStored;
use crate::learn::recipe::{BeyondWritten, ExplainWritten};

/// The columns file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Columns {
    pub title: Option<String>,
    target: Option<Target>,
    decimals: Option<u32>,
    /// When the model explains its answers, beside the times that somebody asks.
    #[serde(default)]
    pub explain: ExplainWritten,
    /// In the order of the model's columns when its file names none; by name when it does.
    #[serde(default)]
    columns: Vec<Column>,
    /// Input to reason code.
    #[serde(default)]
    reasons: BTreeMap<String, String>,
    #[serde(default)]
    pub known_limits: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    column: String,
    bad: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    name: String,
    /// What the model's file calls it, when that is another name.
    in_file: Option<String>,
    r#type: Option<KindWritten>,
    /// Categories in the order of their codes, from 0.
    of: Option<Vec<String>>,
    missing: Option<AbsentWritten>,
    unseen: Option<AbsentWritten>,
    /// The numbers that the model was fitted on, `[lowest, highest]`.
    range: Option<[f64; 2]>,
    /// What becomes of numbers beyond `range`; `keep`, and a note in the trace, if left out.
    out_of_range: Option<BeyondWritten>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindWritten {
    Integer,
    Decimal,
    Number,
    Boolean,
    Choice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AbsentWritten {
    /// The model does not answer.
    Refuse,
    /// The model's own answer for it.
    Own,
}

pub(super) fn read(path: &Path) -> Result<Columns, ImportError> {
    let text = String::from_utf8(read_file(path)?);
    let text = text.map_err(|_| ImportError::Columns(format!("`{}` is not UTF-8 text", path.display())))?;
    let source_file = Source { path: path.to_string_lossy().into_owned(), text: Arc::from(text) };
    yaml::parse(0, &source_file)
        .map_err(|diagnostic| ImportError::ColumnsFile { source_file, diagnostics: vec![diagnostic] })
}

impl Columns {
    /// Names for columns that have none.
    pub(super) fn numbered(count: usize) -> Self {
        let column = |at| Column {
            name: format!("c{at}"),
            in_file: None,
            r#type: None,
            of: None,
            missing: None,
            unseen: None,
            range: None,
            out_of_range: None,
        };
        Self { columns: (0..count).map(column).collect(), ..Self::default() }
    }

    pub(super) fn target(&self) -> TargetStored {
        let Target { column, bad } = self
            .target
            .clone()
            .unwrap_or_else(|| Target { column: "target".to_owned(), bad: "1".to_owned() });
        TargetStored { column, bad }
    }

    pub(super) fn decimals(&self) -> u32 {
        self.decimals.unwrap_or(6)
    }

    /// The model's inputs, in the order of its columns.
    pub(super) fn features(&self, known: &[Known], absent: Absent) -> Result<Vec<Feature>, ImportError> {
        let named = known.iter().filter(|column| column.name.is_some()).count();
        let wrong = |problem: String| Err(ImportError::Columns(problem));
        if named < known.len() && self.columns.len() != known.len() {
            let says = self.columns.len();
            let count = known.len();
            return wrong(format!(
                "the model has {count} columns, of which its file names {named}; say all of them in order (the columns \
                 file says {says})"
            ));
        }
        let by_name = named == known.len();
        if by_name {
            for column in &self.columns {
                let in_file = column.in_file.as_ref().unwrap_or(&column.name);
                let names = || known.iter().filter_map(|known| known.name.as_deref());
                if !names().any(|name| name == in_file) {
                    let near = nearest(in_file, names()).map(|near| format!(" (there is `{near}`)"));
                    return wrong(format!("the model has no column `{in_file}`{}", near.unwrap_or_default()));
                }
            }
        }
        let said = |at: usize, known: &Known| {
            if !by_name {
                return self.columns.get(at);
            }
            let in_file =
                |column: &&Column| column.in_file.as_ref().or(Some(&column.name)) == known.name.as_ref();
            self.columns.iter().find(in_file)
        };
        known.iter().enumerate().map(|(at, known)| feature(known, said(at, known), absent)).collect()
    }

    pub(super) fn reasons(&self, features: &[Feature]) -> Result<BTreeMap<Name, Name>, ImportError> {
        let reason = |(input, code): (&String, &String)| {
            let names = || features.iter().map(|feature| feature.name.as_ref());
            if names().any(|name| name == input) {
                return Ok((Arc::from(input.as_str()), Arc::from(code.as_str())));
            }
            let near = nearest(input, names()).map(|near| format!(" (there is `{near}`)"));
            let problem =
                format!("`reasons` speaks of `{input}`, which is no input{}", near.unwrap_or_default());
            Err(ImportError::Columns(problem))
        };
        self.reasons.iter().map(reason).collect()
    }
}

fn feature(known: &Known, said: Option<&Column>, absent: Absent) -> Result<Feature, ImportError> {
    let name = said.map(|said| said.name.clone()).or_else(|| known.name.clone()).unwrap_or_default();
    let wrong = |problem: &str| Err(ImportError::Columns(format!("column `{name}`: {problem}")));
    let kind = match (said.and_then(|said| said.r#type), said.and_then(|said| said.of.clone())) {
        (Some(KindWritten::Integer), None) => Kind::Integer,
        (Some(KindWritten::Decimal), None) => Kind::Decimal,
        (Some(KindWritten::Boolean), None) => Kind::Boolean,
        (Some(KindWritten::Choice) | None, Some(of)) => choice(&of),
        (Some(KindWritten::Choice), None) if known.categories.is_empty() => {
            return wrong("a choice needs `of`, its categories in the order of their codes");
        }
        (Some(KindWritten::Choice), None) => choice(&known.categories),
        (Some(_), Some(_)) => return wrong("only a choice has `of`"),
        (None, None) if known.is_category && !known.categories.is_empty() => choice(&known.categories),
        // Categories without names are numbers to the outside too: their codes.
        (Some(KindWritten::Number) | None, None) => Kind::Number,
    };
    let is_choice = matches!(kind, Kind::Choice(_));
    if is_choice && !known.categories.is_empty() && choice(&known.categories) != kind {
        return wrong("its categories are in the model's file already, and are others");
    }
    let fallback = |written: Option<AbsentWritten>, usual: Fallback| match written {
        Some(AbsentWritten::Refuse) => Fallback::Refuse,
        Some(AbsentWritten::Own) => Fallback::Own,
        None => usual,
    };
    let missing = if known.categories.iter().any(String::is_empty) && is_choice {
        // The category without a name is what the pipeline was given for missing text.
        Fallback::As(Value::text(""))
    } else if absent.missing_is_zero && !is_choice {
        Fallback::As(match kind {
            Kind::Boolean => Value::Boolean(false),
            Kind::Integer => Value::Integer(0),
            Kind::Decimal => Value::Decimal(rust_decimal::Decimal::ZERO),
            _ => Value::Number(0.0),
        })
    } else {
        Fallback::Own
    };
    let unseen = match (is_choice, absent.unseen_is_missing) {
        (true, true) => Fallback::Own,
        _ => Fallback::Refuse,
    };
    let encoding = if is_choice { Encoding::Code } else { Encoding::AsIs };
    let range = range(said, &name)?;
    Ok(Feature {
        missing: fallback(said.and_then(|said| said.missing), missing),
        unseen: fallback(said.and_then(|said| said.unseen), unseen),
        name: Arc::from(name),
        kind,
        encoding,
        flags_missing: false,
        range,
    })
}

fn range(said: Option<&Column>, name: &str) -> Result<Option<Range>, ImportError> {
    let Some(column) = said else { return Ok(None) };
    match (column.range, column.out_of_range) {
        (Some([low, high]), beyond) => {
            Ok(Some(Range { low, high, beyond: beyond.map_or(Beyond::Keep, Beyond::from) }))
        }
        (None, Some(_)) => Err(ImportError::Columns(format!(
            "column `{name}` says `out_of_range:` and no `range: [lowest, highest]`"
        ))),
        (None, None) => Ok(None),
    }
}

fn choice(of: &[String]) -> Kind {
    Kind::Choice(of.iter().map(|category| Name::from(category.as_str())).collect())
}
