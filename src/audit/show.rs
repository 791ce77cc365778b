//! A record as JSON for people: tags undone, positions and digests added, personal values masked unless the reader
//! may see them. Absent: deciding who may.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::gathered;
use super::json::Json;
use super::record::time_text;
use super::stored::{Record, Unreadable};
use super::verdict::trace;
use crate::domain::value::Name;
use crate::domain::verdict::Verdict;
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

    /// Names whose values only those see who may see personal ones: facts, and features computed from them.
    ///
    /// # Errors
    /// When the record is not of this program's form.
    pub fn masked(&self) -> Result<BTreeSet<String>, Unreadable> {
        let shown = self.show(Sight::Masked)?;
        let names = shown.get("masked").and_then(Value::as_array).into_iter().flatten();
        Ok(names.filter_map(Value::as_str).map(str::to_owned).collect())
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

/// The same names of an evaluation that was not recorded; `personal` are those that its flow declares.
#[must_use]
pub fn masked_names(personal: impl Iterator<Item = Name>, verdict: &Verdict) -> BTreeSet<String> {
    let mut json = Json::with_capacity(2048);
    trace(&mut json, &verdict.trace);
    let mut steps = serde_json::from_str(&json.into_text()).unwrap_or_default();
    mask_trace(personal.map(|name| name.to_string()).collect(), &mut steps)
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
    let (mut trace, gathered_own) = (trace, take("gathered"));
    with_values(&mut trace, &features, "");
    let masked = match sight {
        Sight::Plain => BTreeSet::new(),
        Sight::Masked => mask_trace(names, &mut trace),
    };
    gathered::show(shown, &gathered_own, &masked);
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

/// Adds to the trace the value of each computed feature, which is stored once, beside it, and the results of rules that
/// missed, which are stored as bare ids. What other flows computed is stored under `prefix`.
fn with_values(trace: &mut Value, features: &Value, prefix: &str) {
    let mut calls = Calls::default();
    for step in trace.as_array_mut().into_iter().flatten() {
        for rule in step.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::String(id) = rule {
                *rule = json!({ "id": id, "result": "miss" });
            }
        }
        if let Some((flow, inner)) = sub_flow(step) {
            with_values(inner, features, &format!("{prefix}{}.", calls.next(&flow)));
            continue;
        }
        let Some(name) = step.get("feature").and_then(Value::as_str) else { continue };
        let value = features.get(format!("{prefix}{name}")).cloned().unwrap_or_default();
        if let Some(step) = step.as_object_mut() {
            step.insert("value".to_owned(), value);
        }
    }
}

/// The step of another flow: its name, and the trace inside.
fn sub_flow(step: &mut Value) -> Option<(String, &mut Value)> {
    let flow = step.get("flow")?.as_str()?.to_owned();
    Some((flow, step.get_mut("trace")?))
}

/// How often each flow was asked: what a second call with other facts gave stands under `fraud_check#2.`.
#[derive(Default)]
struct Calls(BTreeMap<String, usize>);

impl Calls {
    fn next(&mut self, flow: &str) -> String {
        let count = self.0.entry(flow.to_owned()).or_default();
        *count += 1;
        if *count == 1 { flow.to_owned() } else { format!("{flow}#{count}") }
    }
}

/// Masks what was computed from a masked name, and says which names those are: in a trace a feature stands behind
/// everything that it reads, so one pass finds them all.
fn mask_trace(names: BTreeSet<String>, trace: &mut Value) -> BTreeSet<String> {
    let mut masking = Masking { found: names.clone(), names: &names };
    masking.steps(trace, ("", ""), names.clone());
    masking.found
}

struct Masking<'n> {
    /// As the record says: those of another flow under its name, `fraud_check.phone`.
    names: &'n BTreeSet<String>,
    /// With the features that were computed from them, under the names that the record has for them.
    found: BTreeSet<String>,
}

impl Masking<'_> {
    /// `way` leads to the flow whose trace this is, by flows and by calls of them; `masked` has its own names.
    fn steps(&mut self, trace: &mut Value, way: (&str, &str), mut masked: BTreeSet<String>) {
        let (flows, prefix) = way;
        let mut calls = Calls::default();
        for step in trace.as_array_mut().into_iter().flatten() {
            if let Some((flow, inner)) = sub_flow(step) {
                let below = format!("{flows}{flow}.");
                let prefix = format!("{prefix}{}.", calls.next(&flow));
                // Its own, and what it was given under the name that it has here.
                let own = self.names.iter().filter_map(|name| name.strip_prefix(&below)).map(str::to_owned);
                let inner_masked = masked.iter().cloned().chain(own).collect();
                self.steps(inner, (&below, &prefix), inner_masked);
                continue;
            }
            let Some(step) = step.as_object_mut() else { continue };
            let reads_masked = step.get("reads").and_then(Value::as_array).is_some_and(|reads| {
                reads.iter().filter_map(Value::as_str).any(|name| masked.contains(name))
            });
            if let Some(need) = step.get("need").and_then(Value::as_str).map(str::to_owned) {
                if masked.contains(&need) {
                    step.insert("answer".to_owned(), json!(MASK));
                }
                step.get_mut("with").into_iter().for_each(super::part::mask_all);
            } else if step.contains_key("model") {
                mask_model(step, &masked);
            } else if step.contains_key("table") && reads_masked {
                step.get_mut("output").into_iter().for_each(super::part::mask_all);
            } else if let Some(name) = step.get("feature").and_then(Value::as_str).map(str::to_owned)
                && reads_masked
            {
                self.found.insert(format!("{prefix}{name}"));
                masked.insert(name);
                step.insert("value".to_owned(), json!(MASK));
            }
        }
    }
}

/// What a model's step says of masked inputs. Of an explanation all that is said of one input goes when another is
/// masked, for they add up to the score.
fn mask_model(step: &mut Map<String, Value>, masked: &BTreeSet<String>) {
    for note in step.get_mut("inputs").and_then(Value::as_array_mut).into_iter().flatten() {
        if note.get("input").and_then(Value::as_str).is_some_and(|input| masked.contains(input)) {
            mask(note, &["is", "taken", "value"].map(str::to_owned).into());
        }
    }
    let Some(explanation) = step.get_mut("explanation") else { return };
    let Some(contributions) = explanation.get_mut("contributions") else { return };
    if !contributions.as_object().is_some_and(|all| all.keys().any(|input| masked.contains(input))) {
        return;
    }
    super::part::mask_all(contributions);
    for reason in explanation.get_mut("reasons").and_then(Value::as_array_mut).into_iter().flatten() {
        mask(reason, &["weight".to_owned()].into());
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_says_of_a_masked_input_is_masked_and_nothing_can_be_added_up() {
        let mut json = Json::with_capacity(2048);
        trace(&mut json, &super::super::sample::verdict().trace);
        let plain: Value = serde_json::from_str(&json.into_text()).unwrap();
        let model = |trace: &Value| trace.as_array().unwrap()[3].clone();
        let masked = |names: &[&str]| {
            let mut shown = plain.clone();
            mask_trace(names.iter().map(|name| (*name).to_owned()).collect(), &mut shown);
            model(&shown)
        };
        assert_eq!(masked(&["phone"]), model(&plain));
        assert_eq!(model(&plain)["explanation"]["contributions"], json!({ "amount": 0.25, "burden": 0.5 }));
        let shown = masked(&["amount"]);
        let explanation = &shown["explanation"];
        assert_eq!(explanation["contributions"], json!({ "amount": MASK, "burden": MASK }), "{shown}");
        assert_eq!(explanation["reasons"], json!([{ "code": "R201", "weight": MASK }]));
        let note = json!({ "input": "amount", "is": MASK, "taken": MASK, "value": MASK });
        assert_eq!(shown["inputs"], json!([note]));
        // A feature that was computed from a masked input is one.
        assert_eq!(masked(&["age"])["explanation"], *explanation);
    }
}
