//! One server asked over HTTP. Connections are kept; redirects and proxies are not followed, and no answer is read
//! beyond a size that none has. Absent: what is asked and what an answer means (the protocols' files).

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, StatusCode};

use super::tensors::{self, Reply};
use super::trace::{TRACEPARENT, TraceContext};
use super::{failure, oip, tensorflow};
use crate::domain::flow::remote::{ModelAsked, RemoteFailure, RemoteFault};
use crate::domain::model::remote::{Protocol, Remote};

/// Bytes of an answer to one row.
pub(super) const LARGEST_ANSWER: usize = 1024 * 1024;
/// A connection that nobody has used so long may have been cut on the way.
const IDLE: Duration = Duration::from_secs(30);

/// One server and its connections.
#[derive(Debug)]
pub(super) struct HttpDoor {
    client: Client,
    /// `http://host:port`
    base: String,
    key: Option<HeaderValue>,
}

/// Why a server cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub(super) enum DoorError {
    #[error("the key cannot stand in a header")]
    Key,
    #[error("no connections can be made")]
    Client(#[source] reqwest::Error),
    #[error("no channel can be made")]
    Channel(#[source] tonic::transport::Error),
}

impl HttpDoor {
    /// `at`: the one of the host's addresses that is asked; `None` leaves that to the system.
    pub fn new(
        base: &str,
        at: Option<SocketAddr>,
        remote: &Remote,
        key: Option<&str>,
    ) -> Result<Self, DoorError> {
        let mut builder = Client::builder()
            .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(remote.attempt)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(usize::try_from(remote.most_at_once).unwrap_or(usize::MAX));
        if let Some(at) = at {
            // The name stays in the request and in the certificate's check.
            builder = builder.resolve(&host_of(base), at);
        }
        let key = key.map(|key| {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| DoorError::Key)?;
            value.set_sensitive(true);
            Ok(value)
        });
        let client = builder.build().map_err(DoorError::Client)?;
        Ok(Self { client, base: base.to_owned(), key: key.transpose()? })
    }

    /// Asks about one row.
    pub async fn infer(
        &self,
        asked: &ModelAsked,
        remote: &Remote,
        trace: &TraceContext,
    ) -> Result<Reply, RemoteFailure> {
        let tensors = tensors::of_row(asked)?;
        let (path, body) = match remote.protocol {
            Protocol::OpenInference => (oip::path(remote), oip::body(remote, &tensors)),
            Protocol::TensorflowServing => (tensorflow::path(remote), tensorflow::body(remote, &tensors)),
        };
        let request = self.client.post(format!("{}{path}", self.base));
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body);
        let request = request.header(TRACEPARENT, trace.to_text());
        let response = self.authorised(request).send().await.map_err(|error| unreachable(&error))?;
        if let Some(refused) = refused(response.status()) {
            return Err(refused);
        }
        let bytes = bytes_of(response).await?;
        match remote.protocol {
            Protocol::OpenInference => oip::read(&bytes),
            Protocol::TensorflowServing => tensorflow::read(&remote.output, &bytes),
        }
    }

    /// Whether the server says that the model can be asked.
    pub async fn is_ready(&self, remote: &Remote) -> bool {
        let path = match remote.protocol {
            Protocol::OpenInference => oip::ready_path(remote),
            Protocol::TensorflowServing => tensorflow::model_path(remote),
        };
        let request = self.authorised(self.client.get(format!("{}{path}", self.base)));
        let Ok(response) = request.send().await else { return false };
        if !response.status().is_success() {
            return false;
        }
        let Ok(bytes) = bytes_of(response).await else { return false };
        match remote.protocol {
            // Some say it by the status alone.
            Protocol::OpenInference => {
                let said: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
                said.get("ready").is_none_or(|ready| *ready != false)
            }
            Protocol::TensorflowServing => tensorflow::is_available(&bytes),
        }
    }

    fn authorised(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.key {
            Some(key) => request.header(AUTHORIZATION, key.clone()),
            None => request,
        }
    }
}

/// Host without port, as it stands in the address.
fn host_of(base: &str) -> String {
    let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
    let host = rest.rsplit_once(':').map_or(rest, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

/// The words never hold the address's inside: only what kind of trouble it was.
fn unreachable(error: &reqwest::Error) -> RemoteFailure {
    let detail = match error {
        error if error.is_connect() => "no connection could be made",
        error if error.is_timeout() => return failure(RemoteFault::Late, "no answer in time"),
        _ => "the connection broke before the answer came",
    };
    failure(RemoteFault::Unreachable, detail)
}

fn refused(status: StatusCode) -> Option<RemoteFailure> {
    let code = match status {
        status if status.is_success() => return None,
        // The question itself is wrong: another server would say the same.
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::PAYLOAD_TOO_LARGE => {
            RemoteFault::Refused
        }
        _ => RemoteFault::ServerFailed,
    };
    Some(failure(code, format!("the server answered with status {}", status.as_u16())))
}

async fn bytes_of(mut response: Response) -> Result<Vec<u8>, RemoteFailure> {
    let too_large = || failure(RemoteFault::Nonsense, "the answer is larger than 1 MiB");
    let announced = response.content_length().unwrap_or_default();
    if announced > u64::try_from(LARGEST_ANSWER).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or_default());
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if bytes.len() + chunk.len() > LARGEST_ANSWER {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
