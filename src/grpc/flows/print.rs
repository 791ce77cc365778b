//! The text of a flow's contract: what `tollgate proto FLOW` prints and what the server itself reads it from. Absent on
//! purpose: imports beyond protobuf's own, so that one file is all that a client needs.

use std::fmt::Write as _;

use crate::bundle::messages::{FieldShape, ListShape, MessageShape, Shape, Shapes, camel};

/// What does not depend on the flow. The numbers are those of `tollgate.v1`.
const ENVELOPE: &str = r#"
// How much an answer shows of how it came about.
enum Trace {
  TRACE_UNSPECIFIED = 0;
  TRACE_NONE = 1;
  TRACE_SUMMARY = 2;
  TRACE_FULL = 3;
}

message DecideRequest {
  Facts facts = 1;
  // `base` if left out.
  optional string market = 2;
  // Your own id of the application or payment; decisions can be found by it.
  optional string reference = 3;
  Trace trace = 4;
  // Decide without recording.
  bool dry_run = 5;
  // As the metadata `idempotency-key`, which wins over it: for streams, where each message needs its own.
  optional string idempotency_key = 6;
  // Needs whose facts cannot be had.
  repeated string unavailable = 7;
}

message ContinueRequest {
  // Of the answer that asked.
  string decision_id = 1;
  // Only what was asked for.
  Facts facts = 2;
  Trace trace = 3;
  // Needs whose facts cannot be had.
  repeated string unavailable = 4;
}

message DecideReply {
  oneof reply {
    Decision decision = 1;
    Problem problem = 2;
  }
}

// Why a request of a stream got no decision: `google.rpc.Status`, field for field.
message Problem {
  int32 code = 1;
  string message = 2;
  repeated google.protobuf.Any details = 3;
}

enum State {
  STATE_UNSPECIFIED = 0;
  STATE_DECIDED = 1;
  // Not decided yet: `needs` says what to send to `Continue`.
  STATE_NEEDS = 2;
}

// What an answer waited for.
enum Durable {
  DURABLE_UNSPECIFIED = 0;
  DURABLE_NONE = 1;
  DURABLE_MEMORY = 2;
  DURABLE_LOCAL = 3;
  DURABLE_CENTRAL = 4;
}

message Decision {
  string decision_id = 1;
  string flow = 2;
  string market = 3;
  optional string reference = 4;
  string revision = 5;
  string flow_revision = 6;
  State state = 7;
  string outcome = 8;
  // Strictest first.
  repeated Reason reasons = 9;
  Outputs output = 10;
  map<string, double> scores = 11;
  google.protobuf.Timestamp decided_at = 12;
  uint64 elapsed_us = 13;
  // Something could not be evaluated; `on_error` took part.
  bool degraded = 14;
  Durable durable = 15;
  bool dry_run = 16;
  repeated Need needs = 17;
  google.protobuf.ListValue trace = 18;
}

message Reason {
  string code = 1;
  string text = 2;
  // 1 is the strongest.
  uint32 rank = 3;
}

message Need {
  // The field of `Facts` that is asked for.
  string input = 1;
  google.protobuf.Struct with = 2;
}
"#;

/// The whole file.
pub fn text(flow: &str, title: Option<&str>, package: &str, shapes: &Shapes) -> String {
    let service = camel(flow);
    let mut out = String::new();
    let title = title.map(|title| format!(": {}", one_line(title))).unwrap_or_default();
    let _infallible = write!(
        out,
        "// The flow `{flow}`{title}\n\
         // Made by `tollgate proto {flow}`; make it again when the flow changes. A field keeps its number as long as its\n\
         // name and type stay, whatever comes and goes beside it.\n\
         syntax = \"proto3\";\n\n\
         package {package};\n\n\
         import \"google/protobuf/any.proto\";\n\
         import \"google/protobuf/struct.proto\";\n\
         import \"google/protobuf/timestamp.proto\";\n\n\
         service {service} {{\n  \
         rpc Decide(DecideRequest) returns (Decision);\n  \
         // One answer for each request, in their order.\n  \
         rpc DecideStream(stream DecideRequest) returns (stream DecideReply);\n  \
         // Gives a decision that asked for more what it asked for.\n  \
         rpc Continue(ContinueRequest) returns (Decision);\n\
         }}\n\n\
         // What the flow takes. The server checks what is required and in range; here all may be left out.\n"
    );
    message(&shapes.facts, 0, &mut out);
    out.push_str("\n// What an answer carries.\n");
    message(&shapes.outputs, 0, &mut out);
    out.push_str(ENVELOPE);
    out
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn line(out: &mut String, depth: usize, text: &str) {
    for _ in 0..depth {
        out.push_str("  ");
    }
    out.push_str(text);
    out.push('\n');
}

fn message(shape: &MessageShape, depth: usize, out: &mut String) {
    if shape.fields.is_empty() {
        line(out, depth, &format!("message {} {{}}", shape.name));
        return;
    }
    line(out, depth, &format!("message {} {{", shape.name));
    for field in &shape.fields {
        inner(&field.shape, depth + 1, out);
    }
    for field in &shape.fields {
        one_field(field, depth + 1, out);
    }
    line(out, depth, "}");
}

fn one_field(field: &FieldShape, depth: usize, out: &mut String) {
    for note in &field.notes {
        line(out, depth, &format!("// {}", one_line(note)));
    }
    // A name of the caller's own is not bent into another case in JSON.
    let json = format!("[json_name = \"{}\"]", field.name);
    let text = format!("optional {} {} = {} {json};", type_word(&field.shape), field.name, field.number);
    line(out, depth, &text);
}

fn type_word(shape: &Shape) -> &str {
    match shape {
        Shape::Boolean => "bool",
        Shape::Integer => "int64",
        Shape::Number => "double",
        Shape::Text => "string",
        Shape::Time => "google.protobuf.Timestamp",
        Shape::Map(message) => &message.name,
        Shape::List(list) => &list.name,
    }
}

/// The messages that a field's type is made of.
fn inner(shape: &Shape, depth: usize, out: &mut String) {
    match shape {
        Shape::Map(shape) => message(shape, depth, out),
        Shape::List(shape) => list(shape, depth, out),
        _ => {}
    }
}

fn list(shape: &ListShape, depth: usize, out: &mut String) {
    inner(&shape.item, depth, out);
    let item = type_word(&shape.item);
    let mut items = item;
    if let Some(name) = &shape.nullable {
        line(out, depth, &format!("message {name} {{"));
        line(out, depth + 1, "// Left out: missing.");
        line(out, depth + 1, &format!("optional {item} value = 1;"));
        line(out, depth, "}");
        items = name;
    }
    line(out, depth, &format!("message {} {{", shape.name));
    line(out, depth + 1, &format!("repeated {items} items = 1;"));
    line(out, depth, "}");
}
