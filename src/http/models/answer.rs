//! Answers and errors of the model doors: the status of each canonical code, and `{"error": "…"}`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER};
use serde::Serialize;
use serde_json::json;

use crate::predict::{Canonical, PredictError};

/// Which words an error is told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    TensorFlow,
    OpenInference,
}

pub(super) fn error(error: &PredictError, words: Words) -> HttpResponse {
    let text = match words {
        Words::TensorFlow => error.to_string(),
        Words::OpenInference => error.open_inference(),
    };
    let status = match error {
        // Asked again it would be no less, which 429 would invite to.
        PredictError::TooMuch { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => status(error.code()),
    };
    let mut response = HttpResponse::build(status);
    response.insert_header((CACHE_CONTROL, "no-store"));
    if error.code() == Canonical::Unavailable {
        response.insert_header((RETRY_AFTER, 1));
    }
    response.content_type("application/json").body(json!({ "error": text }).to_string())
}

/// As TensorFlow Serving maps them.
fn status(code: Canonical) -> StatusCode {
    match code {
        Canonical::Ok => StatusCode::OK,
        Canonical::InvalidArgument | Canonical::FailedPrecondition => StatusCode::BAD_REQUEST,
        Canonical::NotFound => StatusCode::NOT_FOUND,
        Canonical::PermissionDenied => StatusCode::FORBIDDEN,
        Canonical::Unauthenticated => StatusCode::UNAUTHORIZED,
        Canonical::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Canonical::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Canonical::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Canonical::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Canonical::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        Canonical::Internal | Canonical::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

pub(super) fn answer(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body)
}

pub(super) fn settle(result: Result<HttpResponse, PredictError>, words: Words) -> HttpResponse {
    result.unwrap_or_else(|failure| error(&failure, words))
}
