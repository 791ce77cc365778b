//! JSON Schemas of the documents, for editors: what each key means, which there are, what they may hold. Draft 7,
//! which YAML editors know best. A schema is looser than the reader where a schema cannot say it; what it refuses is
//! wrong. Absent on purpose: reading a document, and the schema of a flow's facts (it is the flow's).

mod cases;
mod config;
mod flow;
mod models;
mod remote;
mod sets;

use serde_json::{Map, Value as Json, json};

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    Flow,
    Rules,
    Scorecard,
    Table,
    Market,
    Cases,
    Facts,
    Shared,
    Reasons,
    Model,
    Train,
    /// A model on other servers.
    Remote,
    Config,
}

impl DocumentKind {
    pub const ALL: &[Self] = &[
        Self::Flow,
        Self::Rules,
        Self::Scorecard,
        Self::Table,
        Self::Market,
        Self::Cases,
        Self::Facts,
        Self::Shared,
        Self::Reasons,
        Self::Model,
        Self::Train,
        Self::Remote,
        Self::Config,
    ];

    /// Its word: `tollgate schema --document WORD`, and the schema's file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Rules => "rules",
            Self::Scorecard => "scorecard",
            Self::Table => "table",
            Self::Market => "market",
            Self::Cases => "cases",
            Self::Facts => "facts",
            Self::Shared => "shared",
            Self::Reasons => "reasons",
            Self::Model => "model",
            Self::Train => "train",
            Self::Remote => "remote",
            Self::Config => "config",
        }
    }

    /// Which files are of this kind, from the folder that holds `rules/` and `models/`.
    #[must_use]
    pub fn files(self) -> &'static str {
        match self {
            Self::Flow => "rules/*/flow.yaml",
            Self::Rules => "rules/*/*.rules.yaml",
            Self::Scorecard => "rules/*/*.scorecard.yaml",
            Self::Table => "rules/*/*.table.yaml",
            Self::Market => "rules/*/markets/*.yaml",
            Self::Cases => "rules/*/cases/[!_]*.yaml",
            Self::Facts => "rules/*/cases/_facts.yaml",
            Self::Shared => "rules/_shared/shared.yaml",
            Self::Reasons => "rules/_shared/reasons.yaml",
            Self::Model => "models/*/model.yaml",
            Self::Train => "models/*/train.yaml",
            Self::Remote => "models/*/remote.yaml",
            Self::Config => "config/tollgate.yaml",
        }
    }

    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    /// The schema, with an example that has every key.
    #[must_use]
    pub fn schema(self) -> Json {
        let (title, body) = match self {
            Self::Flow => ("A flow's contract", flow::flow()),
            Self::Market => ("What differs in one market", flow::market()),
            Self::Reasons => ("Reasons that several flows use", flow::shared_reasons()),
            Self::Shared => ("What is said of shared lists", flow::shared()),
            Self::Rules => ("A rule set", sets::rules()),
            Self::Scorecard => ("A scorecard", sets::scorecard()),
            Self::Table => ("A decision table", sets::table()),
            Self::Cases => ("Cases: examples with their answers", cases::cases()),
            Self::Facts => ("Named sets of facts for cases", cases::facts()),
            Self::Model => ("The aliases of a model", models::model()),
            Self::Train => ("How a model is fitted", models::train()),
            Self::Remote => ("A model on other servers", remote::remote()),
            Self::Config => ("How the service runs", config::config()),
        };
        let mut schema = Map::new();
        schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        schema.insert("title".to_owned(), json!(title));
        schema.insert("$comment".to_owned(), json!(format!("For {}", self.files())));
        if let Json::Object(body) = body {
            schema.extend(body);
        }
        Json::Object(schema)
    }

    /// The schema as a file.
    #[must_use]
    pub fn text(self) -> String {
        let text = serde_json::to_string_pretty(&self.schema()).unwrap_or_default();
        format!("{text}\n")
    }
}

/// An object with these keys and no others. A key that ends in `!` is required.
fn object(description: &str, keys: &[(&str, Json)]) -> Json {
    let properties: Map<String, Json> =
        keys.iter().map(|(key, schema)| (key.trim_end_matches('!').to_owned(), schema.clone())).collect();
    let required: Vec<&str> = keys.iter().filter_map(|(key, _)| key.strip_suffix('!')).collect();
    let mut schema = json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "additionalProperties": false,
    });
    if let (Json::Object(schema), false) = (&mut schema, required.is_empty()) {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

/// An object whose keys are names of the author's choosing.
fn named(description: &str, of: Json) -> Json {
    json!({"type": "object", "description": description, "additionalProperties": of})
}

/// A name that scripts and conditions can read.
fn readable(description: &str, of: Json) -> Json {
    json!({
        "type": "object",
        "description": description,
        "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9_]{0,63}$"},
        "additionalProperties": of,
    })
}

fn list(description: &str, of: Json) -> Json {
    json!({"type": "array", "description": description, "items": of})
}

/// A name or sentence: YAML may read it as a number or boolean, the reader takes its text.
fn text(description: &str) -> Json {
    json!({"type": ["string", "number", "boolean"], "description": description})
}

/// A condition or formula.
fn expression(description: &str) -> Json {
    json!({"type": ["string", "number", "boolean"], "description": description})
}

fn number(description: &str) -> Json {
    json!({"type": "number", "description": description})
}

fn integer(description: &str) -> Json {
    json!({"type": "integer", "description": description})
}

fn boolean(description: &str) -> Json {
    json!({"type": "boolean", "description": description})
}

fn word(description: &str, words: &[&str]) -> Json {
    json!({"enum": words, "description": description})
}

/// With these parts referred to as `#/definitions/NAME`, and an example.
fn with(mut schema: Json, definitions: &[(&str, Json)], example: Json) -> Json {
    if let Json::Object(schema) = &mut schema {
        let definitions: Map<String, Json> =
            definitions.iter().map(|(name, of)| ((*name).to_owned(), of.clone())).collect();
        if !definitions.is_empty() {
            schema.insert("definitions".to_owned(), Json::Object(definitions));
        }
        schema.insert("examples".to_owned(), json!([example]));
    }
    schema
}

fn reference(name: &str) -> Json {
    json!({"$ref": format!("#/definitions/{name}")})
}
