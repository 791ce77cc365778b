//! `config/tollgate.yaml`.

use serde_json::{Value as Json, json};

use super::{boolean, object, with, word};

fn or_default(mut schema: Json) -> Json {
    // A key without a value is one that is left out.
    if let Some(of) = schema.get_mut("type") {
        *of = json!([of.clone(), "null"]);
    }
    schema
}

fn text(description: &str) -> Json {
    or_default(json!({"type": "string", "description": description}))
}

fn whole(description: &str, least: i64, most: i64) -> Json {
    or_default(json!({"type": "integer", "minimum": least, "maximum": most, "description": description}))
}

fn example() -> Json {
    json!({
        "http": "127.0.0.1:8080", "data": "data", "rules": "rules", "models": "models", "durable": "local",
        "body_limit": 262_144, "log": {"filter": "info", "format": "text"},
        "queue": {"records": 16_384, "bytes": 67_108_864}, "release": {"require_cases": false},
        "retention": {"shipped_days": 1, "local_days": 0}, "needs": {"open_days": 7}, "shutdown_grace_s": 30,
    })
}

pub(super) fn config() -> Json {
    let keys = [
        ("http", text("address of the REST API; port 0 picks a free one")),
        ("grpc", text("address for gRPC; `off` for none")),
        ("models_only", or_default(boolean("models only, asked directly: no flow, no record"))),
        ("model_doors", word("who may ask models directly", &["keyed", "open"])),
        ("data", text("the folder of the record")),
        ("rules", text("the folder of the flows")),
        ("models", text("the folder of the models")),
        (
            "database_url",
            text("Postgres for all records; without a password: that goes into TOLLGATE_DATABASE_URL"),
        ),
        ("durable", word("what an answer waits for", &["local", "central", "memory"])),
        ("workers", whole("threads that serve requests", 1, 1024)),
        ("body_limit", whole("bytes of a request's body", 1024, 64 << 20)),
        (
            "log",
            object(
                "the log",
                &[
                    ("filter", text("`error`, `warn`, `info`, `debug`, `trace`, or directives")),
                    ("format", word("how lines are written", &["text", "json"])),
                ],
            ),
        ),
        (
            "queue",
            object(
                "what may wait to be recorded",
                &[
                    ("records", whole("decisions", 1, 10_000_000)),
                    ("bytes", whole("bytes", 1 << 20, 1 << 40)),
                ],
            ),
        ),
        (
            "release",
            object(
                "how rules come into force",
                &[("require_cases", boolean("a reload whose cases fail is refused"))],
            ),
        ),
        (
            "retention",
            object(
                "how long the local log keeps records",
                &[
                    ("shipped_days", whole("once Postgres has them", 1, 36_500)),
                    ("local_days", whole("without a Postgres; 0 for ever", 0, 36_500)),
                ],
            ),
        ),
        (
            "needs",
            object(
                "decisions that asked their caller for more",
                &[("open_days", whole("days that they may be continued", 1, 3650))],
            ),
        ),
        (
            "shutdown_grace_s",
            whole("seconds that requests may take to finish when the service stops", 0, 3600),
        ),
    ];
    let mut schema = with(object("How the service runs; every key may be left out", &keys), &[], example());
    if let Some(of) = schema.get_mut("type") {
        *of = json!(["object", "null"]);
    }
    sections_may_be_empty(&mut schema);
    schema
}

/// `log:` with nothing but comments below it is no mistake.
fn sections_may_be_empty(schema: &mut Json) {
    let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) else { return };
    for section in properties.values_mut() {
        if section.get("properties").is_some()
            && let Some(of) = section.get_mut("type")
        {
            *of = json!(["object", "null"]);
        }
    }
}
