//! Models asked directly over REST, in the words of TensorFlow Serving and of the Open Inference Protocol, so that
//! their clients work unchanged; and our own list and explanations. Errors are `{"error": "…"}`, unknown fields are
//! ignored. Absent on purpose: which versions serve and what they answer (`predict`'s).

mod answer;
mod bare;
mod cells;
pub(super) mod drift;
mod examples;
mod explaining;
mod few;
mod infer_answer;
mod infer_body;
pub(super) mod listing;
mod open_inference;
mod predict_body;
mod server;
mod tensorflow;

use std::sync::Arc;
use std::time::Duration;

pub(super) use drift::drift;
pub(super) use explaining::explain;
pub(super) use listing::list;
pub(super) use open_inference::open_inference;
pub(super) use tensorflow::tensorflow;

use super::asked::Asked;
use super::problem::{Code, Problem};
use crate::predict::Models;

/// What is below TensorFlow Serving's addresses in whatever case, and below the other protocol's.
pub(super) const OTHER_TENSORFLOW: &str = "/{rest:(?i:v1/models)/.*}";
pub(super) const OTHER_OPEN_INFERENCE: &str = "/v2/{rest:.*}";

/// Bytes of a request's body at these doors.
const BODY_LIMIT: usize = 64 << 20;
/// The longest that such a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(60);

impl Asked {
    /// # Errors
    /// `starting`, until models are loaded.
    fn models(&self) -> Result<Arc<Models>, Problem> {
        self.doors.models().cloned().ok_or_else(Problem::starting)
    }

    /// The body, whatever its media type says: clients of these protocols send none or any.
    ///
    /// # Errors
    /// `unsupported_media_type` when it is compressed, `body_too_large`, `request_timeout`, `malformed_body`.
    async fn model_body(&mut self) -> Result<actix_web::web::Bytes, Problem> {
        let encoding = self.http.headers().get(actix_web::http::header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            let detail = "compressed bodies are not taken; leave out `Content-Encoding`";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
        self.bytes_within(BODY_LIMIT, BODY_TIME).await
    }
}
