//! What both protocols of the model doors need: the models, who may ask them, and refusals as statuses. Absent on
//! purpose: the protocols.

use std::sync::Arc;

use tonic::{Code, Request, Status};

use super::caller::Caller;
use crate::http::Doors;
use crate::http::problem::Problem;
use crate::predict::{Models, PredictError};
use crate::store::Role;

/// Bytes of one message at these doors, as over REST.
pub const MESSAGE_LIMIT: usize = 64 << 20;

/// What is done with models. Over REST the same roles may do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Answers for rows.
    Ask,
    /// What there is, and how it is.
    Read,
    /// Load, unload, configure: for nobody without a key, not even where the model doors are open.
    Operate,
}

impl Use {
    /// # Errors
    /// When this caller may not.
    pub fn check(self, caller: &Caller) -> Result<(), Problem> {
        if self == Self::Operate || !caller.model_doors_open {
            caller.with_roles(self.roles())?;
        }
        Ok(())
    }

    fn roles(self) -> &'static [Role] {
        match self {
            Self::Ask => &[Role::Caller],
            Self::Read => &[Role::Caller, Role::Analyst, Role::Auditor, Role::Approver, Role::Operator],
            Self::Operate => &[Role::Operator],
        }
    }
}

/// The models, for whoever may use them so.
pub fn models<T>(doors: &Doors, request: &Request<T>, wanted: Use) -> Result<Arc<Models>, Status> {
    let caller = Caller::of(request);
    let refused = |problem: Problem| caller.refused(&problem);
    wanted.check(&caller).map_err(refused)?;
    doors.models().cloned().ok_or_else(|| refused(Problem::starting()))
}

/// In TensorFlow Serving's words.
pub fn in_tensorflow_words(error: &PredictError) -> Status {
    Status::new(Code::from_i32(error.code() as i32), error.to_string())
}

/// In the words of servers of the Open Inference Protocol.
pub fn in_open_inference_words(error: &PredictError) -> Status {
    Status::new(Code::from_i32(error.code() as i32), error.open_inference())
}
