//! The same use cases over protobuf, beside REST in one process. The door to tonic, prost-reflect and protox. Absent
//! on purpose: rules about who may ask what (REST's, shared), deciding (the engine's), and TLS (a proxy's).

mod admission;
mod caller;
mod calls;
mod connection;
mod decision_message;
mod decisions;
mod door;
pub mod flows;
mod health;
mod inference;
mod meters;
mod models;
mod reflection;
mod status;
mod tensorflow;
mod values;
mod workers;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener as Listener;
use tokio::sync::watch;
use tonic::transport::Server;

use crate::domain::facts::Given;
use crate::http::Doors;
use crate::http::access::Reach;
use crate::http::problem::Fault;

pub use values::json_struct as struct_of_json;
use workers::{Size, Workers};

/// The entries of a Struct as JSON would have given them.
///
/// # Errors
/// What no JSON can say, at its place.
pub fn facts_of_struct(fields: prost_types::Struct) -> Result<Given, Vec<Fault>> {
    let mut faults = Vec::new();
    let given = values::given_entries(fields, "", &mut faults);
    if faults.is_empty() { Ok(given) } else { Err(faults) }
}

/// Streams that one connection may have open at a time; more wait.
const STREAMS: u32 = 1_024;
/// Bytes of a request's metadata that are read; beyond, a client is told less than what is wrong
/// ([`crate::http::LONGEST_HEAD`]).
const LONGEST_METADATA: u32 = 64 * 1024;
/// How often a silent connection is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// A door that is open.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    workers: Workers,
}

/// Serves on a bound listener, until it is stopped.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(listener: TcpListener, doors: Arc<Doors>) -> std::io::Result<Running> {
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let reach = if address.ip().is_loopback() { Reach::Loopback } else { Reach::Beyond };
    let (stop, stopped) = watch::channel(false);
    let threads = doors.settings().workers;
    let connections = doors.settings().max_connections.saturating_mul(threads);
    let door = door::Door::new(doors, reach, stopped.clone());
    let server = Server::builder()
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(LONGEST_METADATA)
        .http2_keepalive_interval(Some(KEEP_ALIVE));
    let listener = (Listener::from_std(listener)?, Size { threads, connections });
    let workers = Workers::start(listener, &server, &door, &stopped)?;
    Ok(Running { address, stop, workers })
}

/// Ends when it is said, or when whoever could say it is gone: then the application is, too.
async fn until(mut said: watch::Receiver<bool>) {
    let _gone = said.wait_for(|said| *said).await;
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends when it ended by itself, which it should not.
    ///
    /// # Errors
    /// What made it end.
    pub async fn ended(&mut self) -> std::io::Result<()> {
        self.workers.one_ended().await
    }

    /// Takes no more connections and no more messages of streams; requests in flight may take as long as `grace`.
    pub async fn stop(mut self, grace: Duration) {
        let _nobody_listens = self.stop.send(true);
        if tokio::time::timeout(grace, self.workers.all_ended()).await.is_err() {
            tracing::warn!("gRPC connections that did not end in time were cut");
        }
        self.workers.cut();
    }
}
