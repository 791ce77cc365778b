//! `cases/*.yaml` and `cases/_facts.yaml`.

use serde_json::{Value as Json, json};

use super::{boolean, list, named, number, object, reference, text, with};

fn facts_of(description: &str) -> Json {
    json!({"type": "object", "description": description})
}

fn moment() -> Json {
    json!({
        "type": "string",
        "description": "`decided_at`: a moment with its offset from UTC",
        "examples": ["2026-02-28T23:59:00-06:00"],
    })
}

fn expectation() -> Json {
    let score = json!({"anyOf": [
        {"type": "number"},
        object("about this", &[("is!", number("the score")), ("within!", number("and by how much it may differ"))]),
    ]});
    let need = json!({"anyOf": [
        text("a need"),
        named("a need, and what it is asked with", facts_of("values that must be equal")),
    ]});
    object(
        "what must come out; what is not named may be anything",
        &[
            ("outcome", text("the outcome")),
            ("reasons", list("all of the reasons, in order", text("a reason"))),
            ("reasons_include", list("reasons that must be among them", text("a reason"))),
            ("output", facts_of("outputs that must be equal")),
            ("scores", named("the probability of a model, or the points of a scorecard", score)),
            ("degraded", boolean("whether something failed")),
            (
                "failed",
                list(
                    "every step that fails, in any order",
                    text(
                        "a step: `feature burden`, `rule heavy in knockout`, `model default_risk`, `table pricing`, `scorecard application`, `flow.rhai`",
                    ),
                ),
            ),
            ("needs", list("what the flow asks the caller for, instead of deciding", need)),
        ],
    )
}

pub(super) fn cases() -> Json {
    let probability = json!({"type": "number", "minimum": 0, "maximum": 1});
    let answer = object(
        "more of an answer; a probability or a score must be there",
        &[
            ("probability", probability.clone()),
            ("score", json!({"type": "number", "description": "what `.score` gives"})),
            ("reasons", list("what `.reasons` gives", text("a reason"))),
            ("contributions", json!({"type": "object", "additionalProperties": {"type": "number"}})),
        ],
    );
    let pin = json!({"anyOf": [probability, {"enum": ["fails"]}, answer]});
    let case = object(
        "one example",
        &[
            ("case!", text("what it shows, as a sentence")),
            ("like", text("a set of facts of `cases/_facts.yaml` to start from")),
            ("at", moment()),
            ("given", facts_of("facts; they replace those of `like`")),
            ("without", list("facts that are left out", text("an input"))),
            ("models", named("what a model answers: a probability, or `fails`", pin)),
            ("lists", named("entries that a list has in this case", list("entries", text("an entry")))),
            ("expect!", reference("expectation")),
            (
                "generated",
                boolean("written by `tollgate test --generate`; removed by whoever has confirmed the answer"),
            ),
            (
                "market",
                json!({
                    "description": "a market, several, or `all`; `base` if left out",
                    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
                }),
            ),
            ("in", named("where a market differs", reference("expectation"))),
        ],
    );
    let keys = [
        ("like", text("for every case of this file that does not say otherwise")),
        ("at", moment()),
        ("cases!", list("the cases", case)),
    ];
    let example = json!({
        "like": "good_applicant", "at": "2026-02-28T23:59:00-06:00",
        "cases": [{
            "case": "a minor is declined whatever the score", "given": {"age": 17}, "without": ["phone"],
            "models": {"default_risk": 0.01, "fraud": {"score": 1.5, "reasons": ["R201"], "contributions": {"age": 1.0}}},
            "generated": true, "lists": {"blocked": ["x"]}, "market": "all",
            "expect": {
                "outcome": "decline", "reasons": ["R101"], "reasons_include": ["R101"], "output": {},
                "scores": {"default_risk": {"is": 0.01, "within": 0.001}}, "degraded": false, "failed": [],
            },
            "in": {"mx": {"reasons": ["R101", "R310"]}},
        }],
    });
    with(
        object("Examples with the answers that they must get", &keys),
        &[("expectation", expectation())],
        example,
    )
}

pub(super) fn facts() -> Json {
    let schema = named("sets of facts by name; cases start from them with `like:`", facts_of("facts"));
    with(schema, &[], json!({"good_applicant": {"age": 35, "amount": 2000}}))
}
