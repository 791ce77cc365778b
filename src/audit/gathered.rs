//! What was gathered for a decision, in its durable form: who answered, when and how in the public part; what was
//! asked and said in the personal one. Enough for a replay to come to the same verdict without any network. A record
//! without such answers is what it was before there were any.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::json::Json;
use super::record::optional;
use super::show::MASK;
use super::stored::{Record, Unreadable};
use crate::domain::flow::remote::{Answered, ModelAsked, RemoteAnswer, RemoteFailure, RemoteFault};

/// An answer of another server as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedAnswer {
    model: Arc<str>,
    /// The version that was asked for.
    asked: Option<Arc<str>>,
    /// Canonical JSON: name → value.
    inputs: String,
    pub answer: RemoteAnswer,
}

impl RecordedAnswer {
    /// Whether this is what was answered to this question.
    #[must_use]
    pub fn is_to(&self, asked: &ModelAsked) -> bool {
        let version = asked.model.remote().and_then(|remote| remote.version.as_deref());
        *self.model == *asked.model.name && self.asked.as_deref() == version && self.inputs == inputs(asked)
    }
}

/// The row by the names of the model's inputs.
fn inputs(asked: &ModelAsked) -> String {
    let mut json = Json::with_capacity(256);
    let names = asked.model.inputs.iter().map(|input| &*input.name);
    json.object(names.zip(&asked.row), |json, value| {
        json.value(value);
    });
    json.into_text()
}

pub(super) fn public(json: &mut Json, gathered: &[Answered]) {
    json.array(gathered, |json, Answered { asked, answer }| {
        let remote = asked.model.remote();
        json.raw("{").key("asked_version");
        optional(json, remote.and_then(|remote| remote.version.as_deref()));
        json.raw(",").key("attempts").count(answer.attempts.into()).raw(",").key("endpoint");
        optional(json, answer.endpoint.as_deref());
        json.raw(",").key("failed");
        match &answer.result {
            Ok(_) => json.null(),
            Err(why) => {
                json.raw("{").key("code").string(why.code.word());
                json.raw(",").key("detail").string(&why.detail).raw("}")
            }
        };
        json.raw(",").key("latency_us").count(answer.latency_us);
        json.raw(",").key("model").string(&asked.model.name);
        json.raw(",").key("over").string(remote.map_or("", |remote| remote.over.word()));
        json.raw(",").key("protocol").string(remote.map_or("", |remote| remote.protocol.word()));
        json.raw(",").key("version");
        optional(json, answer.version.as_deref());
        json.raw("}");
    });
}

/// In the same order: the answer as its bits (hexadecimal, IEEE 754), and what was asked.
pub(super) fn personal(json: &mut Json, gathered: &[Answered]) {
    json.array(gathered, |json, Answered { asked, answer }| {
        json.raw("{").key("answer");
        match &answer.result {
            Ok(probability) => json.hex(&probability.to_bits().to_be_bytes()),
            Err(_) => json.null(),
        };
        json.raw(",").key("inputs").raw(&inputs(asked)).raw("}");
    });
}

#[derive(Deserialize)]
struct PublicPart {
    asked_version: Option<Arc<str>>,
    attempts: u32,
    endpoint: Option<Arc<str>>,
    failed: Option<Failed>,
    latency_us: u64,
    model: Arc<str>,
    version: Option<Arc<str>>,
}

#[derive(Deserialize)]
struct Failed {
    code: Arc<str>,
    detail: Arc<str>,
}

#[derive(Deserialize)]
struct PersonalPart<'a> {
    answer: Option<Arc<str>>,
    #[serde(borrow)]
    inputs: &'a RawValue,
}

/// Both parts, put together again.
pub(super) fn read(
    public: Option<&RawValue>,
    personal: Option<&RawValue>,
) -> Result<Vec<RecordedAnswer>, Unreadable> {
    let wrong = || Unreadable("what was gathered");
    let (Some(public), Some(personal)) = (public, personal) else { return Ok(Vec::new()) };
    let public: Vec<PublicPart> = serde_json::from_str(public.get()).map_err(|_| wrong())?;
    let personal: Vec<PersonalPart<'_>> = serde_json::from_str(personal.get()).map_err(|_| wrong())?;
    if public.len() != personal.len() {
        return Err(wrong());
    }
    let both = public.into_iter().zip(personal);
    both.map(|(public, personal)| {
        let result = match (public.failed, personal.answer) {
            (Some(failed), _) => {
                let code = RemoteFault::of_word(&failed.code).ok_or_else(wrong)?;
                Err(RemoteFailure { code, detail: failed.detail })
            }
            (None, Some(bits)) => Ok(number(&bits).ok_or_else(wrong)?),
            (None, None) => return Err(wrong()),
        };
        Ok(RecordedAnswer {
            model: public.model,
            asked: public.asked_version,
            inputs: personal.inputs.get().to_owned(),
            answer: RemoteAnswer {
                result,
                endpoint: public.endpoint,
                version: public.version,
                attempts: public.attempts,
                latency_us: public.latency_us,
            },
        })
    })
    .collect()
}

fn number(bits: &str) -> Option<f64> {
    let is_whole = bits.len() == 16;
    u64::from_str_radix(bits, 16).ok().filter(|_| is_whole).map(f64::from_bits)
}

impl Record {
    /// What other servers answered, in the order asked.
    ///
    /// # Errors
    /// When the record is not of this program's form, or its personal part was erased.
    pub fn gathered(&self) -> Result<Vec<RecordedAnswer>, Unreadable> {
        read(self.public()?.gathered, self.personal()?.gathered)
    }
}

/// Puts what was asked and said beside what is already shown of it. `masked`: names whose values the reader may not
/// see; of another flow's names the last part is the model's.
pub(super) fn show(shown: &mut Map<String, Value>, personal: &Value, masked: &BTreeSet<String>) {
    let both = shown.get_mut("gathered").and_then(Value::as_array_mut).into_iter().flatten();
    for (entry, own) in both.zip(personal.as_array().into_iter().flatten()) {
        let Some(entry) = entry.as_object_mut() else { continue };
        let answer = own.get("answer").and_then(Value::as_str).and_then(number);
        entry.insert("answer".to_owned(), json!(answer));
        let mut inputs = own.get("inputs").cloned().unwrap_or_default();
        for (name, value) in inputs.as_object_mut().into_iter().flatten() {
            let is_masked = |hidden: &String| hidden.rsplit('.').next() == Some(name);
            if masked.iter().any(is_masked) {
                *value = json!(MASK);
            }
        }
        entry.insert("inputs".to_owned(), super::show::plain(inputs));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn both(gathered: &[Answered]) -> (String, String) {
        let (mut open, mut own) = (Json::with_capacity(0), Json::with_capacity(0));
        public(&mut open, gathered);
        personal(&mut own, gathered);
        (open.into_text(), own.into_text())
    }

    #[test]
    fn what_is_written_is_canonical_and_read_back_to_the_bit() {
        let gathered = sample::gathered();
        let (open, own) = both(&gathered);
        for text in [&open, &own] {
            let parsed: Value = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json_canonicalizer::to_vec(&parsed).unwrap(), text.as_bytes());
        }
        assert!(!open.contains("2500"), "what was asked is personal: {open}");
        let read = read(Some(&raw(&open)), Some(&raw(&own))).unwrap();
        assert_eq!(read.len(), gathered.len());
        for (read, was) in read.iter().zip(&gathered) {
            assert!(read.is_to(&was.asked));
            assert_eq!(read.answer, was.answer);
        }
        assert!(!read[0].is_to(&gathered[1].asked), "another row is another question");
    }

    #[test]
    fn records_from_before_there_was_any_have_none() {
        assert_eq!(read(Some(&raw("[]")), None), Ok(Vec::new()));
        assert_eq!(read(None, None), Ok(Vec::new()));
        assert!(read(Some(&raw("[]")), Some(&raw("[{\"answer\":null,\"inputs\":{}}]"))).is_err());
    }

    #[test]
    fn masked_inputs_are_masked_where_they_are_shown() {
        let (open, own) = both(&sample::gathered());
        let mut shown = Map::new();
        shown.insert("gathered".to_owned(), serde_json::from_str(&open).unwrap());
        let names = BTreeSet::from(["fraud.amount".to_owned()]);
        show(&mut shown, &serde_json::from_str(&own).unwrap(), &names);
        assert_eq!(shown["gathered"][0]["inputs"], json!({"age": 41, "amount": "***"}));
        assert_eq!(shown["gathered"][0]["answer"], json!(0.25));
        assert_eq!(shown["gathered"][1]["answer"], Value::Null);
    }
}
