//! Declared types: the short form (`decimal`) and the long (`{ type: decimal, min: 0 }`), everywhere alike.
//! No value is checked against one here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::check_readable;
use crate::documents::yaml::shape::{Keys, Shape};
use crate::documents::yaml::{Content, Node};
use crate::domain::declaration::{InputDeclaration, OutputDeclaration, Personal};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::place::Located;
use crate::domain::value::{Field, Kind, Name};

#[derive(Debug, Clone, Copy)]
enum Word {
    Plain(PlainKind),
    Choice,
    List,
    Map,
}

#[derive(Debug, Clone, Copy)]
enum PlainKind {
    Text,
    Integer,
    Decimal,
    Number,
    Boolean,
    Date,
    Time,
}

const WORDS: &[(&str, Word)] = &[
    ("text", Word::Plain(PlainKind::Text)),
    ("integer", Word::Plain(PlainKind::Integer)),
    ("decimal", Word::Plain(PlainKind::Decimal)),
    ("number", Word::Plain(PlainKind::Number)),
    ("boolean", Word::Plain(PlainKind::Boolean)),
    ("choice", Word::Choice),
    ("date", Word::Plain(PlainKind::Date)),
    ("time", Word::Plain(PlainKind::Time)),
    ("list", Word::List),
    ("map", Word::Map),
];

/// `name: type` lines of `inputs:`.
pub(super) fn inputs(shape: &mut Shape<'_>, node: &Node) -> Vec<InputDeclaration> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        check_readable(shape, &entry.key);
        if let Some(input) = input(shape, &entry.key, &entry.value) {
            all.push(input);
        }
    }
    all
}

fn input(shape: &mut Shape<'_>, name: &Located<String>, node: &Node) -> Option<InputDeclaration> {
    let mut input = InputDeclaration {
        name: name.clone(),
        kind: Kind::Text,
        optional: false,
        min: None,
        max: None,
        unit: None,
        personal: Personal::No,
    };
    if let Content::Scalar(_) = node.content {
        input.kind = short(shape, node)?;
        return Some(input);
    }
    let mut keys = shape.keys(node, format!("input `{}`", name.value))?;
    let kind = long(shape, &mut keys);
    input.optional = optional(shape, &mut keys);
    (input.min, input.max) = bounds(shape, &mut keys, kind.as_ref());
    input.unit = keys.optional("unit").and_then(|unit| shape.text(unit)).map(|unit| unit.value);
    if let Some(personal) = keys.optional("personal") {
        let words = [("key", Personal::Key), ("mask", Personal::Mask)];
        input.personal = shape.word(personal, &words).unwrap_or_default();
    }
    keys.finish(shape);
    input.kind = kind?;
    Some(input)
}

/// `name: type` lines of `outputs:`.
pub(super) fn outputs(shape: &mut Shape<'_>, node: &Node) -> Vec<OutputDeclaration> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        check_readable(shape, &entry.key);
        if let Some(output) = output(shape, &entry.key, &entry.value) {
            all.push(output);
        }
    }
    all
}

fn output(shape: &mut Shape<'_>, name: &Located<String>, node: &Node) -> Option<OutputDeclaration> {
    let name = name.clone();
    if let Content::Scalar(_) = node.content {
        let kind = short(shape, node)?;
        return Some(OutputDeclaration { name, kind, optional: false, min: None, max: None });
    }
    let mut keys = shape.keys(node, format!("output `{}`", name.value))?;
    let kind = long(shape, &mut keys);
    let optional = optional(shape, &mut keys);
    let (min, max) = bounds(shape, &mut keys, kind.as_ref());
    keys.optional("unit").and_then(|unit| shape.text(unit));
    keys.finish(shape);
    Some(OutputDeclaration { name, kind: kind?, optional, min, max })
}

fn optional(shape: &mut Shape<'_>, keys: &mut Keys<'_>) -> bool {
    keys.optional("optional").and_then(|node| shape.boolean(node)).unwrap_or(false)
}

type Bound = Option<Located<String>>;

fn bounds(shape: &mut Shape<'_>, keys: &mut Keys<'_>, kind: Option<&Kind>) -> (Bound, Bound) {
    let (low, high) = (keys.optional("min"), keys.optional("max"));
    let numeric = matches!(kind, None | Some(Kind::Integer | Kind::Decimal | Kind::Number));
    if numeric {
        return (low.and_then(|node| shape.number(node)), high.and_then(|node| shape.number(node)));
    }
    if matches!(kind, Some(Kind::Date | Kind::Time)) {
        return (low.and_then(|node| shape.text(node)), high.and_then(|node| shape.text(node)));
    }
    for node in [low, high].into_iter().flatten() {
        let word = kind.map_or("", Kind::word);
        let message = format!("a {word} has no `min` and `max`");
        shape.report(Diagnostic::error("B007", node.place, message).help("remove it"));
    }
    (None, None)
}

/// A type alone, short or long: `decimal`, `{ type: choice, of: [a, b] }`.
pub(super) fn kind(shape: &mut Shape<'_>, node: &Node) -> Option<Kind> {
    if let Content::Scalar(_) = node.content {
        return short(shape, node);
    }
    let mut keys = shape.keys(node, "a type")?;
    let kind = long(shape, &mut keys);
    keys.finish(shape);
    kind
}

/// `decimal`.
pub(super) fn short(shape: &mut Shape<'_>, node: &Node) -> Option<Kind> {
    match shape.word(node, WORDS)? {
        Word::Plain(plain) => Some(kind_of(plain)),
        Word::Choice | Word::List | Word::Map => {
            let message = "this type needs `of:` to say what it holds";
            let example = "write `{ type: choice, of: [a, b] }`, `{ type: list, of: decimal }` or `{ type: map, of: { name: text } }`";
            shape.report(Diagnostic::error("Y010", node.place, message).help(example));
            None
        }
    }
}

/// `type:` and `of:` of a long form.
fn long(shape: &mut Shape<'_>, keys: &mut Keys<'_>) -> Option<Kind> {
    let word = keys.required("type", shape);
    let of = keys.optional("of");
    let word = word?;
    match shape.word(word, WORDS)? {
        Word::Plain(plain) => {
            if let Some(of) = of {
                shape.report(Diagnostic::error(
                    "Y009",
                    of.place,
                    "only `choice`, `list` and `map` have `of:`",
                ));
            }
            Some(kind_of(plain))
        }
        Word::Choice => {
            let of = needed(of, keys, shape)?;
            choice(shape, of)
        }
        Word::List => {
            let of = needed(of, keys, shape)?;
            Some(Kind::List(Arc::new(field(shape, of)?)))
        }
        Word::Map => {
            let of = needed(of, keys, shape)?;
            fields(shape, of)
        }
    }
}

fn needed<'n>(of: Option<&'n Node>, keys: &mut Keys<'n>, shape: &mut Shape<'_>) -> Option<&'n Node> {
    of.or_else(|| keys.required("of", shape))
}

fn choice(shape: &mut Shape<'_>, node: &Node) -> Option<Kind> {
    let items = shape.list(node)?;
    let texts: Vec<Located<String>> = items.iter().filter_map(|item| shape.text(item)).collect();
    super::names::check_unique(shape, "choice", &texts);
    if texts.is_empty() {
        shape.report(Diagnostic::error("B007", node.place, "a choice needs at least one value"));
        return None;
    }
    (texts.len() == items.len())
        .then(|| Kind::Choice(texts.iter().map(|text| Name::from(text.value.as_str())).collect()))
}

/// What a list holds or a map has under a name: short, long, or the fields of a map at once.
fn field(shape: &mut Shape<'_>, node: &Node) -> Option<Field> {
    let Content::Map(entries) = &node.content else {
        return short(shape, node).map(|kind| Field { kind, optional: false });
    };
    if !entries.iter().any(|entry| entry.key.value == "type") {
        return fields(shape, node).map(|kind| Field { kind, optional: false });
    }
    let mut keys = shape.keys(node, "a type")?;
    let kind = long(shape, &mut keys);
    let optional = optional(shape, &mut keys);
    keys.finish(shape);
    Some(Field { kind: kind?, optional })
}

/// The fields of a map: `name: type` lines.
pub(super) fn fields(shape: &mut Shape<'_>, node: &Node) -> Option<Kind> {
    let mut all = BTreeMap::new();
    let entries = shape.entries(node)?;
    for entry in entries {
        check_readable(shape, &entry.key);
        if let Some(field) = field(shape, &entry.value) {
            all.insert(Name::from(entry.key.value.as_str()), field);
        }
    }
    (all.len() == entries.len()).then(|| Kind::Map(Arc::new(all)))
}

fn kind_of(plain: PlainKind) -> Kind {
    match plain {
        PlainKind::Text => Kind::Text,
        PlainKind::Integer => Kind::Integer,
        PlainKind::Decimal => Kind::Decimal,
        PlainKind::Number => Kind::Number,
        PlainKind::Boolean => Kind::Boolean,
        PlainKind::Date => Kind::Date,
        PlainKind::Time => Kind::Time,
    }
}
