//! The body of `POST /v1/decisions`: bytes that are JSON → what to decide, or everything wrong with it at once.
//! Absent on purpose: what the flow declares (that is the flow's own check) and the values in any message.

use utoipa::ToSchema;

use super::problem::{At, Fault};
use crate::domain::facts::Given;
use crate::domain::nearest::nearest;
use crate::engine::TraceLevel;

const FIELDS: &[&str] = &["flow", "market", "reference", "facts", "trace", "dry_run"];
/// Characters of a flow's or market's name.
const LONGEST_NAME: usize = 128;
/// Characters of the caller's own id.
const LONGEST_REFERENCE: usize = 256;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, ToSchema)]
#[schema(as = DecideRequest)]
pub struct DecideBody {
    /// The flow that decides.
    #[schema(example = "personal_loan")]
    pub flow: String,
    /// `base` if left out.
    pub market: Option<String>,
    /// The caller's own id of the application or payment; decisions can be found by it.
    pub reference: Option<String>,
    /// One entry per input of the flow. Decimals may be texts or numbers.
    #[schema(value_type = Object)]
    pub facts: Given,
    /// What the answer shows of how it came about: `none` (if left out), `summary`, `full`. The record has it whole.
    #[schema(value_type = Option<String>, example = "summary")]
    pub trace: TraceLevel,
    /// Decide without recording.
    #[schema(required = false, default = false)]
    pub dry_run: bool,
}

/// A body that cannot be used: everything wrong with it, and what could be read nevertheless.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unusable {
    pub faults: Vec<Fault>,
    pub flow: Option<String>,
    pub market: Option<String>,
    pub reference: Option<String>,
    pub facts: Option<Given>,
}

/// Reads a body.
///
/// # Errors
/// Everything wrong with its shape; the facts themselves are not looked into.
pub fn read(body: Given) -> Result<DecideBody, Box<Unusable>> {
    let mut reader = Reader::default();
    let Given::Map(entries) = body else {
        reader.fault("", "wrong_type", format!("must be an object with {}", listed(&["flow", "facts"])));
        return Err(Box::new(Unusable { faults: reader.faults, ..Unusable::default() }));
    };
    for (name, value) in entries {
        reader.field(&name, value);
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    faults: Vec<Fault>,
    seen_flow: bool,
    seen_facts: bool,
    flow: Option<String>,
    market: Option<String>,
    reference: Option<String>,
    facts: Option<Given>,
    trace: TraceLevel,
    dry_run: bool,
}

impl Reader {
    fn fault(&mut self, pointer: &str, code: &'static str, detail: String) {
        self.faults.push(Fault { at: At::Pointer(pointer.to_owned()), code, detail });
    }

    fn or_fault<T>(&mut self, read: Result<T, Fault>) -> Option<T> {
        read.map_err(|fault| self.faults.push(fault)).ok()
    }

    fn field(&mut self, name: &str, value: Given) {
        match name {
            "flow" => {
                self.seen_flow = true;
                self.flow = self.text("/flow", value, LONGEST_NAME);
            }
            "facts" => {
                self.seen_facts = true;
                self.facts = self.or_fault(read_facts(value));
            }
            "market" | "reference" | "trace" | "dry_run" if value == Given::Null => {}
            "market" => self.market = self.text("/market", value, LONGEST_NAME),
            "reference" => self.reference = self.text("/reference", value, LONGEST_REFERENCE),
            "trace" => self.trace = self.or_fault(read_trace(&value)).unwrap_or_default(),
            "dry_run" => match value {
                Given::Boolean(dry_run) => self.dry_run = dry_run,
                _ => self.fault("/dry_run", "wrong_type", "must be `true` or `false`".to_owned()),
            },
            unknown => self.faults.push(unknown_fault(unknown, FIELDS)),
        }
    }

    /// A text of 1 to `longest` characters, none of them a control character or NUL.
    fn text(&mut self, pointer: &str, value: Given, longest: usize) -> Option<String> {
        let Given::Text(text) = value else {
            self.fault(pointer, "wrong_type", "must be a text".to_owned());
            return None;
        };
        if text.is_empty() || text.chars().count() > longest {
            self.fault(pointer, "wrong_length", format!("must have 1 to {longest} characters"));
            return None;
        }
        if text.chars().any(char::is_control) {
            self.fault(pointer, "control_character", "must not hold control characters".to_owned());
            return None;
        }
        Some(text)
    }

    fn finish(mut self) -> Result<DecideBody, Box<Unusable>> {
        if !self.seen_flow {
            self.fault("/flow", "missing", "is required: the name of the flow that decides".to_owned());
        }
        if !self.seen_facts {
            self.fault("/facts", "missing", "is required: an object with the flow's inputs".to_owned());
        }
        let Self { faults, flow, market, reference, facts, trace, dry_run, .. } = self;
        match (flow, facts) {
            (Some(flow), Some(facts)) if faults.is_empty() => {
                Ok(DecideBody { flow, market, reference, facts, trace, dry_run })
            }
            (flow, facts) => Err(Box::new(Unusable { faults, flow, market, reference, facts })),
        }
    }
}

fn at(pointer: &str, code: &'static str, detail: &str) -> Fault {
    Fault { at: At::Pointer(pointer.to_owned()), code, detail: detail.to_owned() }
}

/// `facts` of a body.
///
/// # Errors
/// When it is no object.
pub(super) fn read_facts(value: Given) -> Result<Given, Fault> {
    match value {
        Given::Map(_) => Ok(value),
        _ => Err(at("/facts", "wrong_type", "must be an object: one entry per input")),
    }
}

/// `trace` of a body; null is as if it were left out.
///
/// # Errors
/// When it is none of its words.
pub(super) fn read_trace(value: &Given) -> Result<TraceLevel, Fault> {
    match value {
        Given::Null => Ok(TraceLevel::None),
        Given::Text(word) => match word.as_str() {
            "none" => Ok(TraceLevel::None),
            "summary" => Ok(TraceLevel::Summary),
            "full" => Ok(TraceLevel::Full),
            _ => Err(at("/trace", "not_a_choice", "must be `none`, `summary` or `full`")),
        },
        _ => Err(at("/trace", "wrong_type", "must be a text: `none`, `summary` or `full`")),
    }
}

/// A name that a body does not have.
pub(super) fn unknown_fault(name: &str, known: &[&str]) -> Fault {
    at(&format!("/{}", pointer_part(name)), "unknown", &unknown_detail(name, known))
}

/// `` `a`, `b` `` for messages.
pub(super) fn listed(names: &[&str]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// What to say of a name that is not among `known`: the nearest one, or all.
pub(super) fn unknown_detail(name: &str, known: &[&str]) -> String {
    nearest(name, known.iter().copied()).map_or_else(
        || format!("is not known here; known are {}", listed(known)),
        |near| format!("is not known here; did you mean `{near}`?"),
    )
}

/// A name as part of a JSON pointer (RFC 6901), cut at 64 characters.
pub(super) fn pointer_part(name: &str) -> String {
    let cut: String = name.chars().take(64).collect();
    cut.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::json;

    fn read_text(text: &str) -> Result<DecideBody, Box<Unusable>> {
        read(json::parse(text.as_bytes(), json::JsonLimits::default()).unwrap())
    }

    fn faults(text: &str) -> String {
        let shown = |f: &Fault| match &f.at {
            At::Pointer(p) => format!("{p} {}: {}", f.code, f.detail),
            other => format!("{other:?}"),
        };
        read_text(text).unwrap_err().faults.iter().map(shown).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_whole_body_is_read() {
        let body = read_text(
            r#"{"flow":"loan","market":"mx","reference":"a-1","facts":{"age":41},"trace":"full","dry_run":true}"#,
        )
        .unwrap();
        assert_eq!((body.flow.as_str(), body.trace, body.dry_run), ("loan", TraceLevel::Full, true));
        assert_eq!(body.facts, Given::Map(vec![("age".into(), Given::Number("41".into()))]));
    }

    #[test]
    fn what_may_be_left_out_may_be_null() {
        let body =
            read_text(r#"{"flow":"loan","facts":{},"market":null,"trace":null,"dry_run":null}"#).unwrap();
        assert_eq!((body.market, body.trace, body.dry_run), (None, TraceLevel::None, false));
    }

    #[test]
    fn everything_wrong_is_listed_at_once() {
        insta::assert_snapshot!(
            faults(r#"{"flwo":"loan","facts":[],"trace":"all","dry_run":"no","reference":7,"market":"","x/y":1}"#),
            @r"
        /flwo unknown: is not known here; did you mean `flow`?
        /facts wrong_type: must be an object: one entry per input
        /trace not_a_choice: must be `none`, `summary` or `full`
        /dry_run wrong_type: must be `true` or `false`
        /reference wrong_type: must be a text
        /market wrong_length: must have 1 to 128 characters
        /x~1y unknown: is not known here; known are `flow`, `market`, `reference`, `facts`, `trace`, `dry_run`
        /flow missing: is required: the name of the flow that decides
        "
        );
    }

    #[test]
    fn a_body_that_is_no_object_says_what_it_must_be() {
        for text in ["null", "[]", "1", "\"x\""] {
            assert_eq!(faults(text), " wrong_type: must be an object with `flow`, `facts`", "{text}");
        }
    }

    #[test]
    fn control_characters_are_no_part_of_a_reference() {
        assert!(faults(r#"{"flow":"l","facts":{},"reference":"a\nb"}"#).contains("control_character"));
    }
}
