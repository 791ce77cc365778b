//! What is in flight, so that a service that stops knows when nothing is. Absent on purpose: what the calls are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt as _;
use tonic::body::Body;

/// Calls in flight on one thread: begun, and their answer not yet.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<AtomicUsize>);

impl Calls {
    pub fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    pub fn begin(&self) -> Call {
        self.0.fetch_add(1, Ordering::Relaxed);
        Call(self.clone())
    }
}

/// One of them, until it is dropped.
pub struct Call(Calls);

impl Call {
    /// In flight until this answer has been sent to its end.
    pub fn until_the_end_of(self, body: Body) -> Body {
        Body::new(body.map_frame(move |frame| {
            let _in_flight = &self;
            frame
        }))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
