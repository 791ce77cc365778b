//! A server of this process on a real socket, which can change its manner, and how it is asked.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::super::*;
use crate::domain::value::Value;
use crate::learn::library::ModelLibrary;

/// What a server does with a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::gather) enum Manner {
    Answers(f64),
    Sleeps(Duration),
    Status(u16),
    Says(&'static str),
    /// Answers one half, after a while.
    Ponders(Duration),
    Endless,
    HangsUp,
}

/// A server that speaks just enough HTTP, and can change its manner.
pub(in crate::gather) struct Fake {
    pub address: String,
    manner: Arc<Mutex<Manner>>,
    asked: Arc<AtomicUsize>,
    last: Arc<Mutex<String>>,
    serving: JoinHandle<()>,
}

impl Fake {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (manner, asked) = (Arc::new(Mutex::new(manner)), Arc::new(AtomicUsize::new(0)));
        let last = Arc::new(Mutex::new(String::new()));
        let shared = (Arc::clone(&manner), Arc::clone(&asked), Arc::clone(&last));
        let serving = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, shared.clone()));
            }
        });
        Self { address, manner, asked, last, serving }
    }

    pub fn turn(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    pub fn last(&self) -> String {
        self.last.lock().unwrap().clone()
    }

    /// As when the process is killed: nobody listens, and open connections break.
    pub async fn kill(&mut self) {
        self.serving.abort();
        assert!((&mut self.serving).await.unwrap_err().is_cancelled());
    }
}

type Shared = (Arc<Mutex<Manner>>, Arc<AtomicUsize>, Arc<Mutex<String>>);

async fn serve(mut stream: TcpStream, (manner, asked, last): Shared) {
    let mut buffer = Vec::new();
    loop {
        let Some(request) = request(&mut stream, &mut buffer).await else { return };
        let manner = *manner.lock().unwrap();
        if request.starts_with("GET ") {
            let status = if matches!(manner, Manner::Status(_)) { 503 } else { 200 };
            let body = "{\"model_version_status\":[{\"version\":\"1\",\"state\":\"AVAILABLE\"}]}";
            say(&mut stream, status, body).await;
            continue;
        }
        asked.fetch_add(1, Ordering::Relaxed);
        *last.lock().unwrap() = request;
        match manner {
            Manner::Answers(p) => {
                let body = format!(
                    "{{\"model_name\":\"m\",\"model_version\":\"7\",\"outputs\":[{{\"name\":\"p\",\"shape\":[1,2],\
                     \"datatype\":\"FP64\",\"data\":[{},{p}]}}]}}",
                    1.0 - p
                );
                say(&mut stream, 200, &body).await;
            }
            Manner::Sleeps(how_long) => {
                tokio::time::sleep(how_long).await;
                say(&mut stream, 200, "{}").await;
            }
            Manner::Ponders(how_long) => {
                tokio::time::sleep(how_long).await;
                let body = "{\"outputs\":[{\"name\":\"p\",\"shape\":[1,2],\"data\":[0.5,0.5]}]}";
                say(&mut stream, 200, body).await;
            }
            Manner::Status(status) => say(&mut stream, status, "{\"error\":\"amount 2500 is bad\"}").await,
            Manner::Says(body) => say(&mut stream, 200, body).await,
            Manner::Endless => {
                let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                drop(stream.write_all(head.as_bytes()).await);
                let chunk = format!("10000\r\n{}\r\n", "0".repeat(0x10000));
                while stream.write_all(chunk.as_bytes()).await.is_ok() {}
                return;
            }
            Manner::HangsUp => return,
        }
    }
}

async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            let length: usize = length.trim().parse().unwrap();
            if rest.len() >= length {
                buffer.drain(..head.len() + 4 + length);
                return Some(format!("{head}\n\n{}", rest.get(..length).unwrap()));
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

async fn say(stream: &mut TcpStream, status: u16, body: &str) {
    let length = body.len();
    let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}");
    drop(stream.write_all(text.as_bytes()).await);
}

/// A model on these servers; `more` is laid behind the lines that every one needs.
pub(in crate::gather) fn model(servers: &[&Fake], more: &str) -> Arc<Model> {
    let servers: Vec<&str> = servers.iter().map(|fake| fake.address.as_str()).collect();
    let text = format!(
        "servers: [{}]\nmodel: m\ninputs:\n  amount: {{ type: decimal, if_missing: nan }}\n  age: integer\n  purpose: text\n{more}",
        servers.join(", ")
    );
    let library = ModelLibrary::from_files(&[("m/remote.yaml", text.as_bytes())]);
    assert_eq!(library.findings(), [], "{text}");
    library.resolve("m").unwrap()
}

pub(in crate::gather) const OIP: &str = "protocol: oip\noutput: { tensor: p, at: 1 }\nhealth: off\n";

pub(in crate::gather) fn about(model: &Arc<Model>, age: i64) -> ModelAsked {
    let amount = Value::Decimal("2500.50".parse().unwrap());
    let row = [amount, Value::Integer(age), Value::text("car \"new\"")].into();
    ModelAsked { model: Arc::clone(model), row }
}

pub(in crate::gather) async fn ask_within(
    remotes: &Remotes,
    asked: ModelAsked,
    within: Duration,
) -> RemoteAnswer {
    let deadline = std::time::Instant::now() + within;
    remotes.ask_all(vec![asked], deadline, &TraceContext::begin()).await.remove(0).answer
}

pub(in crate::gather) async fn ask(remotes: &Remotes, asked: ModelAsked) -> RemoteAnswer {
    ask_within(remotes, asked, Duration::from_secs(10)).await
}

pub(in crate::gather) fn remotes() -> Remotes {
    Remotes::new(Handle::current())
}

pub(in crate::gather) fn fault(answer: &RemoteAnswer) -> RemoteFault {
    answer.result.as_ref().unwrap_err().code
}
