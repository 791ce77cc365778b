//! Facts as given → facts as declared. Everything that is wrong is said at once, with a pointer, and never
//! with the value that was sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::{Flow, Input, Need};
use crate::domain::declaration::UnknownInputs;
use crate::domain::expression::operators;
use crate::domain::facts::{FactProblem, Facts, Given, NeedAnswer};
use crate::domain::nearest::nearest;
use crate::domain::script::limits;
use crate::domain::value::{self, Field, Kind, Name, Value};

/// Problems that are listed one by one: an answer must not be many times as long as what was sent.
const MOST_PROBLEMS: usize = 1_000;
/// Problems up to which the nearest name is looked for.
const MOST_HINTS: usize = 100;

impl Flow {
    /// Admits facts against the declared inputs, or lists everything that is wrong with them.
    pub fn admit(&self, given: &Given) -> Result<Facts, Vec<FactProblem>> {
        let Given::Map(entries) = given else {
            return Err(vec![problem(&Path::Root, "wrong_type", "the facts are an object".to_owned())]);
        };
        let mut problems = Vec::new();
        let mut out_of_range = Vec::new();
        let mut sent = Sent { entries, next: 0, taken: 0 };
        let values = self
            .inputs
            .iter()
            .map(|input| {
                let given = sent.take(&input.name);
                admit_input(input, &Path::Root, given, &mut problems, &mut out_of_range)
            })
            .collect();
        let needs = self
            .needs
            .iter()
            .map(|need| admit_need(need, sent.take(&need.name), &mut problems, &mut out_of_range))
            .collect();
        let all_known = sent.taken == entries.len();
        let unread = if all_known { Vec::new() } else { self.unknown(entries, &mut problems) };
        if self.on_invalid.is_none() {
            problems.append(&mut out_of_range);
        }
        if problems.is_empty() {
            return Ok(Facts { values, unread, needs, invalid: out_of_range });
        }
        let more = problems.len().saturating_sub(MOST_PROBLEMS);
        if more > 0 {
            problems.truncate(MOST_PROBLEMS);
            problems.push(problem(&Path::Root, "too_many", format!("{more} more things are wrong")));
        }
        Err(problems)
    }

    /// Answers to needs alone, as a caller sends them to a decision that waits: the place of each need, and what is
    /// said to it.
    ///
    /// # Errors
    /// Everything that is wrong with them; other facts among them are.
    pub fn admit_answers(&self, given: &Given) -> Result<Vec<(usize, NeedAnswer)>, Vec<FactProblem>> {
        let Given::Map(entries) = given else {
            return Err(vec![problem(&Path::Root, "wrong_type", "the facts are an object".to_owned())]);
        };
        let (mut problems, mut out_of_range, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for (name, sent) in entries {
            if let Some(at) = self.needs.iter().position(|need| *need.name == **name) {
                let need = self.needs.get(at).into_iter();
                answers.extend(
                    need.map(|need| (at, admit_need(need, Some(sent), &mut problems, &mut out_of_range))),
                );
                continue;
            }
            let at = Path::Name(&Path::Root, shortened(name));
            if self.inputs.iter().any(|input| *input.name == **name) {
                let detail = "the decision stands on what was given at first; leave it out".to_owned();
                problems.push(problem(&at, "not_asked", detail));
            } else if problems.len() < MOST_PROBLEMS {
                let near = nearest(name, self.needs.iter().map(|need| &*need.name));
                let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                problems.push(problem(
                    &at,
                    "unknown",
                    format!("flow `{}` has no such need{hint}", self.name),
                ));
            }
        }
        if self.on_invalid.is_none() {
            problems.append(&mut out_of_range);
        }
        if problems.is_empty() { Ok(answers) } else { Err(problems) }
    }

    /// What a fact may be called.
    fn names(&self) -> impl Iterator<Item = &Name> {
        self.inputs.iter().map(|input| &input.name).chain(self.needs.iter().map(|need| &need.name))
    }

    fn unknown(&self, entries: &[(String, Given)], problems: &mut Vec<FactProblem>) -> Vec<(String, Given)> {
        let mut unread = Vec::new();
        for (name, value) in entries {
            if self.names().any(|known| **known == **name) {
                continue;
            }
            match self.unknown_inputs {
                UnknownInputs::Record => unread.push((name.clone(), value.clone())),
                UnknownInputs::Refuse => {
                    let names = self.names().map(|known| &**known);
                    let near = if problems.len() < MOST_HINTS { nearest(name, names) } else { None };
                    let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                    let detail = format!("flow `{}` has no such input{hint}", self.name);
                    problems.push(problem(&Path::Name(&Path::Root, shortened(name)), "unknown", detail));
                }
            }
        }
        unread
    }
}

/// Facts as sent, looked up in the order in which most callers send them: the declared one.
struct Sent<'a> {
    entries: &'a [(String, Given)],
    next: usize,
    /// How many were found; names are unique, so as many were known.
    taken: usize,
}

impl<'a> Sent<'a> {
    fn take(&mut self, name: &str) -> Option<&'a Given> {
        let (before, after) = self.entries.split_at_checked(self.next)?;
        let ahead = after.iter().position(|(n, _)| n == name).map(|at| self.next + at);
        let at = ahead.or_else(|| before.iter().position(|(n, _)| n == name))?;
        self.next = at + 1;
        self.taken += 1;
        self.entries.get(at).map(|(_, value)| value)
    }
}

/// `null` says that it cannot be had; what was not sent is still to come.
fn admit_need(
    need: &Need,
    sent: Option<&Given>,
    problems: &mut Vec<FactProblem>,
    out_of_range: &mut Vec<FactProblem>,
) -> NeedAnswer {
    let at = Path::Name(&Path::Root, &need.name);
    let entries = match sent {
        None => return NeedAnswer::Awaited,
        Some(Given::Null) => return NeedAnswer::Unavailable,
        Some(Given::Map(entries)) => entries,
        Some(_) => {
            problems.push(problem(&at, "wrong_type", "an object, or null if it cannot be had".to_owned()));
            return NeedAnswer::Awaited;
        }
    };
    let mut admitted = BTreeMap::new();
    for field in &need.of {
        let sent = entries.iter().find(|(name, _)| **name == *field.name).map(|(_, value)| value);
        admitted.insert(field.name.clone(), admit_input(field, &at, sent, problems, out_of_range));
    }
    let names = || need.of.iter().map(|field| &*field.name);
    unknown_names(entries, names, &at, problems);
    NeedAnswer::Given(Value::Map(Arc::new(admitted)))
}

/// Reports the names of a map that nobody declared.
fn unknown_names<'n, N: Iterator<Item = &'n str>>(
    entries: &[(String, Given)],
    known: impl Fn() -> N,
    at: &Path<'_>,
    problems: &mut Vec<FactProblem>,
) {
    for (name, _) in entries.iter().filter(|(name, _)| !known().any(|known| known == name)) {
        let near = if problems.len() < MOST_HINTS { nearest(name, known()) } else { None };
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let detail = format!("no such name here{hint}");
        problems.push(problem(&Path::Name(at, shortened(name)), "unknown", detail));
    }
}

fn admit_input(
    input: &Input,
    parent: &Path<'_>,
    sent: Option<&Given>,
    problems: &mut Vec<FactProblem>,
    out_of_range: &mut Vec<FactProblem>,
) -> Value {
    let at = Path::Name(parent, &input.name);
    let value = admit_field(&input.kind, input.optional, sent, &at, problems);
    if matches!(value, Value::Missing) {
        return value;
    }
    let beyond = |bound: &Option<Value>, wrong: fn(std::cmp::Ordering) -> bool| {
        bound.as_ref().filter(|bound| operators::ordering(&value, bound).is_some_and(wrong)).cloned()
    };
    let unit = input.unit.as_ref().map_or_else(String::new, |unit| format!(" {unit}"));
    if let Some(min) = beyond(&input.min, std::cmp::Ordering::is_lt) {
        out_of_range.push(problem(&at, "too_low", format!("at least {}{unit}", shown(&min))));
    }
    if let Some(max) = beyond(&input.max, std::cmp::Ordering::is_gt) {
        out_of_range.push(problem(&at, "too_high", format!("at most {}{unit}", shown(&max))));
    }
    value
}

/// A declared bound: it is the flow's, so it may be shown.
fn shown(bound: &Value) -> String {
    crate::domain::expression::words::text_of(bound).map_or_else(
        |_| String::new(),
        |text| match text {
            Value::Text(text) => text.to_string(),
            _ => String::new(),
        },
    )
}

fn admit_field(
    kind: &Kind,
    optional: bool,
    sent: Option<&Given>,
    at: &Path<'_>,
    problems: &mut Vec<FactProblem>,
) -> Value {
    match sent {
        None | Some(Given::Null) if optional => Value::Missing,
        None | Some(Given::Null) => {
            problems.push(problem(at, "missing", format!("required: {}", described(kind))));
            Value::Missing
        }
        Some(sent) => admit_value(kind, sent, at, problems),
    }
}

fn admit_value(kind: &Kind, sent: &Given, at: &Path<'_>, problems: &mut Vec<FactProblem>) -> Value {
    let admitted = match (kind, sent) {
        (Kind::List(of), Given::List(items)) => return admit_list(of, items, at, problems),
        (Kind::Map(of), Given::Map(entries)) => return admit_map(of, entries, at, problems),
        (Kind::Boolean, Given::Boolean(value)) => Ok(Value::Boolean(*value)),
        (Kind::Integer, Given::Number(text)) => integer(text),
        (Kind::Decimal, Given::Number(text) | Given::Text(text)) => decimal(text),
        (Kind::Number, Given::Number(text)) => number(text),
        (Kind::Text, Given::Text(text)) => plain_text(text),
        (Kind::Choice(of), Given::Text(text)) => choice(of, text),
        (Kind::Date, Given::Text(text)) => date(text),
        (Kind::Time, Given::Text(text)) => time(text),
        _ => Err(("wrong_type", described(kind))),
    };
    admitted.unwrap_or_else(|(code, detail)| {
        problems.push(problem(at, code, detail));
        Value::Missing
    })
}

type Refusal = (&'static str, String);

fn integer(text: &str) -> Result<Value, Refusal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(("wrong_type", described(&Kind::Integer)));
    }
    text.parse().map(Value::Integer).map_err(|_| ("out_of_range", "an integer of at most 64 bits".to_owned()))
}

fn decimal(text: &str) -> Result<Value, Refusal> {
    let is_number = text.strip_prefix('-').unwrap_or(text).starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    if !is_number {
        return Err(("wrong_type", described(&Kind::Decimal)));
    }
    let exact = if text.contains(['e', 'E']) {
        Decimal::from_scientific(text)
    } else {
        Decimal::from_str_exact(text)
    };
    let too_long = |_| ("out_of_range", "a decimal of at most 28 digits".to_owned());
    // `-0` is zero; a sign on nothing would show in records.
    exact.map(|d| Value::Decimal(if d.is_zero() { d.abs() } else { d })).map_err(too_long)
}

fn number(text: &str) -> Result<Value, Refusal> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Value::Number(value + 0.0)),
        _ => Err(("out_of_range", "a finite 64-bit number".to_owned())),
    }
}

fn plain_text(text: &str) -> Result<Value, Refusal> {
    if text.contains('\0') {
        return Err(("wrong_type", "a text without NUL characters".to_owned()));
    }
    if text.len() > limits::TEXT_BYTES {
        return Err(("too_long", "a text of at most 16 KiB".to_owned()));
    }
    Ok(Value::text(text))
}

fn choice(of: &Arc<[Name]>, text: &str) -> Result<Value, Refusal> {
    of.iter()
        .find(|o| &***o == text)
        .map(|o| Value::Text(o.clone()))
        .ok_or_else(|| ("not_a_choice", described(&Kind::Choice(of.clone()))))
}

fn date(text: &str) -> Result<Value, Refusal> {
    value::date(text).map(Value::Date).ok_or_else(|| ("wrong_type", described(&Kind::Date)))
}

fn time(text: &str) -> Result<Value, Refusal> {
    value::time(text).map(Value::Time).ok_or_else(|| ("wrong_type", described(&Kind::Time)))
}

fn admit_list(of: &Field, items: &[Given], at: &Path<'_>, problems: &mut Vec<FactProblem>) -> Value {
    if items.len() > limits::LIST_ITEMS {
        problems.push(problem(at, "too_long", "a list of at most 1,000 items".to_owned()));
        return Value::Missing;
    }
    let admitted = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            admit_field(&of.kind, of.optional, Some(item), &Path::Index(at, index), problems)
        })
        .collect();
    Value::List(admitted)
}

fn admit_map(
    of: &BTreeMap<Name, Field>,
    entries: &[(String, Given)],
    at: &Path<'_>,
    problems: &mut Vec<FactProblem>,
) -> Value {
    let mut admitted = BTreeMap::new();
    for (name, field) in of {
        let sent = entries.iter().find(|(n, _)| **n == **name).map(|(_, value)| value);
        admitted.insert(
            name.clone(),
            admit_field(&field.kind, field.optional, sent, &Path::Name(at, name), problems),
        );
    }
    unknown_names(entries, || of.keys().map(|name| &**name), at, problems);
    Value::Map(Arc::new(admitted))
}

/// What is expected, in the words of the API.
fn described(kind: &Kind) -> String {
    match kind {
        Kind::Boolean => "`true` or `false`".to_owned(),
        Kind::Integer => "an integer, without quotes and without a fraction".to_owned(),
        Kind::Decimal => "a decimal, as a JSON number or as a string like \"1500.00\"".to_owned(),
        Kind::Number => "a number, without quotes".to_owned(),
        Kind::Text => "a text".to_owned(),
        Kind::Choice(of) => {
            format!("one of {}", of.iter().map(|o| format!("`{o}`")).collect::<Vec<_>>().join(", "))
        }
        Kind::Date => "a date like \"2026-01-31\"".to_owned(),
        Kind::Time => "a time with its offset, like \"2026-01-31T09:00:00Z\"".to_owned(),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "an object".to_owned(),
    }
}

fn problem(at: &Path<'_>, code: &'static str, detail: String) -> FactProblem {
    FactProblem { pointer: at.pointer(), code, detail }
}

/// Where in the facts one is: written out only when there is something to say about it.
enum Path<'a> {
    Root,
    Name(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    /// RFC 6901: `~` and `/` in names are escaped.
    fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Name(parent, name) => {
                format!("{}/{}", parent.pointer(), name.replace('~', "~0").replace('/', "~1"))
            }
            Self::Index(parent, index) => format!("{}/{index}", parent.pointer()),
        }
    }
}

/// The first 64 characters of a name that somebody sent: no name of ours is longer.
fn shortened(name: &str) -> &str {
    name.char_indices().nth(64).and_then(|(at, _)| name.get(..at)).unwrap_or(name)
}
