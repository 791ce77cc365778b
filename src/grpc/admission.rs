//! Who may call what, before anything of the message is read: reading one can take a thousand times what sending it
//! does. Absent on purpose: flows' own services (`flows::call` asks before it reads), and what a role may see of an answer.

use tonic::codegen::http::{HeaderMap, Uri};
pub use tonic_health::pb::health_server::SERVICE_NAME as HEALTH;

use super::caller::Caller;
use super::models::Use;
use crate::http::LONGEST_HEAD;
use crate::http::problem::{Code, Problem};
use crate::store::Role;
pub use crate::wire::inference::grpc_inference_service_server::SERVICE_NAME as INFERENCE;
pub use crate::wire::tensorflow::serving::model_service_server::SERVICE_NAME as MODELS;
pub use crate::wire::tensorflow::serving::prediction_service_server::SERVICE_NAME as PREDICTION;
pub use crate::wire::tollgate::v1::decisions_server::SERVICE_NAME as DECISIONS;

/// Whether this caller may call the method that a path names. One that nobody declared is for whoever answers that.
///
/// # Errors
/// `unauthenticated`, `forbidden`, `starting`.
pub fn admit(caller: &Caller, path: &str) -> Result<(), Problem> {
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    let wanted = match (service, method) {
        (INFERENCE, "ServerLive" | "ServerReady") | (HEALTH, _) => return Ok(()),
        (INFERENCE, "ModelInfer" | "ModelStreamInfer") => Use::Ask,
        (INFERENCE, "RepositoryModelLoad" | "RepositoryModelUnload") => Use::Operate,
        (PREDICTION, "GetModelMetadata") => Use::Read,
        (PREDICTION, _) => Use::Ask,
        (MODELS, "HandleReloadConfigRequest") => Use::Operate,
        (MODELS | INFERENCE, _) => Use::Read,
        (DECISIONS, "Get") => return caller.with_roles(&[Role::Caller, Role::Auditor]).map(|_| ()),
        (DECISIONS, _) => return caller.with_roles(&[Role::Caller]).map(|_| ()),
        _ => return Ok(()),
    };
    wanted.check(caller)
}

/// # Errors
/// `head_too_large`.
pub fn check_head(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let headers: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if uri.path().len() + headers <= LONGEST_HEAD {
        return Ok(());
    }
    let detail = format!("path and metadata may have {LONGEST_HEAD} bytes together; send less");
    Err(Problem::new(Code::HeadTooLarge, detail))
}
