//! `remote.yaml`.

use serde_json::{Value as Json, json};

use super::{object, text, with, word};

fn whole(description: &str, least: u64, most: u64) -> Json {
    json!({"type": "integer", "minimum": least, "maximum": most, "description": description})
}

/// A part that may be left out with `off`.
fn unless_off(body: Json) -> Json {
    json!({"anyOf": [{"enum": ["off"]}, body]})
}

fn servers() -> Json {
    let named = object(
        "every address that a name has",
        &[
            ("at!", text("`http://name:port` or `https://name:port`")),
            ("every_s", whole("seconds between two look-ups; 10 if left out", 1, 3600)),
        ],
    );
    let listed = json!({
        "type": "array", "minItems": 1, "maxItems": 256,
        "items": {"type": "string", "description": "`http://host:port` or `https://host:port`"},
    });
    json!({"description": "where it answers", "anyOf": [listed, named]})
}

fn inputs() -> Json {
    let kinds = ["number", "decimal", "integer", "boolean", "text"];
    let long = object(
        "an input, and how it is sent",
        &[
            ("type!", word("its type; a choice is a text", &kinds)),
            (
                "send_as",
                word("the datatype of its tensor", &["fp64", "fp32", "int64", "int32", "bool", "bytes"]),
            ),
            (
                "if_missing",
                json!({
                    "type": ["string", "number", "boolean"],
                    "description": "sent when it is missing; `nan` for numbers; without it nobody is asked",
                }),
            ),
        ],
    );
    json!({
        "type": "object", "minProperties": 1, "maxProperties": 1000,
        "description": "the flow's inputs and features that it reads, in the order of a matrix",
        "additionalProperties": {"anyOf": [{"enum": kinds}, long]},
    })
}

fn layout() -> Json {
    let matrix =
        object("all inputs in one tensor of shape [1, n]", &[("matrix!", text("the tensor's name"))]);
    json!({
        "description": "how inputs become tensors: `vectors` of shape [1] if left out, `columns` of [1, 1], or a matrix",
        "anyOf": [{"enum": ["vectors", "columns"]}, matrix],
    })
}

fn retries() -> Json {
    unless_off(object(
        "how often another try follows a failed one",
        &[
            ("most", whole("for one answer; 2 if left out", 0, 10)),
            ("percent", whole("of all answers within ten seconds; 20 if left out", 0, 1000)),
            ("always_per_s", whole("retries a second that are always allowed; 10 if left out", 0, 10_000)),
        ],
    ))
}

fn health() -> Json {
    unless_off(object(
        "servers are asked whether they are ready",
        &[
            ("every_ms", whole("2000 if left out", 50, 600_000)),
            ("within_ms", whole("1000 if left out", 1, 60_000)),
            ("after", whole("failed checks in a row until it gets no requests; 2 if left out", 1, 100)),
        ],
    ))
}

fn ejection() -> Json {
    unless_off(object(
        "a server that fails request after request gets none for a while",
        &[
            ("after", whole("failures in a row; 5 if left out", 1, 1000)),
            ("pause_ms", whole("longer each time in a row; 10000 if left out", 50, 3_600_000)),
            ("most_percent", whole("of the servers that may be out; 50 if left out", 1, 100)),
        ],
    ))
}

fn breaker() -> Json {
    unless_off(object(
        "when most answers fail, none is awaited for a while",
        &[
            ("failures_percent", whole("50 if left out", 1, 100)),
            ("calls", whole("answers within the window before it may open; 20 if left out", 1, 100_000)),
            ("within_ms", whole("the window; 10000 if left out", 100, 600_000)),
            ("pause_ms", whole("until one is let through to try; 5000 if left out", 50, 3_600_000)),
        ],
    ))
}

pub(super) fn remote() -> Json {
    let name = |description: &str| json!({"type": ["string", "integer"], "description": description});
    let keys = [
        ("title", text("for people")),
        ("protocol!", word("what the servers speak", &["oip", "tensorflow_serving"])),
        ("over", word("`http` if left out", &["http", "grpc"])),
        ("servers!", servers()),
        ("model!", name("its name there")),
        ("version", name("the version that is asked for; the server's own choice if left out")),
        (
            "aliases",
            json!({
                "type": "object", "additionalProperties": name("a version there"),
                "description": "names of versions there: flows say `model@champion`",
            }),
        ),
        ("signature", text("of TensorFlow Serving")),
        ("inputs!", inputs()),
        ("layout", layout()),
        (
            "output",
            object(
                "which part of the answer is the probability",
                &[
                    ("tensor", text("the output's name; the only one if left out")),
                    ("at", whole("0-based among its elements; the only one if left out", 0, 100_000)),
                ],
            ),
        ),
        ("decimals", whole("to which flows see the probability; 6 if left out", 1, 12)),
        ("fetch", word("`lazy` if left out", &["early", "lazy"])),
        ("deadline_ms", whole("for one answer, retries included; 500 if left out", 1, 60_000)),
        ("attempt_ms", whole("for one try; half of the deadline if left out", 1, 60_000)),
        ("retries", retries()),
        ("most_at_once", whole("answers awaited at the same time; 256 if left out", 1, 100_000)),
        ("health", health()),
        ("ejection", ejection()),
        ("breaker", breaker()),
        ("key_from", text("the environment variable, `REMOTE_KEY_…`, that holds the servers' key")),
    ];
    with(object("A model that answers on other servers", &keys), &[], example())
}

/// A declaration with every key.
fn example() -> Json {
    json!({
        "title": "Fraud, of the fraud team", "protocol": "tensorflow_serving", "over": "grpc",
        "servers": {"at": "https://models.internal:8500", "every_s": 10},
        "model": "fraud", "version": 3, "aliases": {"champion": 3, "challenger": 4},
        "signature": "serving_default",
        "inputs": {
            "amount": {"type": "decimal", "send_as": "fp32", "if_missing": "nan"},
            "duration_months": {"type": "integer", "send_as": "fp32", "if_missing": 0},
        },
        "layout": {"matrix": "features"},
        "output": {"tensor": "probabilities", "at": 1},
        "decimals": 6, "fetch": "early", "deadline_ms": 40, "attempt_ms": 15,
        "retries": {"most": 2, "percent": 20, "always_per_s": 10},
        "most_at_once": 64,
        "health": {"every_ms": 2000, "within_ms": 500, "after": 2},
        "ejection": {"after": 5, "pause_ms": 10000, "most_percent": 50},
        "breaker": {"failures_percent": 50, "calls": 20, "within_ms": 10000, "pause_ms": 5000},
        "key_from": "REMOTE_KEY_FRAUD",
    })
}
