//! A flow's own service: `tollgate.flows.FLOW.v1`, with one message for what it takes and one for what it gives, made
//! from what the flow declares. Absent on purpose: files kept by hand, and numbers kept in files.

mod call;
mod envelope;
mod print;
mod transcode;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use prost_reflect::{DescriptorPool, MessageDescriptor};
use prost_types::FileDescriptorProto;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

pub use call::{FlowCall, call};
pub use envelope::Raw;

pub use crate::bundle::messages::{ShapeError, Shapes};
use crate::bundle::{Bundle, FlowRevision, messages};
use crate::domain::facts::Given;
use crate::domain::value::Name;
use crate::http::problem::Fault;
use transcode::Unknown;

const BEFORE: &str = "tollgate.flows.";
const AFTER: &str = ".v1";

/// A flow as gRPC sees it.
#[derive(Debug, Clone)]
pub struct Contract {
    pub text: String,
    pub file: FileDescriptorProto,
    pub shapes: Shapes,
    pub facts: MessageDescriptor,
    pub outputs: MessageDescriptor,
}

impl Contract {
    /// Facts as JSON → the bytes of a `Facts` message, as a typed client would send them. What the flow does not
    /// declare is left out.
    #[must_use]
    pub fn encode_facts(&self, facts: &serde_json::Value) -> Vec<u8> {
        transcode::encoded(facts, self.facts.clone(), &self.shapes.facts)
    }

    /// The bytes of a `Facts` message → facts, as JSON would have brought them.
    ///
    /// # Errors
    /// What is no fact of this flow.
    pub fn decode_facts(&self, bytes: &[u8]) -> Result<Given, Vec<Fault>> {
        let mut faults = Vec::new();
        let shape = &self.shapes.facts;
        let given = transcode::facts(bytes, self.facts.clone(), shape, Unknown::Refuse, &mut faults);
        if faults.is_empty() { Ok(given) } else { Err(faults) }
    }
}

/// Why a flow cannot be had as messages.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ContractError {
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A defect of ours: the text that we print is not protobuf.
    #[error("the flow's messages could not be compiled: {0}")]
    Compile(String),
}

/// The contract as text.
///
/// # Errors
/// When the flow has none.
pub fn proto_text(revision: &FlowRevision) -> Result<String, ContractError> {
    make(revision).map(|contract| contract.text)
}

type Made = Result<Arc<Contract>, ContractError>;

/// The contracts of the flows in force, each made once for each revision of its flow.
#[derive(Debug, Default)]
pub struct Contracts {
    made: RwLock<BTreeMap<Name, (Arc<FlowRevision>, Made)>>,
}

impl Contracts {
    /// # Errors
    /// When the flow has none.
    pub fn of(&self, revision: &Arc<FlowRevision>) -> Made {
        let name = &revision.flow.name;
        let known = self.made.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, contract)) = known.get(name)
            && Arc::ptr_eq(of, revision)
        {
            return contract.clone();
        }
        drop(known);
        let contract = make(revision).map(Arc::new);
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        made.insert(name.clone(), (Arc::clone(revision), contract.clone()));
        contract
    }
}

fn make(revision: &FlowRevision) -> Result<Contract, ContractError> {
    let name = &revision.flow.name;
    let shapes = messages::shapes(revision)?;
    let package = package(name);
    let text = print::text(name, revision.flow.title.as_deref(), &package, &shapes);
    let path = file_name(name);
    let wrong = |error: &dyn std::fmt::Display| ContractError::Compile(error.to_string());
    let compiled = compile(&path, &text).map_err(|error| wrong(&error))?;
    let pool = DescriptorPool::from_file_descriptor_set(compiled).map_err(|error| wrong(&error))?;
    let message = |name: &str| {
        pool.get_message_by_name(&format!("{package}.{name}"))
            .ok_or_else(|| ContractError::Compile(format!("there is no `{name}`")))
    };
    let file = pool.get_file_by_name(&path).ok_or_else(|| ContractError::Compile("no file".to_owned()))?;
    let (facts, outputs) = (message(&shapes.facts.name)?, message(&shapes.outputs.name)?);
    Ok(Contract { file: file.file_descriptor_proto().clone(), text, shapes, facts, outputs })
}

/// One file that exists in memory only.
struct Only {
    name: String,
    text: String,
}

impl FileResolver for Only {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == self.name {
            return File::from_source(name, &self.text);
        }
        Err(protox::Error::file_not_found(name))
    }
}

fn compile(path: &str, text: &str) -> Result<prost_types::FileDescriptorSet, protox::Error> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Only { name: path.to_owned(), text: text.to_owned() });
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file(path)?;
    Ok(compiler.file_descriptor_set())
}

/// The path of a flow's contract, as its package names it.
#[must_use]
pub fn file_name(flow: &str) -> String {
    format!("{}.proto", package(flow).replace('.', "/"))
}

fn package(flow: &str) -> String {
    let plain: String = flow.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let letter = if plain.starts_with(|c: char| c.is_ascii_digit()) { "_" } else { "" };
    format!("{BEFORE}{letter}{plain}{AFTER}")
}

/// Whether a path can only be one of a flow's service.
pub fn is_flow_path(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|name| name.starts_with(BEFORE))
}

/// The flow that a service of this full name is of.
pub fn flow_of_service<'b>(bundle: &'b Bundle, service: &str) -> Option<&'b Arc<FlowRevision>> {
    let (package_name, service_name) = service.rsplit_once('.')?;
    service.starts_with(BEFORE).then_some(())?;
    let found = bundle.flows.iter().find(|(name, _)| package(name) == package_name)?;
    (messages::camel(found.0) == service_name).then_some(found.1)
}

/// What can be asked of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Decide,
    DecideStream,
    Continue,
}

/// The flow and the method that a path names, if there are both.
pub fn method_of_path<'b>(bundle: &'b Bundle, path: &str) -> Option<(&'b Arc<FlowRevision>, Method)> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let method = match method {
        "Decide" => Method::Decide,
        "DecideStream" => Method::DecideStream,
        "Continue" => Method::Continue,
        _ => return None,
    };
    flow_of_service(bundle, service).map(|revision| (revision, method))
}
