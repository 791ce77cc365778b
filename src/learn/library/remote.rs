//! `remote.yaml`: a model that answers on other servers, as written. Every problem at once, each with its place. What
//! is said of trying again and giving up has a value that is right for most, so that a short file will do. Absent:
//! asking anybody, and the keys of servers (a file only says where they are found).

mod limits;

use std::sync::Arc;

use super::{Finding, is_name};
use crate::documents::Source;
use crate::documents::yaml::shape::{Keys, Shape};
use crate::documents::yaml::{Content, Literal, Node, read};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::model::remote::{
    Datatype, Fetch, Hole, Layout, Output, Protocol, Remote, Sent, Servers, Transport,
};
use crate::domain::model::{MAX_DECIMALS, MAX_INPUTS, Model, ModelInput};
use crate::domain::place::{Located, Place};
use crate::domain::value::{Kind, Name, Value};
use crate::learn::{artefact, codes};

/// Decimals to which flows see the probability where the file does not say.
const DECIMALS: u32 = 6;
/// Seconds between two look-ups of a name.
const LOOKED_UP_EVERY_S: u64 = 10;

/// `models/NAME/remote.yaml`, read.
#[derive(Debug, Clone)]
pub struct RemoteModel {
    /// `sha256:…` of the file's bytes.
    pub digest: Arc<str>,
    /// The file's bytes, as replay needs them.
    pub text: Arc<[u8]>,
    /// Name → version there.
    pub aliases: Vec<(String, String)>,
    /// How it is asked by default, or that the file is wrong.
    read: Option<(u32, Vec<ModelInput>, Arc<Remote>)>,
}

/// Reads the file; what is wrong in it is added to `findings`, by its path below `models/`.
pub(super) fn read_remote(path: &str, bytes: &[u8], findings: &mut Vec<Finding>) -> RemoteModel {
    let mut model =
        RemoteModel { digest: artefact::digest(bytes), text: bytes.into(), aliases: Vec::new(), read: None };
    let mut say = |diagnostic| findings.push(Finding { path: path.to_owned(), diagnostic });
    let Ok(text) = std::str::from_utf8(bytes) else {
        let place = Place::default();
        say(Diagnostic::error(codes::UNREADABLE, place, "it is not UTF-8 text").help("save it as UTF-8"));
        return model;
    };
    let source = Source { path: path.to_owned(), text: Arc::from(text) };
    let root = match read(0, &source) {
        Ok(root) => root,
        Err(diagnostic) => {
            say(diagnostic);
            return model;
        }
    };
    let mut shape = Shape::new(&source);
    let read = whole(&mut shape, &root, &mut model.aliases);
    let is_wrong = !shape.findings.is_empty();
    shape.findings.into_iter().for_each(say);
    model.read = read.filter(|_| !is_wrong);
    model
}

impl RemoteModel {
    /// The model as it is asked for one version there; `None`: for the file's own.
    ///
    /// # Errors
    /// When the file is wrong, which its findings say in detail.
    pub fn asked(&self, name: &Name, version: Option<&str>) -> Result<Arc<Model>, String> {
        let broken = || "its `remote.yaml` is wrong".to_owned();
        let (decimals, inputs, remote) = self.read.as_ref().ok_or_else(broken)?;
        let remote = match version {
            None => Arc::clone(remote),
            Some(version) => Arc::new(Remote { version: Some(version.to_owned()), ..Remote::clone(remote) }),
        };
        let number = remote.version.as_deref().and_then(|version| version.parse().ok()).unwrap_or_default();
        let digest = Arc::clone(&self.digest);
        let model = Model::elsewhere((name.clone(), number), digest, *decimals, inputs.clone(), remote);
        model.map(Arc::new).map_err(|error| error.to_string())
    }
}

/// A number between these, or what stands for it where nothing is said.
fn number(shape: &mut Shape<'_>, node: Option<&Node>, (least, most): (u64, u64), or: u64) -> u64 {
    let Some(written) = node.and_then(|node| shape.integer(node)) else { return or };
    match u64::try_from(written.value).ok().filter(|value| (least..=most).contains(value)) {
        Some(value) => value,
        None => {
            let message = format!("this is a whole number from {least} to {most}");
            shape.report(Diagnostic::error(codes::REMOTE_LIMIT, written.place, message));
            or
        }
    }
}

fn text(shape: &mut Shape<'_>, keys: &mut Keys<'_>, key: &'static str) -> Option<Located<String>> {
    keys.optional(key).and_then(|node| shape.text(node))
}

type Read = (u32, Vec<ModelInput>, Arc<Remote>);

fn whole(shape: &mut Shape<'_>, root: &Node, aliases: &mut Vec<(String, String)>) -> Option<Read> {
    let mut keys = shape.keys(root, "`remote.yaml`")?;
    text(shape, &mut keys, "title");
    let protocols = [("oip", Protocol::OpenInference), ("tensorflow_serving", Protocol::TensorflowServing)];
    let protocol = keys.required("protocol", shape).and_then(|node| shape.word(node, &protocols));
    let over = keys.optional("over");
    let over = over
        .and_then(|node| shape.word(node, &[("http", Transport::Http), ("grpc", Transport::Grpc)]))
        .unwrap_or(Transport::Http);
    let servers = servers(shape, &mut keys);
    let model = keys.required("model", shape).and_then(|node| remote_name(shape, node));
    let version = keys.optional("version").and_then(|node| remote_name(shape, node));
    let numbered = protocol == Some(Protocol::TensorflowServing);
    for version in version.iter().filter(|_| numbered) {
        check_number(shape, version);
    }
    *aliases = keys.optional("aliases").map(|node| read_aliases(shape, node, numbered)).unwrap_or_default();
    let signature = text(shape, &mut keys, "signature");
    if let (Some(Protocol::OpenInference), Some(place)) = (protocol, keys.place_of("signature")) {
        let message = "`signature` is TensorFlow Serving's, and this speaks `oip`";
        shape.report(Diagnostic::error(codes::REMOTE_TENSOR, place, message).help("remove it"));
    }
    let inputs = keys.required("inputs", shape).map(|node| inputs(shape, node)).unwrap_or_default();
    let layout = keys.optional("layout").and_then(|node| layout(shape, node)).unwrap_or(Layout::Vectors);
    if matches!(layout, Layout::Matrix { .. }) {
        one_datatype(shape, &inputs);
    }
    let output = keys.optional("output").map(|node| output(shape, node)).unwrap_or_default();
    let decimals = number(shape, keys.optional("decimals"), (1, MAX_DECIMALS.into()), DECIMALS.into());
    let fetch = keys.optional("fetch");
    let fetch = fetch.and_then(|node| shape.word(node, &[("early", Fetch::Early), ("lazy", Fetch::Lazy)]));
    let limits = limits::read(shape, &mut keys);
    let key_from = text(shape, &mut keys, "key_from").filter(|variable| check_variable(shape, variable));
    keys.finish(shape);
    let (names, sent): (Vec<ModelInput>, Vec<Sent>) =
        inputs.into_iter().map(|input| (input.input, input.sent)).unzip();
    let remote = Remote {
        protocol: protocol?,
        over,
        servers: servers?,
        model: model?.value,
        version: version.map(|version| version.value),
        signature: signature.map(|signature| signature.value),
        layout,
        sent,
        output,
        fetch: fetch.unwrap_or_default(),
        deadline: limits.deadline,
        attempt: limits.attempt,
        retries: limits.retries,
        most_at_once: limits.most_at_once,
        health: limits.health,
        ejection: limits.ejection,
        breaker: limits.breaker,
        key_from: key_from.map(|variable| variable.value),
    };
    Some((u32::try_from(decimals).unwrap_or(DECIMALS), names, Arc::new(remote)))
}

/// `servers: [http://…, …]`, or `servers: { at: http://name:port, every_s: 10 }`.
fn servers(shape: &mut Shape<'_>, keys: &mut Keys<'_>) -> Option<Servers> {
    let node = keys.required("servers", shape)?;
    if let Content::Map(_) = node.content {
        let mut keys = shape.keys(node, "`servers`")?;
        let at = keys.required("at", shape).and_then(|node| shape.text(node));
        let at = at.and_then(|at| address(shape, &at));
        let every = number(shape, keys.optional("every_s"), (1, 3600), LOOKED_UP_EVERY_S);
        keys.finish(shape);
        return Some(Servers::Named { at: at?, every: std::time::Duration::from_secs(every) });
    }
    let items = shape.list(node)?;
    let mut all: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let Some(written) = shape.text(item) else { continue };
        let Some(server) = address(shape, &written) else { continue };
        if all.contains(&server) {
            let message = format!("`{server}` stands twice");
            shape.report(Diagnostic::error(codes::REMOTE_SERVER, item.place, message).help("remove one"));
        } else {
            all.push(server);
        }
    }
    if items.is_empty() || items.len() > limits::MOST_SERVERS {
        let message = format!("1 to {} servers are listed here", limits::MOST_SERVERS);
        shape.report(Diagnostic::error(codes::REMOTE_SERVER, node.place, message));
    }
    Some(Servers::Listed(all))
}

/// `http://host:port` or `https://host:port`, and nothing behind it.
fn address(shape: &mut Shape<'_>, written: &Located<String>) -> Option<String> {
    let mut wrong = |message: &str| {
        let finding = Diagnostic::error(codes::REMOTE_SERVER, written.place, message.to_owned());
        shape.report(finding.help("write `http://host:port` or `https://host:port`"));
        None
    };
    let text = written.value.strip_suffix('/').unwrap_or(&written.value);
    let Some((scheme, rest)) = text.split_once("://") else { return wrong("a server has a scheme") };
    if !matches!(scheme, "http" | "https") {
        return wrong("a server is asked by `http` or `https`");
    }
    if rest.contains('@') {
        return wrong("no key or password stands in this file: `key_from` names where it is found");
    }
    if rest.is_empty() || rest.contains(['/', '?', '#', ' ']) {
        return wrong("a server is a host and a port, without a path");
    }
    // Of `[::1]:8080` the colons inside are the host's.
    let port = rest.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    match port {
        Some((host, port)) if !host.is_empty() && is_port(port) => Some(text.to_owned()),
        Some(_) => wrong("its port is not a number from 1 to 65535"),
        None if rest.contains(':') && !rest.ends_with(']') => {
            wrong("an address with colons stands in brackets: `http://[::1]:8080`")
        }
        None => Some(format!("{text}:{}", if scheme == "https" { 443 } else { 80 })),
    }
}

/// What goes into an address: the model's name there, or a version.
fn remote_name(shape: &mut Shape<'_>, node: &Node) -> Option<Located<String>> {
    let name = shape.text(node)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.value.len() > 128 || !name.value.chars().all(is_plain) || name.value.starts_with('.') {
        let message = "the name of a model or version there: letters, digits, `_`, `-` and `.`";
        shape.report(Diagnostic::error(codes::REMOTE_MODEL, name.place, message));
        return None;
    }
    Some(name)
}

fn check_number(shape: &mut Shape<'_>, version: &Located<String>) {
    if version.value.parse::<u32>().is_err() {
        let message = "a version of TensorFlow Serving is a number";
        shape.report(Diagnostic::error(codes::REMOTE_MODEL, version.place, message));
    }
}

fn read_aliases(shape: &mut Shape<'_>, node: &Node, numbered: bool) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in shape.entries(node).unwrap_or_default() {
        if !is_name(&entry.key.value) {
            let message = format!("`{}` cannot be an alias", entry.key.value.escape_debug());
            let help = "letters, digits and `_`, beginning with a letter";
            shape.report(Diagnostic::error(codes::REMOTE_MODEL, entry.key.place, message).help(help));
        }
        let Some(version) = remote_name(shape, &entry.value) else { continue };
        if numbered {
            check_number(shape, &version);
        }
        all.push((entry.key.value.clone(), version.value));
    }
    all
}

struct ReadInput {
    input: ModelInput,
    sent: Sent,
    place: Place,
}

/// `name: number` or `name: { type: number, send_as: fp32, if_missing: 0 }` lines.
fn inputs(shape: &mut Shape<'_>, node: &Node) -> Vec<ReadInput> {
    let entries = shape.entries(node).unwrap_or_default();
    if entries.is_empty() || entries.len() > MAX_INPUTS {
        let message = format!("a model has 1 to {MAX_INPUTS} inputs");
        shape.report(Diagnostic::error(codes::REMOTE_TENSOR, node.place, message));
    }
    entries.iter().filter_map(|entry| input(shape, &entry.key, &entry.value)).collect()
}

const KINDS: &[(&str, Plain)] = &[
    ("number", Plain::Number),
    ("decimal", Plain::Decimal),
    ("integer", Plain::Integer),
    ("boolean", Plain::Boolean),
    ("text", Plain::Text),
];

/// A type that can be sent; a choice is sent as its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plain {
    Number,
    Decimal,
    Integer,
    Boolean,
    Text,
}

impl Plain {
    fn kind(self) -> Kind {
        match self {
            Self::Number => Kind::Number,
            Self::Decimal => Kind::Decimal,
            Self::Integer => Kind::Integer,
            Self::Boolean => Kind::Boolean,
            Self::Text => Kind::Text,
        }
    }

    fn datatypes(self) -> &'static [(&'static str, Datatype)] {
        const FLOATS: &[(&str, Datatype)] = &[("fp64", Datatype::Fp64), ("fp32", Datatype::Fp32)];
        const WHOLES: &[(&str, Datatype)] = &[
            ("int64", Datatype::Int64),
            ("int32", Datatype::Int32),
            ("fp64", Datatype::Fp64),
            ("fp32", Datatype::Fp32),
        ];
        match self {
            Self::Number | Self::Decimal => FLOATS,
            Self::Integer => WHOLES,
            Self::Boolean => &[("bool", Datatype::Bool)],
            Self::Text => &[("bytes", Datatype::Bytes)],
        }
    }
}

fn input(shape: &mut Shape<'_>, name: &Located<String>, node: &Node) -> Option<ReadInput> {
    let made = |plain: Plain, datatype: Datatype, if_missing| ReadInput {
        input: ModelInput { name: Name::from(name.value.as_str()), kind: plain.kind() },
        sent: Sent { datatype, if_missing },
        place: name.place,
    };
    let usual = |plain: Plain| plain.datatypes().first().map_or(Datatype::Fp64, |(_, datatype)| *datatype);
    if let Content::Scalar(_) = node.content {
        let plain = shape.word(node, KINDS)?;
        return Some(made(plain, usual(plain), None));
    }
    let mut keys = shape.keys(node, format!("input `{}`", name.value))?;
    let plain = keys.required("type", shape).and_then(|node| shape.word(node, KINDS));
    let send_as = keys.optional("send_as");
    let datatype = plain.and_then(|plain| match send_as {
        Some(node) => shape.word(node, plain.datatypes()),
        None => Some(usual(plain)),
    });
    let hole = keys.optional("if_missing").and_then(|node| hole(shape, node, plain?));
    keys.finish(shape);
    Some(made(plain?, datatype?, hole))
}

/// What is sent for an input that is missing: a value, or `nan`.
fn hole(shape: &mut Shape<'_>, node: &Node, plain: Plain) -> Option<Hole> {
    let literal = shape.literal(node)?;
    let value = match (plain, &literal) {
        (Plain::Number | Plain::Decimal, Literal::Text(text)) if text == "nan" => return Some(Hole::Nan),
        (Plain::Number, Literal::Number(text)) => {
            text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Number)
        }
        (Plain::Decimal, Literal::Number(text)) => text.parse().ok().map(Value::Decimal),
        (Plain::Integer, Literal::Number(text)) => text.parse().ok().map(Value::Integer),
        (Plain::Boolean, Literal::Boolean(value)) => Some(Value::Boolean(*value)),
        (Plain::Text, Literal::Text(text)) => Some(Value::text(text)),
        _ => None,
    };
    if value.is_none() {
        let message = format!("what stands for a missing {} is one too", plain.kind().word());
        let help = match plain {
            Plain::Number | Plain::Decimal => "a number, or `nan` where the model takes that",
            _ => "write a value of the input's own type",
        };
        shape.report(Diagnostic::error(codes::REMOTE_TENSOR, node.place, message).help(help));
    }
    value.map(Hole::Value)
}

/// `vectors`, `columns`, or `{ matrix: TENSOR }`.
fn layout(shape: &mut Shape<'_>, node: &Node) -> Option<Layout> {
    if let Content::Map(_) = node.content {
        let mut keys = shape.keys(node, "`layout`")?;
        let tensor = keys.required("matrix", shape).and_then(|node| shape.text(node));
        keys.finish(shape);
        return Some(Layout::Matrix { tensor: tensor?.value });
    }
    let (vectors, columns) = (Layout::Vectors, Layout::Columns);
    shape.word(node, &[("vectors", 0), ("columns", 1)]).map(|at| if at == 0 { vectors } else { columns })
}

/// One tensor has one datatype.
fn one_datatype(shape: &mut Shape<'_>, inputs: &[ReadInput]) {
    let Some(first) = inputs.first() else { return };
    if let Some(other) = inputs.iter().find(|input| input.sent.datatype != first.sent.datatype) {
        let message = format!(
            "in one matrix `{}` cannot be sent as {} beside `{}` as {}",
            other.input.name,
            other.sent.datatype.word(),
            first.input.name,
            first.sent.datatype.word()
        );
        let help = "give all inputs the same `send_as`, or leave `layout` out";
        shape.report(Diagnostic::error(codes::REMOTE_TENSOR, other.place, message).help(help));
    }
}

/// `{ tensor: predict_proba, at: 1 }`.
fn output(shape: &mut Shape<'_>, node: &Node) -> Output {
    let Some(mut keys) = shape.keys(node, "`output`") else { return Output::default() };
    let tensor = text(shape, &mut keys, "tensor").map(|tensor| tensor.value);
    let at = keys.optional("at");
    let at = at.map(|node| number(shape, Some(node), (0, 100_000), 0));
    keys.finish(shape);
    Output { tensor, at: at.and_then(|at| usize::try_from(at).ok()) }
}

/// How the variables begin that `key_from` may name: no file can send another secret of the environment anywhere.
const KEY_VARIABLE: &str = "REMOTE_KEY_";

/// Only a name of a variable, so that no key is written here by mistake.
fn check_variable(shape: &mut Shape<'_>, variable: &Located<String>) -> bool {
    let is_plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let rest = variable.value.strip_prefix(KEY_VARIABLE);
    let is_name = rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(is_plain));
    if !is_name {
        let message = "`key_from` is the name of an environment variable that begins with `REMOTE_KEY_`";
        let help = "put the key into the environment, and its variable here, such as `REMOTE_KEY_FRAUD`";
        shape.report(Diagnostic::error(codes::REMOTE_KEY, variable.place, message).help(help));
    }
    is_name
}

#[cfg(test)]
mod tests;
