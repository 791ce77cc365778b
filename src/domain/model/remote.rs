//! A model that answers on another server: what is sent there, which part of the answer is the probability, and how
//! long and how often it is tried. Said as data; nothing is asked from here.

use std::time::Duration;

use super::{Model, ModelError, ModelInput, Predictor};
use crate::domain::value::{Name, Value};
use std::sync::Arc;

/// How a model elsewhere is asked, as its `remote.yaml` says.
#[derive(Debug, Clone, PartialEq)]
pub struct Remote {
    pub protocol: Protocol,
    pub over: Transport,
    pub servers: Servers,
    /// Its name on those servers.
    pub model: String,
    /// The version that is asked for; `None`: the one that the server serves by itself.
    pub version: Option<String>,
    /// Of TensorFlow Serving.
    pub signature: Option<String>,
    pub layout: Layout,
    /// One for each of the model's inputs, in their order.
    pub sent: Vec<Sent>,
    pub output: Output,
    pub fetch: Fetch,
    /// For everything together, retries included.
    pub deadline: Duration,
    /// For one try.
    pub attempt: Duration,
    pub retries: Retries,
    /// Answers awaited at the same time, over all servers; more fail at once.
    pub most_at_once: u32,
    pub health: Option<Health>,
    pub ejection: Option<Ejection>,
    pub breaker: Option<Breaker>,
    /// The variable of the environment that holds the key sent as `Authorization: Bearer`.
    pub key_from: Option<String>,
}

/// What the servers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The Open Inference Protocol, version 2.
    OpenInference,
    TensorflowServing,
}

impl Protocol {
    /// The word for it in `remote.yaml`, traces and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::OpenInference => "oip",
            Self::TensorflowServing => "tensorflow_serving",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Http,
    Grpc,
}

impl Transport {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
        }
    }
}

/// Where it answers; each as `http://host:port` or `https://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Servers {
    Listed(Vec<String>),
    /// Every address that the name in `at` has, asked for again and again.
    Named {
        at: String,
        every: Duration,
    },
}

/// How the inputs become tensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// One tensor for each input, of shape `[1]`.
    Vectors,
    /// One tensor for each input, of shape `[1, 1]`.
    Columns,
    /// All inputs in one tensor of this name, of shape `[1, n]`, in the declared order.
    Matrix { tensor: String },
}

/// How one input is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    pub datatype: Datatype,
    /// `None`: without it the model is not asked.
    pub if_missing: Option<Hole>,
}

/// What is sent for an input that is missing.
#[derive(Debug, Clone, PartialEq)]
pub enum Hole {
    Value(Value),
    /// Not a number: what many models take for missing.
    Nan,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datatype {
    Fp32,
    Fp64,
    Int32,
    Int64,
    Bool,
    Bytes,
}

impl Datatype {
    /// The Open Inference Protocol's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fp32 => "FP32",
            Self::Fp64 => "FP64",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Bool => "BOOL",
            Self::Bytes => "BYTES",
        }
    }
}

/// Which part of the answer is the probability.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// The tensor's name; `None`: the only one.
    pub tensor: Option<String>,
    /// 0-based among its elements; `None`: the only one.
    pub at: Option<usize>,
}

/// When it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fetch {
    /// Before the script begins, beside all others that say so.
    Early,
    /// When the script comes to it.
    #[default]
    Lazy,
}

/// How often another try follows a failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// For one answer.
    pub most: u32,
    /// Of all answers within ten seconds: so that retries cannot multiply the load on servers that fail.
    pub percent: u32,
    /// Retries a second that are always allowed.
    pub always_per_s: u32,
}

/// Servers are asked whether they are ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    pub every: Duration,
    pub within: Duration,
    /// Failed checks in a row until a server gets no more requests.
    pub after: u32,
}

/// A server that fails request after request gets none for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ejection {
    /// Failures in a row.
    pub after: u32,
    /// The first time; longer each time in a row.
    pub pause: Duration,
    /// Of the servers that may be out at the same time; one always stays.
    pub most_percent: u32,
}

/// When most answers fail, none is awaited for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    pub failures_percent: u32,
    /// Answers within the window before it may open.
    pub calls: u32,
    pub within: Duration,
    /// How long it stays open before a few are let through to try.
    pub pause: Duration,
}

impl Model {
    /// A model that answers on another server. `digest` names the text that says how it is asked.
    ///
    /// # Errors
    /// When it has no inputs or too many, one stands twice, or `decimals` is out of range.
    pub fn elsewhere(
        (name, version): (Name, u32),
        digest: Arc<str>,
        decimals: u32,
        inputs: Vec<ModelInput>,
        remote: Arc<Remote>,
    ) -> Result<Self, ModelError> {
        if inputs.is_empty() || inputs.len() > super::MAX_INPUTS || inputs.len() != remote.sent.len() {
            return Err(ModelError::FeatureCount { found: inputs.len() });
        }
        if decimals > super::MAX_DECIMALS {
            return Err(ModelError::Decimals { found: decimals });
        }
        for (at, input) in inputs.iter().enumerate() {
            if inputs.iter().take(at).any(|before| before.name == input.name) {
                return Err(ModelError::DuplicateFeature { name: input.name.clone() });
            }
        }
        Ok(Self::assembled((name, version, digest), inputs, decimals, Predictor::Remote(remote)))
    }

    /// How it is asked, if it answers on another server.
    #[must_use]
    pub fn remote(&self) -> Option<&Arc<Remote>> {
        match &self.predictor {
            Predictor::Remote(remote) => Some(remote),
            _ => None,
        }
    }
}
