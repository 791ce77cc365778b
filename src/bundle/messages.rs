//! What a flow takes and gives as protobuf messages: one field for each input, need and output of any market. A field's
//! number is derived from its name and wire type, so it stays while others come and go, a name that comes back has its
//! old number again, and one whose type changes gets a new one: nobody keeps a list of numbers. Absent on purpose: the
//! text of the contract and the conversion of values.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::FlowRevision;
use crate::domain::declaration::{FlowDeclaration, InputDeclaration, NeedDeclaration, OutputDeclaration};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::value::{Field as KindField, Kind, Name};

/// Numbers below are for messages with fixed fields.
const FIRST_NUMBER: u32 = 16;
/// Numbers from here on would take five bytes before each value instead of four.
const AFTER_LAST_NUMBER: u32 = 1 << 25;
/// Protobuf keeps these for itself.
const RESERVED: std::ops::Range<u32> = 19_000..20_000;

/// Messages of one flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Shapes {
    pub facts: MessageShape,
    pub outputs: MessageShape,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MessageShape {
    pub name: String,
    pub fields: Vec<FieldShape>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct FieldShape {
    /// In the message.
    pub name: String,
    /// In the flow: what facts and outputs call it.
    pub key: String,
    pub number: u32,
    pub shape: Shape,
    /// What people should know, one line each.
    pub notes: Vec<String>,
}

/// How a value travels.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    Boolean,
    Integer,
    Number,
    /// Also decimals, choices and dates: exact, and open to what comes later.
    Text,
    Time,
    Map(MessageShape),
    List(Box<ListShape>),
}

/// A list is a message of its own, so that one that was not given differs from an empty one.
#[derive(Debug, Clone, PartialEq)]
pub struct ListShape {
    pub name: String,
    pub item: Shape,
    /// Items may be missing: then each is a message around its value.
    pub nullable: Option<String>,
}

/// Why a flow has no messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    #[error(
        "`{first}` and `{second}` of `{message}` have the same protobuf field number; rename the newer one"
    )]
    SameNumber { message: String, first: String, second: String },
}

/// The messages of a flow in all its markets.
///
/// # Errors
/// When two names have the same number, which of a hundred names happens once in seven thousand flows.
pub fn shapes(revision: &FlowRevision) -> Result<Shapes, ShapeError> {
    let markets = revision.markets.iter().map(|(name, market)| (Some(name), &*market.declaration));
    let all: Vec<(Option<&Name>, &FlowDeclaration)> =
        std::iter::once((None, &*revision.declaration)).chain(markets).collect();
    let mut facts = Building::new("Facts");
    let mut outputs = Building::new("Outputs");
    for (market, declaration) in &all {
        for input in &declaration.inputs {
            facts.field(&input.name.value, *market, &input.kind, || input_notes(input));
        }
        for need in &declaration.needs {
            facts.need(need, *market);
        }
        for output in &declaration.outputs {
            outputs.field(&output.name.value, *market, &output.kind, || output_notes(output));
        }
    }
    Ok(Shapes { facts: facts.finish()?, outputs: outputs.finish()? })
}

/// What is said of a flow that has no messages: it decides all the same, and typed clients cannot ask it.
pub(super) fn finding(revision: &FlowRevision) -> Option<Diagnostic> {
    let error = shapes(revision).err()?;
    let ShapeError::SameNumber { message, first, second } = &error;
    let markets = revision.markets.values().map(|market| &*market.declaration);
    let mut declarations = std::iter::once(&*revision.declaration).chain(markets);
    let named = |declaration: &FlowDeclaration| {
        let inputs = declaration.inputs.iter().map(|input| &input.name);
        let needs = declaration.needs.iter().map(|need| &need.name);
        let outputs = declaration.outputs.iter().map(|output| &output.name);
        let mut all = inputs.chain(needs).chain(outputs);
        all.find(|name| name.value == *second).map(|name| name.place)
    };
    // What stands in a map or list has the place of the whole.
    let place = declarations.find_map(named).unwrap_or(revision.declaration.place);
    let text = format!("`{first}` and `{second}` get the same protobuf field number in `{message}`");
    let help =
        "rename the newer one; until then the flow takes REST and gRPC's Structs, and no messages of its own";
    Some(Diagnostic::warning("B076", place, text).help(help))
}

/// The number of a field: of its name, and of how its value travels.
fn number(name: &str, shape: &Shape) -> u32 {
    let digest = Sha256::digest(format!("{name}:{}", wire_word(shape)));
    let head = digest.iter().take(4).fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    let number = FIRST_NUMBER + head % (AFTER_LAST_NUMBER - FIRST_NUMBER - 1_000);
    if number < RESERVED.start { number } else { number + 1_000 }
}

/// What has to be equal for two ends to understand each other.
fn wire_word(shape: &Shape) -> String {
    match shape {
        Shape::Boolean => "bool".to_owned(),
        Shape::Integer => "int64".to_owned(),
        Shape::Number => "double".to_owned(),
        Shape::Text => "string".to_owned(),
        Shape::Time => "time".to_owned(),
        Shape::Map(_) => "map".to_owned(),
        Shape::List(list) => {
            let mark = if list.nullable.is_some() { "?" } else { "" };
            format!("list<{}{mark}>", wire_word(&list.item))
        }
    }
}

struct Building {
    name: String,
    fields: Vec<FieldShape>,
    /// Names of the message's fields and of the messages in it: protobuf keeps them in one bag.
    used: BTreeSet<String>,
}

impl Building {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), fields: Vec::new(), used: BTreeSet::new() }
    }

    fn field(&mut self, key: &str, market: Option<&Name>, kind: &Kind, notes: impl Fn() -> Vec<String>) {
        let shape = shape_of(kind, key);
        self.push(key, market, shape, notes);
    }

    fn need(&mut self, need: &NeedDeclaration, market: Option<&Name>) {
        let mut inner = Building::new(&format!("{}Map", camel(&need.name.value)));
        for field in &need.of {
            inner.field(&field.name.value, None, &field.kind, || input_notes(field));
        }
        let shape = Shape::Map(MessageShape { name: inner.name, fields: inner.fields });
        self.push(&need.name.value, market, shape, || {
            vec!["Asked for in the middle of a decision; may be sent at once.".to_owned()]
        });
    }

    /// A field, unless an earlier market has the same one.
    fn push(&mut self, key: &str, market: Option<&Name>, shape: Shape, notes: impl Fn() -> Vec<String>) {
        let number = number(key, &shape);
        let known = self.fields.iter_mut().find(|field| field.key == key && field.number == number);
        if let Some(known) = known {
            merge(&mut known.shape, shape);
            return;
        }
        let mut notes = notes();
        notes.extend(market.map(|market| format!("Only in the market `{market}`.")));
        let is_taken = self.used.contains(key);
        let mut name = match market {
            Some(market) if is_taken => format!("{key}_in_{market}"),
            _ => key.to_owned(),
        };
        while !self.used.insert(name.clone()) {
            name.push('_');
        }
        self.fields.push(FieldShape { name, key: key.to_owned(), number, shape, notes });
    }

    fn finish(self) -> Result<MessageShape, ShapeError> {
        let mut message = MessageShape { name: self.name, fields: self.fields };
        settle_names(&mut message);
        check_numbers(&message)?;
        Ok(message)
    }
}

/// Adds to a map what another market has in it.
fn merge(known: &mut Shape, other: Shape) {
    match (known, other) {
        (Shape::Map(known), Shape::Map(other)) => {
            for field in other.fields {
                match known.fields.iter_mut().find(|f| f.key == field.key && f.number == field.number) {
                    Some(same) => merge(&mut same.shape, field.shape),
                    None => known.fields.push(field),
                }
            }
        }
        (Shape::List(known), Shape::List(other)) => merge(&mut known.item, other.item),
        _ => {}
    }
}

/// Gives each inner message a name that no field and no other inner message has.
fn settle_names(message: &mut MessageShape) {
    let mut used: BTreeSet<String> = BTreeSet::new();
    for field in &mut message.fields {
        while !used.insert(field.name.clone()) {
            field.name.push('_');
        }
    }
    for field in &mut message.fields {
        settle_inner(&mut field.shape, &mut used);
    }
}

fn settle_inner(shape: &mut Shape, used: &mut BTreeSet<String>) {
    let mut unique = |name: &mut String| {
        while !used.insert(name.clone()) {
            name.push('_');
        }
    };
    match shape {
        Shape::Map(inner) => {
            unique(&mut inner.name);
            settle_names(inner);
        }
        Shape::List(list) => {
            unique(&mut list.name);
            if let Some(name) = &mut list.nullable {
                unique(name);
            }
            settle_inner(&mut list.item, used);
        }
        _ => {}
    }
}

fn check_numbers(message: &MessageShape) -> Result<(), ShapeError> {
    let mut seen: BTreeMap<u32, &str> = BTreeMap::new();
    for field in &message.fields {
        if let Some(first) = seen.insert(field.number, &field.key) {
            let (first, second) = (first.to_owned(), field.key.clone());
            return Err(ShapeError::SameNumber { message: message.name.clone(), first, second });
        }
        let mut inner = &field.shape;
        while let Shape::List(list) = inner {
            inner = &list.item;
        }
        if let Shape::Map(inner) = inner {
            check_numbers(inner)?;
        }
    }
    Ok(())
}

fn shape_of(kind: &Kind, name: &str) -> Shape {
    match kind {
        Kind::Boolean => Shape::Boolean,
        Kind::Integer => Shape::Integer,
        Kind::Number => Shape::Number,
        Kind::Decimal | Kind::Text | Kind::Choice(_) | Kind::Date => Shape::Text,
        Kind::Time => Shape::Time,
        Kind::Map(of) => {
            let mut inner = Building::new(&format!("{}Map", camel(name)));
            for (name, field) in &**of {
                inner.field(name, None, &field.kind, || kind_notes(&field.kind, field.optional));
            }
            Shape::Map(MessageShape { name: inner.name, fields: inner.fields })
        }
        Kind::List(of) => list_of(of, name),
    }
}

fn list_of(of: &KindField, name: &str) -> Shape {
    let item = shape_of(&of.kind, &format!("{name}_item"));
    let name = camel(name);
    let nullable = of.optional.then(|| format!("{name}Entry"));
    Shape::List(Box::new(ListShape { name: format!("{name}List"), item, nullable }))
}

/// `monthly_income` → `MonthlyIncome`.
pub fn camel(name: &str) -> String {
    let parts = name.split(|c: char| !c.is_ascii_alphanumeric());
    let capital = |part: &str| {
        let mut letters = part.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    parts.filter_map(capital).collect()
}

fn input_notes(input: &InputDeclaration) -> Vec<String> {
    let mut notes = kind_notes(&input.kind, input.optional);
    let bound = |word: &str, bound: Option<&String>| bound.map(|bound| format!("{word} {bound}"));
    let min = bound("at least", input.min.as_ref().map(|min| &min.value));
    let max = bound("at most", input.max.as_ref().map(|max| &max.value));
    let more: Vec<String> = [min, max, input.unit.clone()].into_iter().flatten().collect();
    if let (Some(first), false) = (notes.first_mut(), more.is_empty()) {
        *first = format!("{}; {}", first, more.join(", "));
    }
    notes
}

fn output_notes(output: &OutputDeclaration) -> Vec<String> {
    let mut notes = kind_notes(&output.kind, true);
    if let Some(first) = notes.first_mut() {
        *first = first.trim_end_matches(", optional").to_owned();
    }
    notes
}

fn kind_notes(kind: &Kind, optional: bool) -> Vec<String> {
    let optional = if optional { ", optional" } else { "" };
    let what = match kind {
        Kind::Decimal => "decimal, as text: \"2500.00\"".to_owned(),
        Kind::Date => "date, as text: \"2026-01-31\"".to_owned(),
        Kind::Choice(of) => {
            // A line break in a choice must not end the comment.
            let choices: Vec<String> =
                of.iter().map(|choice| format!("\"{}\"", choice.escape_debug())).collect();
            format!("one of {}", choices.join(", "))
        }
        other => other.word().to_owned(),
    };
    vec![format!("{what}{optional}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_depend_on_name_and_wire_type_alone() {
        // These are in the hands of clients: a change here breaks every one of them.
        for (name, shape, expected) in
            [("age", Shape::Integer, 21_762_057), ("amount", Shape::Text, 7_768_801)]
        {
            assert_eq!(number(name, &shape), expected);
        }
        assert_ne!(number("age", &Shape::Integer), number("age", &Shape::Text));
        assert_ne!(number("age", &Shape::Integer), number("agf", &Shape::Integer));
    }

    #[test]
    fn numbers_are_ones_that_protobuf_takes() {
        for at in 0..20_000 {
            let number = number(&format!("name_{at}"), &Shape::Text);
            assert!((FIRST_NUMBER..AFTER_LAST_NUMBER).contains(&number) && !RESERVED.contains(&number));
        }
    }

    #[test]
    fn two_names_with_one_number_are_told() {
        let mut seen: BTreeMap<u32, String> = BTreeMap::new();
        let (first, second) = (0..)
            .find_map(|at| {
                let name = format!("n{at}");
                let number = number(&name, &Shape::Text);
                seen.insert(number, name.clone()).map(|first| (first, name))
            })
            .unwrap();
        let mut building = Building::new("Facts");
        for name in [&first, &second] {
            building.field(name, None, &Kind::Text, Vec::new);
        }
        let error = building.finish().unwrap_err();
        assert_eq!(error, ShapeError::SameNumber { message: "Facts".to_owned(), first, second });
    }

    #[test]
    fn names_become_types() {
        for (name, expected) in [("employer", "Employer"), ("late_accounts_2", "LateAccounts2"), ("aB", "AB")]
        {
            assert_eq!(camel(name), expected);
        }
    }
}
