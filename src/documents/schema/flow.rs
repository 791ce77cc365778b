//! `flow.yaml`, `markets/NAME.yaml`, and what `rules/_shared/` declares.

use serde_json::{Value as Json, json};

use super::{boolean, expression, integer, list, named, object, readable, reference, text, with, word};

/// Words of the types that need no `of:`.
const PLAIN: &[&str] = &["text", "integer", "decimal", "number", "boolean", "date", "time"];
const TYPES: &[&str] =
    &["text", "integer", "decimal", "number", "boolean", "date", "time", "choice", "list", "map"];

/// What `min` and `max` say: a number, or a day or moment as a text.
fn bound(description: &str) -> Json {
    let moment = json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}"});
    json!({"anyOf": [{"type": "number"}, moment], "description": description})
}

/// The types, as other documents refer to them.
pub(super) fn types() -> Vec<(&'static str, Json)> {
    let of = json!({
        "description": "what a choice, list or map holds",
        "anyOf": [
            {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1},
            reference("field"),
        ],
    });
    let field = json!({
        "description": "a type: short (`decimal`), long (`{ type: decimal }`), or the fields of a map",
        "anyOf": [
            {"enum": PLAIN},
            object("a type", &[
                ("type!", word("the type", TYPES)),
                ("of", of.clone()),
                ("optional", boolean("may be left out")),
            ]),
            {"type": "object", "not": {"required": ["type"]}, "additionalProperties": reference("field")},
        ],
    });
    let input = json!({
        "description": "an input: its type, or its type and more",
        "anyOf": [{"enum": PLAIN}, object("an input", &[
            ("type!", word("the type", TYPES)),
            ("of", of.clone()),
            ("optional", boolean("callers may leave it out; it is missing then, never 0 or false")),
            ("min", bound("the least, included")),
            ("max", bound("the greatest, included")),
            ("unit", text("what it is counted in; for people")),
            ("personal", word("`key` identifies a person and is searched by keyed hash; `mask` is shown masked", &["key", "mask"])),
        ])],
    });
    let output = json!({
        "description": "an output: its type, or its type and more",
        "anyOf": [{"enum": PLAIN}, object("an output", &[
            ("type!", word("the type", TYPES)),
            ("of", of),
            ("optional", boolean("an approval may go without it")),
            ("min", bound("the least, included")),
            ("max", bound("the greatest, included")),
            ("unit", text("what it is counted in; for people")),
        ])],
    });
    vec![("field", field), ("input", input), ("output", output)]
}

fn inputs() -> Json {
    readable("what a caller may send", reference("input"))
}

fn features() -> Json {
    readable(
        "derived once per request, in this order: `name: formula`",
        expression("a formula over inputs, thresholds and earlier features"),
    )
}

fn thresholds() -> Json {
    readable(
        "the numbers that people tune; a market may override them",
        json!({"type": ["number", "boolean", "string"]}),
    )
}

fn models() -> Json {
    let long = object(
        "a model, and what to do without it",
        &[("use!", text("`model@alias` or `model@version`")), ("if_it_fails", if_it_fails())],
    );
    readable(
        "models by the name that scripts use",
        json!({"anyOf": [{"type": "string", "description": "`model@alias` or `model@version`"}, long]}),
    )
}

/// What stands in for an answer that does not come: one of three.
fn if_it_fails() -> Json {
    let probability = json!({"type": "number", "minimum": 0, "maximum": 1});
    json!({
        "description": "what stands in for an answer that does not come",
        "anyOf": [
            object(
                "this answer; a probability or a score must be there",
                &[
                    ("probability", probability),
                    ("score", json!({"type": "number", "description": "what `.score` gives"})),
                    ("reasons", list("what `.reasons` gives", text("a declared reason"))),
                ],
            ),
            object("what another model of this flow answers", &[("model!", text("its name in `models:`"))]),
            outcome_and_reason("this outcome is recorded, and the script ends where it reads the answer"),
        ],
    })
}

fn outcome_and_reason(description: &str) -> Json {
    object(description, &[("outcome!", text("a declared outcome")), ("reason!", text("a declared reason"))])
}

fn on_error() -> Json {
    outcome_and_reason("recorded when a step cannot be evaluated, or not in time; not the mildest outcome")
}

fn on_invalid() -> Json {
    json!({
        "description": "for facts of the right type that are out of range",
        "anyOf": [{"enum": ["refuse"]}, outcome_and_reason("record this instead of refusing")],
    })
}

fn deadline() -> Json {
    json!({
        "type": "integer", "minimum": 1, "maximum": 60000,
        "description": "milliseconds that gathering what is remote may take",
    })
}

fn languages() -> Json {
    list("languages that every reason must have a text in, as `en` or `pt-BR`", json!({"type": "string"}))
}

fn reasons(description: &str) -> Json {
    let reason = json!({
        "type": "object",
        "description": "its text in each language",
        "minProperties": 1,
        "properties": {"kind": word("`score`: says only that a score was too high or low", &["score"])},
        "patternProperties": {"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$": text("what a person is told")},
        "additionalProperties": false,
    });
    named(description, reason)
}

fn lists() -> Json {
    let one = object(
        "how entries meet what is looked up",
        &[
            (
                "match",
                word(
                    "exactly, as its beginning, or as a domain and all below it",
                    &["exact", "prefix", "domain"],
                ),
            ),
            (
                "fold",
                list(
                    "differences that do not count",
                    word("case, or Unicode's ways to write one letter", &["case", "unicode"]),
                ),
            ),
            ("separator", word("between the columns of the file", &[",", ";", "tab"])),
            (
                "leading_zeros",
                word(
                    "`none`: no entry begins with 0, so that lost ones are not looked for",
                    &["none", "kept"],
                ),
            ),
            ("managed", boolean("not yet: changed over the API, without a release")),
            ("personal", boolean("only of managed lists")),
        ],
    );
    readable("what is said of `NAME.list.csv` beside it", one)
}

fn needs() -> Json {
    let one = object(
        "what the script may ask the caller for",
        &[
            ("of!", readable("what the caller answers with", reference("input"))),
            ("with", readable("what the question says", reference("field"))),
            ("optional", boolean("the caller may answer that there is none")),
        ],
    );
    readable("what is costly or comes later: `need(\"bureau\")`", one)
}

pub(super) fn flow() -> Json {
    let keys = [
        ("flow!", text("the name of the folder")),
        ("title", text("for people")),
        ("owner", text("who answers for it")),
        ("subject", text("the input that says whom the decision is about")),
        ("time_zone", text("what `today` and hours mean, as `Europe/Berlin`; UTC if left out")),
        ("market", word("`required`: every request names a market", &["required"])),
        ("languages", languages()),
        ("inputs!", inputs()),
        ("unknown_inputs", word("what happens with facts that are not declared", &["refuse", "record"])),
        (
            "protected",
            readable(
                "inputs that may be read in the named rule sets and nowhere else",
                object("where it may be read", &[("only_in!", list("rule sets", text("a rule set")))]),
            ),
        ),
        ("features", features()),
        ("thresholds", thresholds()),
        ("models", models()),
        ("lists", lists()),
        ("needs", needs()),
        ("outputs", readable("what an approval carries", reference("output"))),
        (
            "outcomes!",
            json!({"type": "array", "description": "mildest first", "items": text("an outcome"), "minItems": 2}),
        ),
        ("reasons", reasons("reason codes and what a person is told")),
        ("on_error!", on_error()),
        ("on_invalid", on_invalid()),
        ("deadline_ms", deadline()),
        ("properties", properties()),
    ];
    let example = json!({
        "flow": "personal_loan", "title": "Personal loan", "owner": "credit-risk", "subject": "applicant_id",
        "time_zone": "Europe/Berlin", "languages": ["en"],
        "inputs": {
            "applicant_id": {"type": "text", "optional": true, "personal": "key"},
            "age": {"type": "integer", "min": 0, "max": 120, "unit": "years"},
            "accounts": {"type": "list", "of": {"balance": "decimal", "opened_on": {"type": "date", "optional": true}}, "optional": true},
        },
        "unknown_inputs": "refuse", "protected": {"age": {"only_in": ["knockout"]}},
        "features": {"is_adult": "age >= min_age"},
        "thresholds": {"min_age": 18},
        "models": {"default_risk": {"use": "german_credit@champion", "if_it_fails": {"probability": 0.5}}},
        "lists": {"blocked": {"match": "exact", "fold": ["case"]}},
        "needs": {"bureau": {"of": {"score": "integer"}, "with": {"depth": "text"}, "optional": true}},
        "outputs": {"apr": {"type": "decimal", "optional": true, "min": 0}},
        "outcomes": ["approve", "review", "decline"],
        "reasons": {"R101": {"en": "Under the minimum age"}, "R900": {"en": "Needs a manual look", "kind": "score"}},
        "on_error": {"outcome": "review", "reason": "R900"},
        "on_invalid": {"outcome": "review", "reason": "R900"},
        "deadline_ms": 50,
        "properties": [
            {"more": "age", "never": "stricter", "why": "the older, the more experienced"},
            {"more": "age", "never": {"higher": "apr"}},
            {"when": "age < min_age", "always": "outcome == \"decline\"", "why": "nobody under age"},
            {"ignores": ["applicant_id"], "why": "an id says nothing"},
        ],
    });
    with(object("One flow: inputs, features, thresholds, outcomes, reasons", &keys), &types(), example)
}

/// What is claimed of all answers: one of three forms a line.
fn properties() -> Json {
    let why = ("why", text("why it must be so, for whoever meets a violation"));
    let output = |description: &str| text(description);
    let never = json!({
        "description": "what must not become of the answer",
        "anyOf": [
            {"enum": ["stricter", "milder"]},
            object("an output must not become higher", &[("higher!", output("the output"))]),
            object("an output must not become lower", &[("lower!", output("the output"))]),
        ],
    });
    let monotone = object(
        "more of something never makes the answer so",
        &[
            ("more!", text("an input, a field of one, a field of a need (`bureau.score`), or a model")),
            ("never!", never),
            why.clone(),
        ],
    );
    let always = object(
        "a condition that every answer fulfils",
        &[
            ("when", expression("only where this holds")),
            (
                "always!",
                expression("a condition over facts and answer: `outcome`, `output.apr`, `score.risk`"),
            ),
            why.clone(),
        ],
    );
    let ignores = object(
        "facts that make no difference to the answer",
        &[("ignores!", list("inputs", text("an input"))), why],
    );
    let property = json!({"anyOf": [monotone, always, ignores]});
    list("what must be true of all answers; `tollgate test` tries to break it", property)
}

pub(super) fn market() -> Json {
    let instead = |what: &str| {
        named(&format!("another {what} in the place of one: `knockout: knockout_mx`"), text("its name"))
    };
    let also = json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]});
    let keys = [
        ("market!", text("the name of the file")),
        ("time_zone", text("what `today` and hours mean here")),
        ("languages", languages()),
        ("inputs", inputs()),
        ("features", features()),
        ("thresholds", thresholds()),
        ("models", models()),
        ("outputs", readable("other limits of an output", reference("output"))),
        ("reasons", reasons("other texts, and reasons of this market")),
        ("on_error", on_error()),
        ("on_invalid", on_invalid()),
        ("deadline_ms", deadline()),
        ("rules", instead("rule set")),
        ("scorecards", instead("scorecard")),
        ("tables", instead("table")),
        ("lists", instead("list")),
        ("rules_also", named("more rule sets behind one: `knockout: [curp_checks]`", also)),
    ];
    let example = json!({
        "market": "mx", "time_zone": "America/Mexico_City", "languages": ["es", "en"],
        "thresholds": {"min_age": 21},
        "inputs": {"curp": {"type": "text", "personal": "key", "optional": true}},
        "rules": {"knockout": "knockout_mx"}, "rules_also": {"knockout": ["curp_checks"]},
        "on_error": {"outcome": "decline", "reason": "R900"},
    });
    with(object("One market: what differs from the flow", &keys), &types(), example)
}

pub(super) fn shared() -> Json {
    let schema = object("What is said of the lists in `rules/_shared/`", &[("lists", lists())]);
    with(schema, &[], json!({"lists": {"blocked": {"match": "prefix", "separator": ";"}}}))
}

pub(super) fn shared_reasons() -> Json {
    let schema = reasons("reason codes that several flows use, and what a person is told");
    with(schema, &[], json!({"R801": {"en": "This account is blocked", "es": "Esta cuenta está bloqueada"}}))
}

/// Types of values that a call hands over.
pub(super) fn takes() -> Json {
    readable(
        "values that the call hands over: `rules(\"knockout\", #{ default_risk: risk })`",
        reference("field"),
    )
}

/// A whole number of points.
pub(super) fn points() -> Json {
    integer("points, a whole number")
}
