//! The real application for tests: a folder of its own with copies of `rules/` and `models/`, the service in this
//! process on port 0 or as the real program, and an HTTP client. Absent: any part that only a test would have.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;
use tollgate::app::{Application, Ended, StartError, Stopper};
use tollgate::config::{Flags, Settings, gather};
use tollgate::domain::facts::Given;

pub const FLOW: &str = "personal_loan";
/// Waiting for longer than this means that it will not happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with `rules/`, `models/` and, once served, `data/`.
pub struct Home {
    folder: TempDir,
}

impl Home {
    /// With copies of a small flow, which tests may change as they like, and of two versions of the model that it uses.
    pub fn new() -> Self {
        let home = Self::with_rules("tests/fixtures/small/rules");
        std::fs::remove_dir_all(home.path("models/german_credit/3")).unwrap();
        home.edit("models/german_credit/model.yaml", "champion: 3", "champion: 1");
        home
    }

    /// With copies of the repository's rules and of the model that they use.
    pub fn of_samples() -> Self {
        Self::with_rules("rules")
    }

    fn with_rules(rules: &str) -> Self {
        let home = Self::empty();
        copy_folder(&repository().join(rules), &home.path("rules"));
        copy_folder(&repository().join("models/german_credit"), &home.path("models/german_credit"));
        home
    }

    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("tollgate-it-").tempdir().unwrap();
        Self { folder }
    }

    pub fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    pub fn read(&self, part: &str) -> String {
        std::fs::read_to_string(self.path(part)).unwrap()
    }

    pub fn write(&self, part: &str, text: impl AsRef<[u8]>) {
        let path = self.path(part);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Replaces text that must be there.
    pub fn edit(&self, part: &str, from: &str, to: &str) {
        let text = self.read(part);
        assert!(text.contains(from), "`{from}` is not in {part}");
        self.write(part, text.replace(from, to));
    }

    pub fn flags(&self) -> Flags {
        let part = |name: &str| Some(self.path(name).display().to_string());
        Flags {
            http: Some("127.0.0.1:0".to_owned()),
            grpc: Some("127.0.0.1:0".to_owned()),
            data: part("data"),
            rules: part("rules"),
            models: part("models"),
            ..Flags::default()
        }
    }

    pub async fn serve(&self) -> Service {
        self.serve_with(self.flags()).await
    }

    pub async fn serve_with(&self, flags: Flags) -> Service {
        self.serve_as(Settings { workers: 2, ..gather(&flags, &|_| None).unwrap() }).await
    }

    pub async fn serve_as(&self, settings: Settings) -> Service {
        let begun = Instant::now();
        // A service that was dropped a moment ago may still hold the log's lock.
        let application = loop {
            match Application::build(settings.clone()).await {
                Ok(application) => break application,
                Err(StartError::Audit(error)) if begun.elapsed() > PATIENCE => panic!("{error}"),
                Err(StartError::Audit(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => panic!("{error}"),
            }
        };
        let api = Api::new(format!("http://{}", application.address()));
        let grpc = application.grpc_address();
        let stopper = application.stopper();
        Service { api, grpc, stopper, running: tokio::spawn(async { application.run().await.unwrap() }) }
    }

    /// The real program, with this home's folders.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.current_dir(self.folder.path()).env_remove("TOLLGATE_DATABASE_URL").env("NO_COLOR", "1");
        command
    }

    /// Runs every `$ …` line of a page of the docs in order, in this folder, and holds what stands below it to what it
    /// prints, with what it says of a failure. Gives the number of commands.
    #[track_caller]
    pub fn walk(&self, page: &str) -> usize {
        let page = std::fs::read_to_string(repository().join(page)).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_tollgate")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let mut commands = 0;
        for block in page.split("\n```\n").filter(|block| block.starts_with("$ ")) {
            for step in block.split("\n$ ") {
                let step = step.trim_start_matches("$ ");
                let (command, shown) = step.split_once('\n').unwrap_or((step, ""));
                let mut shell = Command::new("sh");
                shell
                    .args(["-c", command])
                    .current_dir(self.path(""))
                    .env("PATH", &path)
                    .env("NO_COLOR", "1");
                let ran = shell.output().unwrap();
                let said = if ran.status.success() { Vec::new() } else { ran.stderr };
                let text = String::from_utf8([ran.stdout, said].concat()).unwrap();
                assert_eq!(text.trim_end(), shown.trim_end(), "{command}");
                commands += 1;
            }
        }
        commands
    }

    /// Runs a command of the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.program().args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Starts `tollgate serve` and waits for its ready line.
    pub fn spawn(&self, arguments: &[&str]) -> Process {
        let mut command = self.program();
        command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]).args(arguments);
        self.spawn_as(command)
    }

    /// Starts the program as this says, and waits for its ready line.
    pub fn spawn_as(&self, mut command: Command) -> Process {
        let said = self.path("stderr.log");
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&said).unwrap())
            .spawn()
            .unwrap();
        let mut process = Process { child, api: Api::new(String::new()), grpc: String::new(), said };
        let begun = Instant::now();
        loop {
            let text = process.said();
            let ready = text.lines().find_map(|line| line.strip_prefix("listening http="));
            if let Some((address, grpc)) = ready.and_then(|rest| rest.split_once(" grpc=")) {
                // Of all addresses that it may listen on, one that it answers on.
                let here = |address: &str| address.replace("0.0.0.0", "127.0.0.1");
                process.api = Api::new(format!("http://{}", here(address)));
                process.grpc = here(grpc);
                return process;
            }
            assert!(process.child.try_wait().unwrap().is_none(), "it ended: {text}");
            assert!(begun.elapsed() < PATIENCE, "it is not ready: {text}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The service in this process.
pub struct Service {
    pub api: Api,
    /// Where it listens for gRPC.
    pub grpc: Option<SocketAddr>,
    stopper: Stopper,
    running: tokio::task::JoinHandle<Ended>,
}

impl Service {
    /// Stops it as SIGTERM would, and waits.
    pub async fn stop(self) {
        self.stopper.stop();
        assert_eq!(self.running.await.unwrap(), Ended::Finished);
    }
}

/// The service as a program; killed when dropped.
pub struct Process {
    child: Child,
    pub api: Api,
    /// Where it listens for gRPC: address and port, or `-`.
    pub grpc: String,
    said: PathBuf,
}

impl Process {
    /// What it wrote to stderr so far: its log.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.said).unwrap()).into_owned()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// It keeps its connections and answers nothing any more.
    pub fn pause(&self) {
        let sent = Command::new("kill").args(["-STOP", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub fn terminate(&mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Json,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn word(&self, name: &str) -> &str {
        self.json[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {}", self.text))
    }

    /// The body of a 200.
    pub fn ok(self) -> Json {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json
    }

    /// That it is a problem of this status and code.
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, &self.json["code"]), (status, &json!(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.json["status"], json!(status));
    }
}

/// Asks one service.
#[derive(Debug, Clone)]
pub struct Api {
    pub base: String,
    client: reqwest::Client,
    key: Option<String>,
}

impl Api {
    pub fn new(base: String) -> Self {
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
        Self { base, client, key: None }
    }

    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    pub fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let json = serde_json::from_str(&text).unwrap_or(Json::Null);
        Ok(Answer { status, headers, text, json })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: &Json) -> Answer {
        self.send(self.request("POST", path).json(body)).await.unwrap()
    }

    /// A body that need not be JSON.
    pub async fn post_bytes(&self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        let request = self.request("POST", path).header("content-type", "application/json");
        self.send(request.body(body.into())).await.unwrap()
    }

    pub async fn decide(&self, facts: &Json) -> Answer {
        self.post("/v1/decisions", &json!({"flow": FLOW, "facts": facts})).await
    }

    pub async fn decide_under_key(&self, body: &Json, key: &str) -> Answer {
        let request = self.request("POST", "/v1/decisions").header("idempotency-key", key);
        self.send(request.json(body)).await.unwrap()
    }

    /// Every decision that a search finds, page by page.
    pub async fn all(&self, filters: &str, limit: usize) -> Vec<Json> {
        self.pages("/v1/decisions", "decisions", filters, limit).await
    }

    pub async fn pages(&self, path: &str, list: &str, filters: &str, limit: usize) -> Vec<Json> {
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}?limit={limit}{filters}{cursor}")).await.ok();
            let items = page[list].as_array().unwrap();
            assert!(items.len() <= limit);
            found.extend(items.iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    }

    /// Waits until an answer satisfies, and gives it.
    pub async fn until(&self, path: &str, satisfies: impl Fn(&Answer) -> bool) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = self.get(path).await;
            if satisfies(&answer) {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "{path} stays {}", answer.text);
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// Waits until a flow comes into force with this threshold; gives the revision.
    pub async fn until_threshold(&self, name: &str, value: f64) -> String {
        let path = format!("/v1/flows/{FLOW}");
        let has = |answer: &Answer| answer.json["thresholds"][name].as_f64() == Some(value);
        let answer = self.until(&path, has).await;
        answer.word("revision").to_owned()
    }
}

/// One row of the German credit data.
#[derive(Debug, Clone)]
pub struct Applicant {
    /// With numbers as numbers; without what turned out.
    pub facts: Json,
    pub turned_out_bad: bool,
}

pub fn applicants() -> Vec<Applicant> {
    let file = repository().join("models/german_credit/data/german_credit.csv");
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let read = |(row, line): (usize, &str)| {
        let mut facts = Map::new();
        facts.insert("applicant_id".to_owned(), json!(format!("row-{}", row + 1)));
        let mut turned_out_bad = false;
        for (name, value) in names.iter().zip(line.split(',')) {
            match (*name, value.parse::<u32>()) {
                ("outcome", _) => turned_out_bad = value == "bad",
                ("amount", _) => drop(facts.insert("amount".to_owned(), json!(format!("{value}.00")))),
                (_, Ok(number)) => drop(facts.insert((*name).to_owned(), json!(number))),
                (_, Err(_)) => drop(facts.insert((*name).to_owned(), json!(value))),
            }
        }
        Applicant { facts: Json::Object(facts), turned_out_bad }
    };
    lines.enumerate().map(read).collect()
}

/// One applicant's facts with one of them replaced.
pub fn facts_with(name: &str, value: Json) -> Json {
    let mut facts = applicants().swap_remove(0).facts;
    facts[name] = value;
    facts
}

/// JSON as the engine takes it.
pub fn given(json: &Json) -> Given {
    let text = serde_json::to_vec(json).unwrap();
    tollgate::documents::json::parse(&text, tollgate::documents::json::JsonLimits::default()).unwrap()
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
