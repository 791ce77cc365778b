//! Why a model did not answer: one canonical code (gRPC's names) and the words of each protocol. Absent on purpose:
//! status codes of HTTP, which are `http`'s, and any value that was sent.

use std::fmt;

/// gRPC's status names, which TensorFlow Serving uses over REST too. The number is gRPC's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canonical {
    Ok = 0,
    Cancelled = 1,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Canonical {
    /// `INVALID_ARGUMENT` and so on.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

/// Why a model did not answer. Displayed in TensorFlow Serving's words; [`PredictError::open_inference`] has the other
/// protocol's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PredictError {
    /// No version of this model serves (or there is no such model) and none was named.
    NoneServes {
        name: String,
    },
    /// That version does not serve.
    VersionDoesNotServe {
        name: String,
        version: i64,
    },
    UnknownLabel {
        name: String,
        label: String,
    },
    /// Asked for its status: there is no such model.
    NoModel {
        name: String,
    },
    /// Asked for its status: there is no such version.
    NoVersion {
        name: String,
        version: i64,
    },
    /// What was sent does not fit the model, or cannot be read; the text says what, where and the way out.
    Invalid {
        detail: String,
    },
    /// It fits and may not be done now, or as the service is set up.
    Precondition {
        detail: String,
    },
    /// Too much at once.
    TooMuch {
        detail: String,
    },
    /// Not now.
    Unavailable {
        detail: String,
    },
    /// Nothing is at this address, or not for this method.
    NoAddress {
        method: String,
    },
    /// It is not something that this service does.
    Unimplemented {
        detail: String,
    },
    /// A failure of ours; what happened is in the log.
    Internal,
}

impl PredictError {
    #[must_use]
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid { detail: detail.into() }
    }

    #[must_use]
    pub fn code(&self) -> Canonical {
        match self {
            Self::NoneServes { .. }
            | Self::VersionDoesNotServe { .. }
            | Self::NoModel { .. }
            | Self::NoVersion { .. }
            | Self::NoAddress { .. } => Canonical::NotFound,
            // Not NOT_FOUND: so does TensorFlow Serving.
            Self::UnknownLabel { .. } | Self::Invalid { .. } => Canonical::InvalidArgument,
            Self::Precondition { .. } => Canonical::FailedPrecondition,
            Self::TooMuch { .. } => Canonical::ResourceExhausted,
            Self::Unavailable { .. } => Canonical::Unavailable,
            Self::Unimplemented { .. } => Canonical::Unimplemented,
            Self::Internal => Canonical::Internal,
        }
    }

    /// The same in the words of servers of the Open Inference Protocol.
    #[must_use]
    pub fn open_inference(&self) -> String {
        match self {
            Self::NoneServes { name } | Self::NoModel { name } => {
                format!("Request for unknown model: '{name}' is not found")
            }
            Self::VersionDoesNotServe { name, version } | Self::NoVersion { name, version } => {
                format!("Request for unknown model: '{name}' version {version} is not found")
            }
            other => other.to_string(),
        }
    }
}

impl fmt::Display for PredictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoneServes { name } => write!(f, "Servable not found for request: Latest({name})"),
            Self::VersionDoesNotServe { name, version } => {
                write!(f, "Servable not found for request: Specific({name}, {version})")
            }
            Self::UnknownLabel { label, .. } => write!(f, "Unrecognized servable version label: {label}"),
            Self::NoModel { name } => write!(f, "Could not find any versions of model {name}"),
            Self::NoVersion { name, version } => {
                write!(f, "Could not find version {version} of model {name}")
            }
            Self::Invalid { detail }
            | Self::Precondition { detail }
            | Self::TooMuch { detail }
            | Self::Unavailable { detail }
            | Self::Unimplemented { detail } => f.write_str(detail),
            Self::NoAddress { method } => {
                write!(
                    f,
                    "there is nothing for {method} at this address; `/openapi.json` lists all addresses"
                )
            }
            Self::Internal => f.write_str("the model could not be asked; the log says why"),
        }
    }
}

impl std::error::Error for PredictError {}
