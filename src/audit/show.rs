//! A record as JSON for people: tags undone, positions and digests added, personal values masked unless the reader
//! may see them. Absent: deciding who may.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::record::time_text;
use super::stored::{Record, Unreadable};
use crate::store::Stored;

/// Whether the reader may see personal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    Masked,
    Plain,
}

/// What stands in the place of a value that the reader may not see.
pub const MASK: &str = "***";

impl Record {
    /// The whole record, as `GET /v1/decisions/{id}` shows it.
    ///
    /// # Errors
    /// When the record is not of this program's form.
    pub fn show(&self, sight: Sight) -> Result<Value, Unreadable> {
        let public: Value =
            serde_json::from_str(&self.stored.row.public).map_err(|_| Unreadable("public part"))?;
        let Value::Object(public) = public else { return Err(Unreadable("public part")) };
        let mut shown = self.head()?;
        for (name, value) in &public {
            // `personal` says which names to mask; `texts` stand beside their reasons.
            if !shown.contains_key(name) && !matches!(name.as_str(), "personal" | "texts") {
                shown.insert(name.clone(), plain(value.clone()));
            }
        }
        match self.stored.row.personal.as_deref() {
            None => drop(shown.insert("erased".to_owned(), Value::Bool(true))),
            Some(text) => {
                let personal: Value = serde_json::from_str(text).map_err(|_| Unreadable("personal part"))?;
                let names = public.get("personal").and_then(Value::as_object);
                let names = names.map(|names| names.keys().cloned().collect()).unwrap_or_default();
                show_personal(&mut shown, personal, sight, names);
            }
        }
        shown.insert("log".to_owned(), place(&self.stored, &self.digest()));
        Ok(Value::Object(shown))
    }

    /// One line of a list of decisions.
    ///
    /// # Errors
    /// When the record is not of this program's form.
    pub fn summary(&self) -> Result<Value, Unreadable> {
        Ok(Value::Object(self.head()?))
    }

    fn head(&self) -> Result<Map<String, Value>, Unreadable> {
        let public = self.public()?;
        let reasons: Vec<Value> = self
            .reasons(&public)?
            .into_iter()
            .zip(1..)
            .map(|((code, text), rank)| match text {
                Some(text) => json!({ "code": code, "text": text, "rank": rank }),
                None => json!({ "code": code, "rank": rank }),
            })
            .collect();
        let mut head = Map::new();
        let mut put = |name: &str, value: Value| drop(head.insert(name.to_owned(), value));
        put("decision_id", json!(self.id()));
        put("state", json!("decided"));
        put("flow", json!(public.flow));
        put("market", json!(public.market));
        put("outcome", json!(public.outcome));
        put("reasons", Value::Array(reasons));
        put("reference", json!(public.reference));
        put("caller", json!(public.caller));
        put("revision", json!(public.revision));
        put("flow_revision", json!(public.flow_revision));
        put("decided_at", json!(public.decided_at));
        put("degraded", json!(public.degraded));
        put("durable", json!(public.durable));
        if let Some(first) = self.duplicate_of() {
            put("duplicate_of", json!(first));
        }
        Ok(head)
    }
}

pub(super) fn place(stored: &Stored, digest: &[u8]) -> Value {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    json!({
        "node": stored.position.node,
        "epoch": stored.position.epoch,
        "sequence": stored.position.sequence,
        "recorded_at": time_text(stored.position.recorded_us),
        "digest": format!("sha256:{}", hex(digest)),
        "commitment": hex(&stored.row.commitment),
        "leaf": hex(&stored.row.leaf),
        "previous": hex(&stored.previous),
        "chain": hex(&stored.chain),
    })
}

pub(super) fn show_personal(
    shown: &mut Map<String, Value>,
    personal: Value,
    sight: Sight,
    names: BTreeSet<String>,
) {
    let Value::Object(mut personal) = personal else { return };
    let mut take = |name: &str| personal.remove(name).unwrap_or_default();
    let (mut facts, mut features, trace, scores, output) =
        (take("facts"), take("features"), take("trace"), take("scores"), take("output"));
    let trace = with_values(trace, &features);
    let (masked, trace) = match sight {
        Sight::Plain => (BTreeSet::new(), trace),
        Sight::Masked => mask_trace(names, trace),
    };
    mask(&mut facts, &masked);
    mask(&mut features, &masked);
    shown.insert("facts".to_owned(), plain(facts));
    shown.insert("features".to_owned(), plain(features));
    shown.insert("output".to_owned(), plain(output));
    let entries = scores.as_object().into_iter().flatten();
    let (rounded, bits): (Map<_, _>, Map<_, _>) = entries
        .map(|(name, score)| {
            let part = |part: &str| (name.clone(), score.get(part).cloned().unwrap_or_default());
            (part("rounded"), part("bits"))
        })
        .unzip();
    shown.insert("scores".to_owned(), Value::Object(rounded));
    shown.insert("score_bits".to_owned(), Value::Object(bits));
    shown.insert("trace".to_owned(), plain(trace));
    if sight == Sight::Masked {
        shown.insert("masked".to_owned(), json!(masked));
    }
}

/// The trace with the value of each computed feature, which is stored once, beside it, and with the results of
/// rules that missed, which are stored as bare ids.
fn with_values(mut trace: Value, features: &Value) -> Value {
    for step in trace.as_array_mut().into_iter().flatten() {
        for rule in step.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::String(id) = rule {
                *rule = json!({ "id": id, "result": "miss" });
            }
        }
        let Some(name) = step.get("feature").and_then(Value::as_str) else { continue };
        let value = features.get(name).cloned().unwrap_or_default();
        if let Some(step) = step.as_object_mut() {
            step.insert("value".to_owned(), value);
        }
    }
    trace
}

/// Masks the features that were computed from a masked name, and says which names those are: in a trace a feature
/// stands behind everything that it reads, so one pass finds them all.
fn mask_trace(mut masked: BTreeSet<String>, mut trace: Value) -> (BTreeSet<String>, Value) {
    for step in trace.as_array_mut().into_iter().flatten() {
        let Some(step) = step.as_object_mut() else { continue };
        if let Some(need) = step.get("need").and_then(Value::as_str).map(str::to_owned) {
            if masked.contains(&need) {
                step.insert("answer".to_owned(), json!(MASK));
            }
            step.get_mut("with").into_iter().for_each(super::part::mask_all);
        }
        let reads_masked = step
            .get("reads")
            .and_then(Value::as_array)
            .is_some_and(|reads| reads.iter().filter_map(Value::as_str).any(|name| masked.contains(name)));
        let Some(name) = step.get("feature").and_then(Value::as_str).map(str::to_owned) else { continue };
        if reads_masked {
            masked.insert(name);
            step.insert("value".to_owned(), json!(MASK));
        }
    }
    (masked, trace)
}

fn mask(values: &mut Value, masked: &BTreeSet<String>) {
    for (name, value) in values.as_object_mut().into_iter().flatten() {
        if masked.contains(name) {
            *value = json!(MASK);
        }
    }
}

/// Stored JSON without its tags: integers and numbers as they were written where JSON can hold them, else as text.
#[must_use]
pub fn plain(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Value::Object(entries) => {
            if let (1, Some((name, inner))) = (entries.len(), entries.iter().next()) {
                match (name.as_str(), inner) {
                    ("$integer" | "$number", Value::String(text)) => return number(text),
                    ("$unread", Value::Bool(true)) => return json!({ "state": "unread" }),
                    ("$failed", Value::Bool(true)) => return json!({ "state": "failed" }),
                    _ => {}
                }
            }
            let untagged = |(name, item): (String, Value)| match name.strip_prefix('$') {
                Some(rest) => (rest.to_owned(), plain(item)),
                None => (name, plain(item)),
            };
            Value::Object(entries.into_iter().map(untagged).collect())
        }
        other => other,
    }
}

fn number(text: &str) -> Value {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => Value::from(number),
        _ => Value::from(text),
    }
}
