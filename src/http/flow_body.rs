//! How a flow looks to those who call it: inputs as a JSON Schema, thresholds, reasons, models. Absent on purpose:
//! conditions and scripts (they are in the revision's files) and any value of a request.

use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};

use crate::domain::declaration::{
    AnswerDeclaration, FlowDeclaration, IfItFails, InputDeclaration, NeedDeclaration, OutputDeclaration,
    Personal, ThresholdLiteral, UnknownInputs,
};
use crate::domain::place::Located;
use crate::domain::value::{Field, Kind};

/// The inputs of a flow as a JSON Schema (2020-12). Every property carries its `type` inline: no `$ref`, no `anyOf`.
#[must_use]
pub fn inputs_schema(flow: &FlowDeclaration) -> Json {
    let inputs = flow.inputs.iter().map(|input| (input.name.value.clone(), input_schema(flow, input)));
    // What a need asks for may be sent at once.
    let needs = flow.needs.iter().map(|need| {
        let mut schema = answer_schema(flow, need);
        schema.insert("x-need".to_owned(), json!(true));
        (need.name.value.clone(), Json::Object(schema))
    });
    let properties: Map<String, Json> = inputs.chain(needs).collect();
    let required: Vec<&str> =
        flow.inputs.iter().filter(|i| !i.optional).map(|i| i.name.value.as_str()).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": matches!(flow.unknown_inputs, UnknownInputs::Record),
    })
}

/// What answers a need.
fn answer_schema(flow: &FlowDeclaration, need: &NeedDeclaration) -> Map<String, Json> {
    let fields = need.of.iter();
    let properties: Map<String, Json> =
        fields.clone().map(|field| (field.name.value.clone(), input_schema(flow, field))).collect();
    let required: Vec<&str> = fields.filter(|f| !f.optional).map(|f| f.name.value.as_str()).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Json::Object(properties));
    schema.insert("required".to_owned(), json!(required));
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

/// Name → what the caller is told with the question (`with`), what it answers (`of`), whether that may be null.
#[must_use]
pub fn needs(flow: &FlowDeclaration) -> Json {
    let shown = |need: &NeedDeclaration| {
        json!({
            "with": kind_schema(&Kind::Map(Arc::new(need.with.clone()))),
            "of": answer_schema(flow, need),
            "optional": need.optional,
        })
    };
    flow.needs.iter().map(|need| (need.name.value.clone(), shown(need))).collect::<Map<_, _>>().into()
}

fn input_schema(flow: &FlowDeclaration, input: &InputDeclaration) -> Json {
    let mut schema = kind_schema(&input.kind);
    bound(&mut schema, "minimum", input.min.as_ref().map(|m| m.value.as_str()));
    bound(&mut schema, "maximum", input.max.as_ref().map(|m| m.value.as_str()));
    if let Some(unit) = &input.unit {
        schema.insert("x-unit".to_owned(), json!(unit));
    }
    match input.personal {
        Personal::No => {}
        Personal::Key => {
            schema.insert("x-personal".to_owned(), json!("key"));
        }
        Personal::Mask => {
            schema.insert("x-personal".to_owned(), json!("mask"));
        }
    }
    if flow.protected.iter().any(|(name, _)| name.value == input.name.value) {
        schema.insert("x-protected".to_owned(), json!(true));
    }
    Json::Object(schema)
}

/// A decimal is a text in JSON Schema, so its bounds are an extension; a number's are the standard words.
fn bound(schema: &mut Map<String, Json>, word: &str, text: Option<&str>) {
    let Some(text) = text else { return };
    let is_number = matches!(schema.get("type").and_then(Json::as_str), Some("integer" | "number"));
    match text.parse::<serde_json::Number>() {
        Ok(number) if is_number => schema.insert(word.to_owned(), Json::Number(number)),
        _ => schema.insert(format!("x-{word}"), json!(text)),
    };
}

fn kind_schema(kind: &Kind) -> Map<String, Json> {
    let schema = match kind {
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Integer => json!({"type": "integer"}),
        Kind::Decimal => json!({"type": "string", "format": "decimal", "x-type": "decimal"}),
        Kind::Number => json!({"type": "number"}),
        Kind::Text => json!({"type": "string"}),
        Kind::Choice(choices) => {
            let choices: Vec<&str> = choices.iter().map(|c| &**c).collect();
            json!({"type": "string", "enum": choices, "x-type": "choice"})
        }
        Kind::Date => json!({"type": "string", "format": "date", "x-type": "date"}),
        Kind::Time => json!({"type": "string", "format": "date-time", "x-type": "time"}),
        Kind::List(field) => json!({"type": "array", "items": kind_schema(&field.kind)}),
        Kind::Map(fields) => {
            let properties: Map<String, Json> = fields
                .iter()
                .map(|(name, f)| (name.to_string(), Json::Object(kind_schema(&f.kind))))
                .collect();
            let required: Vec<&str> =
                fields.iter().filter(|(_, f): &(_, &Field)| !f.optional).map(|(name, _)| &**name).collect();
            json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
        }
    };
    match schema {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// The outputs that a decision of this flow may carry.
#[must_use]
pub fn outputs_schema(flow: &FlowDeclaration) -> Json {
    let schema = |output: &OutputDeclaration| {
        let mut schema = kind_schema(&output.kind);
        bound(&mut schema, "minimum", output.min.as_ref().map(|m| m.value.as_str()));
        bound(&mut schema, "maximum", output.max.as_ref().map(|m| m.value.as_str()));
        Json::Object(schema)
    };
    let properties: Map<String, Json> =
        flow.outputs.iter().map(|o| (o.name.value.clone(), schema(o))).collect();
    json!({"type": "object", "properties": properties})
}

/// Name → value. Numbers are numbers where JSON's readers get them back to the last digit, else texts: `0.60` is 0.6.
#[must_use]
pub fn thresholds(flow: &FlowDeclaration) -> Json {
    let shown = |literal: &ThresholdLiteral| match literal {
        ThresholdLiteral::Number(text) => {
            let number = text.parse::<serde_json::Number>().ok();
            let number =
                number.filter(|n| exact(text).is_some_and(|written| exact(&n.to_string()) == Some(written)));
            number.map_or_else(|| json!(text), Json::Number)
        }
        ThresholdLiteral::Boolean(b) => json!(b),
        ThresholdLiteral::Text(text) => json!(text),
    };
    flow.thresholds
        .iter()
        .map(|t| (t.name.value.clone(), shown(&t.literal.value)))
        .collect::<Map<_, _>>()
        .into()
}

/// Without an exponent, so that only digits can differ.
fn exact(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text).ok()
}

/// Code → texts by language.
#[must_use]
pub fn reasons(flow: &FlowDeclaration) -> Json {
    flow.reasons.iter().map(|r| (r.code.value.clone(), json!(r.texts))).collect::<Map<_, _>>().into()
}

/// Name in the script → the version that it stands for now.
#[must_use]
pub fn models(flow: &FlowDeclaration) -> Json {
    let shown = |used: &crate::domain::declaration::ModelUseDeclaration| {
        let model = used.model.as_ref();
        json!({
            "reference": used.reference.value,
            "model": model.map(|m| m.name.to_string()),
            "version": model.map(|m| m.version),
            "digest": model.map(|m| m.digest.to_string()),
            "if_it_fails": used.if_it_fails.as_ref().map(if_it_fails),
        })
    };
    flow.models.iter().map(|used| (used.name.value.clone(), shown(used))).collect::<Map<_, _>>().into()
}

fn if_it_fails(fallback: &IfItFails) -> Json {
    match fallback {
        IfItFails::Answer(answer) => given_answer(answer),
        IfItFails::Model(model) => json!({"model": model.value}),
        IfItFails::Refer { outcome, reason } => json!({"outcome": outcome.value, "reason": reason.value}),
    }
}

/// The bare probability where nothing else is said.
fn given_answer(declared: &AnswerDeclaration) -> Json {
    let number = |number: &Option<Located<f64>>| number.as_ref().map(|number| number.value);
    let (probability, score) = (number(&declared.probability), number(&declared.score));
    if score.is_none() && declared.reasons.is_empty() {
        return json!(probability);
    }
    let reasons: Vec<&str> = declared.reasons.iter().map(|code| code.value.as_str()).collect();
    json!({ "probability": probability, "score": score, "reasons": reasons })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::declaration::{OnErrorDeclaration, ReasonDeclaration, ThresholdDeclaration};
    use crate::domain::place::{Located, Place};

    fn at<T>(value: T) -> Located<T> {
        Located::new(value, Place::default())
    }

    fn input(name: &str, kind: Kind, optional: bool, min: Option<&str>) -> InputDeclaration {
        InputDeclaration {
            name: at(name.to_owned()),
            kind,
            optional,
            min: min.map(|m| at(m.to_owned())),
            max: None,
            unit: None,
            personal: if name == "phone" { Personal::Mask } else { Personal::No },
        }
    }

    fn flow() -> FlowDeclaration {
        let choices: Arc<[crate::domain::value::Name]> = Arc::from(["own".into(), "rent".into()]);
        let threshold =
            |name: &str, literal| ThresholdDeclaration { name: at(name.to_owned()), literal: at(literal) };
        FlowDeclaration {
            name: at("loan".to_owned()),
            inputs: vec![
                input("age", Kind::Integer, false, Some("18")),
                input("amount", Kind::Decimal, false, Some("0.50")),
                input("housing", Kind::Choice(choices), false, None),
                input("phone", Kind::Text, true, None),
            ],
            protected: vec![(at("age".to_owned()), vec![])],
            thresholds: vec![
                threshold("max_default_risk", ThresholdLiteral::Number("0.45".to_owned())),
                threshold("spelt_longer", ThresholdLiteral::Number("0.60".to_owned())),
                threshold("exact", ThresholdLiteral::Number("0.10000000000000000000001".to_owned())),
                threshold("strict", ThresholdLiteral::Boolean(true)),
            ],
            outcomes: vec![at("approve".to_owned()), at("decline".to_owned())],
            reasons: vec![ReasonDeclaration {
                code: at("R1".to_owned()),
                texts: [("en".to_owned(), "Too high".to_owned())].into(),
                is_score: false,
                is_shared: false,
            }],
            on_error: OnErrorDeclaration { outcome: at("decline".to_owned()), reason: at("R1".to_owned()) },
            ..FlowDeclaration::blank()
        }
    }

    #[test]
    fn inputs_are_a_json_schema_with_inline_types() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&inputs_schema(&flow())).unwrap());
    }

    #[test]
    fn what_a_need_asks_for_may_be_sent_at_once_or_later() {
        let depth = Field { kind: Kind::Text, optional: false };
        let bureau = NeedDeclaration {
            name: at("bureau".to_owned()),
            of: vec![
                input("score", Kind::Integer, false, Some("0")),
                input("late", Kind::Integer, true, None),
            ],
            with: [("depth".into(), depth)].into(),
            optional: true,
        };
        let flow = FlowDeclaration { needs: vec![bureau], ..flow() };
        let of = json!({
            "type": "object", "required": ["score"], "additionalProperties": false,
            "properties": { "score": { "type": "integer", "minimum": 0 }, "late": { "type": "integer" } },
        });
        let mut sent = of.clone();
        sent["x-need"] = json!(true);
        let inputs = inputs_schema(&flow);
        assert_eq!(
            (&inputs["properties"]["bureau"], inputs["required"].as_array().unwrap().len()),
            (&sent, 3)
        );
        let asked = &needs(&flow)["bureau"];
        assert_eq!((&asked["of"], &asked["optional"]), (&of, &json!(true)));
        assert_eq!(asked["with"]["properties"], json!({ "depth": { "type": "string" } }));
    }

    #[test]
    fn thresholds_are_shown_as_written_to_the_last_digit() {
        let shown = thresholds(&flow());
        assert_eq!(
            shown.to_string(),
            r#"{"max_default_risk":0.45,"spelt_longer":0.6,"exact":"0.10000000000000000000001","strict":true}"#
        );
    }
}
