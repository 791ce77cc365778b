//! What a flow's script can say, as definitions for rhai editors (`.d.rhai`): names with their types, steps, verbs and
//! words. Text only. Absent on purpose: checking (`tollgate check` does), and names that only one rule set takes.

use std::fmt::Write as _;

use crate::domain::declaration::{FlowDeclaration, ThresholdLiteral};
use crate::domain::expression::words::WORDS;
use crate::domain::script::Grammar;
use crate::domain::value::{Field, Kind};

/// Words over lists; each takes `|row| …`.
const OVER_LISTS: &[(&str, &str)] = &[
    ("count", "int"),
    ("sum", "decimal"),
    ("average", "decimal"),
    ("any", "bool"),
    ("all", "bool"),
    ("latest", "?"),
    ("filter", "Array"),
];

/// The definitions of one flow, in one market.
#[must_use]
pub fn rhai(flow: &FlowDeclaration) -> String {
    let mut out = String::from("module static;\n");
    let market = flow.market.as_ref().map_or("base", |market| market.value.as_str());
    let _ = writeln!(out, "\n// The words of the flow `{}` in the market `{market}`.", flow.name.value);
    heading(&mut out, "Inputs");
    for input in &flow.inputs {
        let mut said = described(&input.kind);
        let bounds = [("from", &input.min), ("to", &input.max)];
        for (word, bound) in bounds {
            if let Some(bound) = bound {
                let _ = write!(said, ", {word} {}", bound.value);
            }
        }
        if let Some(unit) = &input.unit {
            let _ = write!(said, ", in {unit}");
        }
        if input.optional {
            said.push_str("; may be missing");
        }
        define(&mut out, "let", &input.name.value, type_of(&input.kind), &said);
    }
    heading(&mut out, "Features");
    for feature in &flow.features {
        define(&mut out, "let", &feature.name.value, "?", &one_line(&feature.formula.value));
    }
    heading(&mut out, "Thresholds, with their values in force");
    for threshold in &flow.thresholds {
        let (of, value) = match &threshold.literal.value {
            ThresholdLiteral::Number(text) if text.contains(['.', 'e', 'E']) => ("decimal", text.clone()),
            ThresholdLiteral::Number(text) => ("int", text.clone()),
            ThresholdLiteral::Boolean(value) => ("bool", value.to_string()),
            ThresholdLiteral::Text(text) => ("String", one_line(text)),
        };
        define(&mut out, "const", &threshold.name.value, of, &value);
    }
    heading(&mut out, "Lists");
    for list in &flow.lists {
        let name = &list.name.value;
        define(&mut out, "const", name, "Array", &format!("`x in {name}`"));
    }
    shared(&mut out, flow);
    steps(&mut out, flow);
    verbs(&mut out, flow);
    words(&mut out);
    out
}

fn heading(out: &mut String, text: &str) {
    let _ = writeln!(out, "\n// {text}\n");
}

fn define(out: &mut String, word: &str, name: &str, of: &str, said: &str) {
    let _ = writeln!(out, "/// {said}\n{word} {name}: {of};");
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// rhai's own word for what a value is to an editor.
fn type_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Boolean => "bool",
        Kind::Integer => "int",
        Kind::Decimal => "decimal",
        Kind::Number => "float",
        Kind::Text | Kind::Choice(_) => "String",
        Kind::Date => "date",
        Kind::Time => "time",
        Kind::List(_) => "Array",
        Kind::Map(_) => "Map",
    }
}

/// The declared type in words.
fn described(kind: &Kind) -> String {
    let field = |field: &Field| described(&field.kind);
    match kind {
        Kind::Choice(choices) => {
            let choices: Vec<String> = choices.iter().map(|choice| format!("\"{choice}\"")).collect();
            format!("one of {}", choices.join(", "))
        }
        Kind::List(of) => format!("a list of {}", field(of)),
        Kind::Map(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, of)| format!(".{name} ({})", field(of))).collect();
            format!("a map with {}", fields.join(", "))
        }
        plain => plain.word().to_owned(),
    }
}

/// Functions that stand elsewhere; those of the script an editor sees itself.
fn shared(out: &mut String, flow: &FlowDeclaration) {
    let grammar = Grammar::new();
    let programs = flow.shared_functions.iter().filter_map(|text| grammar.program(text).ok());
    let functions: Vec<_> = programs.flat_map(|program| program.functions).collect();
    if functions.is_empty() {
        return;
    }
    heading(out, "Functions of `rules/_shared/`");
    for function in functions {
        let parameters: Vec<String> = function.parameters.iter().map(|name| format!("{name}: ?")).collect();
        let _ = writeln!(out, "fn {}({}) -> ?;\n", function.name, parameters.join(", "));
    }
}

fn steps(out: &mut String, flow: &FlowDeclaration) {
    heading(out, "Steps");
    let quoted = |names: Vec<&str>| {
        let names: Vec<String> = names.into_iter().map(|name| format!("`\"{name}\"`")).collect();
        names.join(", ")
    };
    let steps = [
        (
            "rules",
            flow.rule_sets.iter().map(|set| set.name.value.as_str()).collect::<Vec<_>>(),
            "A rule set: `.outcome .is_hit .hits .points .failed .reasons`, and `.apply()` records what it found.",
        ),
        (
            "model",
            flow.models.iter().map(|model| model.name.value.as_str()).collect(),
            "A model's answer: `.probability .failed`.",
        ),
        (
            "scorecard",
            flow.scorecards.iter().map(|card| card.name.value.as_str()).collect(),
            "A scorecard: `.points .reasons .failed`.",
        ),
        (
            "table",
            flow.tables.iter().map(|table| table.name.value.as_str()).collect(),
            "A decision table: its outputs by name, `.rows .failed`, `.count` where it collects; `.apply()` records what its rows say.",
        ),
        (
            "flow",
            flow.sub_flows.iter().map(|sub_flow| sub_flow.name.as_str()).collect(),
            "Another flow's decision: `.outcome .reasons .output .scores .degraded .failed`; `.apply()` records it.",
        ),
        (
            "need",
            flow.needs.iter().map(|need| need.name.value.as_str()).collect(),
            "Asks the caller for facts that come later.",
        ),
    ];
    for (word, names, said) in steps {
        if names.is_empty() {
            continue;
        }
        let names = quoted(names);
        let _ = writeln!(out, "/// {said} There is {names}.\nfn {word}(name: String) -> Map;\n");
        if word != "model" {
            let _ = writeln!(
                out,
                "/// As `{word}(name)`, with values handed over.\nfn {word}(name: String, with: Map) -> Map;\n"
            );
        }
    }
}

fn verbs(out: &mut String, flow: &FlowDeclaration) {
    heading(out, "Verbs: each records its outcome, and the strictest recorded is the verdict");
    for (index, outcome) in flow.outcomes.iter().enumerate() {
        let name = &outcome.value;
        if index == 0 {
            let outputs: Vec<&str> = flow.outputs.iter().map(|output| output.name.value.as_str()).collect();
            let with =
                if outputs.is_empty() { String::new() } else { format!(", with {}", outputs.join(", ")) };
            let _ = writeln!(out, "/// Records `{name}`{with}.\nfn {name}(outputs: Map);\n");
        } else {
            let _ = writeln!(
                out,
                "/// Records `{name}`: a reason code, a list of codes, or the `.reasons` of a step.\nfn {name}(reasons: ?);\n"
            );
        }
    }
    let reasons = flow.reasons.iter();
    let said = |reason: &crate::domain::declaration::ReasonDeclaration| {
        let text = reason.texts.get("en").or_else(|| reason.texts.values().next());
        format!("// {} {}", reason.code.value, text.map(|text| one_line(text)).unwrap_or_default())
    };
    let lines: Vec<String> = reasons.map(said).collect();
    let _ = writeln!(out, "// Reasons:\n{}", lines.join("\n"));
}

fn words(out: &mut String) {
    heading(out, "Words");
    let _ = writeln!(out, "/// The day of the decision, in the flow's time zone.\nconst today: date;");
    let _ = writeln!(out, "/// The moment of the decision.\nconst decided_at: time;\n");
    for word in ["is_given", "is_missing"] {
        let _ = writeln!(out, "/// `{word}(x)`\nfn {word}(x: ?) -> bool;\n");
    }
    for (name, _, least, _, example) in WORDS {
        let parameters: Vec<String> = (1..=*least).map(|n| format!("x{n}: ?")).collect();
        let _ = writeln!(out, "/// `{example}`\nfn {name}({}) -> ?;\n", parameters.join(", "));
    }
    for (name, gives) in OVER_LISTS {
        let _ = writeln!(out, "/// `{name}(rows, |row| …)`\nfn {name}(rows: Array, row: Fn) -> {gives};\n");
    }
}
