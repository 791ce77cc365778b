//! The threads that serve gRPC's connections, as REST's do theirs: each has a runtime of its own, and a connection stays
//! with the thread that it was given to. Handed from core to core, a request took a quarter more of their time. Absent
//! on purpose: what is served.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Server;

use super::calls::Calls;
use super::connection::Connection;
use super::door::Door;
use super::until;

/// How long nobody is let in after an accept that failed for want of something (file descriptors, memory).
const PAUSE: Duration = Duration::from_millis(50);

/// After a stop, how long nothing may be in flight before connections are cut whose clients do not answer the farewell.
const QUIET: Duration = Duration::from_secs(2);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A connection on its way to the thread that serves it, with its place among those that are open at a time.
type Accepted = (std::net::TcpStream, OwnedSemaphorePermit);

/// Threads that serve, and the task that hands them connections.
#[derive(Debug)]
pub(super) struct Workers {
    running: JoinSet<io::Result<()>>,
    cut: watch::Sender<bool>,
    /// In flight, on each thread.
    calls: Vec<Calls>,
}

/// How many serve how much.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub threads: usize,
    /// Open connections of all threads together; more wait.
    pub connections: usize,
}

impl Workers {
    /// Serves every connection of `listener` with one of the threads in turn, until `stopped`.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be made.
    pub fn start(
        (listener, size): (TcpListener, Size),
        server: &Server,
        door: &Door,
        stopped: &watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let (cut, _) = watch::channel(false);
        let mut running = JoinSet::new();
        let (mut workers, mut calls) = (Vec::new(), Vec::new());
        for number in 0..size.threads.max(1) {
            let (hand_over, connections) = unbounded_channel();
            let (tell, told) = oneshot::channel();
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let door = door.on_a_thread_of_its_own();
            calls.push(door.calls());
            let serving = Serving {
                server: server.clone(),
                door,
                connections,
                stopped: stopped.clone(),
                cut: cut.subscribe(),
            };
            std::thread::Builder::new().name(format!("grpc-{number}")).spawn(move || {
                // Nobody may wait for it any more.
                let _nobody = tell.send(serving.run(runtime));
            })?;
            workers.push(hand_over);
            running.spawn(async { told.await.unwrap_or_else(|_| Err(panicked())) });
        }
        let places = Arc::new(Semaphore::new(size.connections));
        running.spawn(hand_out((listener, places), workers, stopped.clone()));
        Ok(Self { running, cut, calls })
    }

    /// Ends when one of them ended.
    ///
    /// # Errors
    /// What made it end.
    pub async fn one_ended(&mut self) -> io::Result<()> {
        match self.running.join_next().await {
            Some(ended) => ended.unwrap_or_else(|error| Err(io::Error::other(error))),
            None => Ok(()),
        }
    }

    /// Ends when all of them ended, or nothing has been in flight for a while.
    pub async fn all_ended(&mut self) {
        let Self { running, calls, .. } = self;
        let quiet = async {
            let mut looks = 0;
            while looks * LOOK < QUIET {
                tokio::time::sleep(LOOK).await;
                looks = if calls.iter().any(Calls::is_any) { 0 } else { looks + 1 };
            }
        };
        let ended = async { while running.join_next().await.is_some() {} };
        tokio::select! {
            () = ended => {}
            () = quiet => {}
        }
    }

    /// Ends them all now, whatever they are doing.
    pub fn cut(mut self) {
        let _all_ended = self.cut.send(true);
        self.running.abort_all();
    }
}

fn panicked() -> io::Error {
    io::Error::other("a thread that serves gRPC panicked")
}

/// Gives each connection to the next thread.
async fn hand_out(
    (listener, places): (TcpListener, Arc<Semaphore>),
    workers: Vec<UnboundedSender<Accepted>>,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut turn = workers.iter().cycle();
    let stopping = until(stopped);
    tokio::pin!(stopping);
    loop {
        let accepted = tokio::select! {
            () = &mut stopping => return Ok(()),
            accepted = accept(&listener, &places) => accepted,
        };
        match (accepted, turn.next()) {
            (Ok(connection), Some(worker)) => {
                // A thread that ended ends the whole door (`one_ended`).
                let _ended = worker.send(connection);
            }
            (Ok(_), None) => return Ok(()),
            (Err(error), _) => {
                tracing::debug!(%error, "a gRPC connection could not be accepted");
                if !is_its_own(error.kind()) {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// The next connection, once there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<Accepted> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (connection, _) = listener.accept().await?;
    connection.set_nodelay(true)?;
    Ok((connection.into_std()?, place))
}

/// Whether only this one connection is concerned.
fn is_its_own(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::ConnectionRefused | Kind::InvalidInput
    )
}

/// What one thread needs.
struct Serving {
    server: Server,
    door: Door,
    connections: UnboundedReceiver<Accepted>,
    stopped: watch::Receiver<bool>,
    cut: watch::Receiver<bool>,
}

impl Serving {
    fn run(self, runtime: Runtime) -> io::Result<()> {
        let Self { server, door, connections, stopped, cut } = self;
        let ended = runtime.block_on(async {
            let begun = stopped.clone();
            let incoming = UnboundedReceiverStream::new(connections).map(move |(stream, place)| {
                TcpStream::from_std(stream).map(|stream| Connection::new(stream, place, begun.clone()))
            });
            let serving = server.serve_with_incoming_shutdown(door, incoming, until(stopped));
            tokio::select! {
                served = serving => served.map_err(io::Error::other),
                () = until(cut) => Ok(()),
            }
        });
        // What was not finished in time is not waited for.
        runtime.shutdown_background();
        ended
    }
}
