//! `deploy/nginx/` run by a real nginx in front of real processes: both doors of models and of decisions balanced over
//! two services, and what callers see when one of them is killed. Absent: TLS.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tollgate::wire::tensorflow::serving::prediction_service_client::PredictionServiceClient;
use tollgate::wire::tollgate::v1::DecideRequest;
use tollgate::wire::tollgate::v1::decide_reply::Reply;
use tollgate::wire::tollgate::v1::decisions_client::DecisionsClient;
use tonic::transport::Channel;

use crate::app::{Api, FLOW, Home, Process, applicants, repository};
use crate::grpc::wire_struct;
use crate::grpc_models::question;
use crate::model_clients::{python, run, skipped};
use crate::model_doors;

/// nginx with a file of `deploy/nginx/`, its addresses replaced by what is free here; stopped when dropped.
struct Nginx {
    child: Child,
    folder: TempDir,
    rest: Api,
    grpc: String,
}

impl Nginx {
    /// `None`, said loudly, where no nginx is installed. `TOLLGATE_TEST_CLIENTS=required` refuses that.
    fn before(file: &str, services: [&Process; 2]) -> Option<Self> {
        let program = program()?;
        let folder = tempfile::Builder::new().prefix("tollgate-nginx-").tempdir().unwrap();
        let text = std::fs::read_to_string(repository().join("deploy/nginx").join(file)).unwrap();
        let [rest, grpc] = [free_address(), free_address()];
        let (one, two) = (services[0], services[1]);
        let http = |process: &Process| process.api.address().trim_start_matches("http://").to_owned();
        let mut included = text;
        for (written, here) in [
            ("listen 127.0.0.1:8000", format!("listen {rest}")),
            ("listen 127.0.0.1:8001", format!("listen {grpc}")),
            ("server 127.0.0.1:8080", format!("server {}", http(one))),
            ("server 127.0.0.1:8180", format!("server {}", http(two))),
            ("server 127.0.0.1:8081", format!("server {}", one.grpc)),
            ("server 127.0.0.1:8181", format!("server {}", two.grpc)),
        ] {
            assert_eq!(
                included.matches(&format!("{written} ")).count()
                    + included.matches(&format!("{written};")).count(),
                1,
                "{file}: {written}"
            );
            included = included.replace(written, &here);
        }
        std::fs::write(folder.path().join("included.conf"), included).unwrap();
        std::fs::write(folder.path().join("nginx.conf"), whole(folder.path())).unwrap();
        let child = Command::new(program)
            .arg("-c")
            .arg(folder.path().join("nginx.conf"))
            .args(["-g", "daemon off;"])
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("stderr.log")).unwrap())
            .spawn()
            .unwrap();
        let mut nginx = Self { child, folder, rest: Api::new(format!("http://{rest}")), grpc };
        let begun = Instant::now();
        while std::net::TcpStream::connect(&rest).is_err() {
            assert!(nginx.child.try_wait().unwrap().is_none(), "it ended: {}", nginx.said());
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not listen: {}", nginx.said());
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(nginx)
    }

    async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.grpc)).unwrap().connect().await.unwrap()
    }

    fn said(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        format!("{}{}", read("stderr.log"), read("error.log"))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killed, the first process would leave its workers behind.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps it where only root looks.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join("nginx")).find(|file| file.is_file());
    if found.is_none() {
        skipped("nginx is not installed: run `tests/nginx-up.sh`, or `tests/run`");
    }
    found
}

/// What Debian's `nginx.conf` has around the file, with all that is written below one folder.
fn whole(folder: &Path) -> String {
    let folder = folder.display();
    // Started by root it would give its workers another user, who may not read a temporary folder.
    let user = if is_root() { "user root;\n" } else { "" };
    let kept: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {folder}/{what};\n"))
        .concat();
    format!(
        "{user}worker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n\
         events {{ worker_connections 256; }}\n\
         http {{\naccess_log off;\n{kept}include {folder}/included.conf;\n}}\n"
    )
}

fn is_root() -> bool {
    let said = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8_lossy(&said.stdout).trim() == "0"
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// How many requests for a prediction a service has answered.
async fn asked(process: &Process) -> u64 {
    let path = "/v2/models/german_credit/stats";
    let stats = process.api.get(path).await.ok();
    let versions = stats["model_stats"].as_array().unwrap().iter();
    versions.map(|version| version["inference_stats"]["success"]["count"].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn model_services_behind_nginx_share_the_load_and_one_that_dies_is_not_noticed() {
    let homes = [model_doors::home(), model_doors::home()];
    let mut services = homes.each_ref().map(|home| home.spawn(&["--models-only", "--models", "models"]));
    let [one, two] = services.each_ref();
    let Some(nginx) = Nginx::before("models.conf", [one, two]) else { return };

    let model = model_doors::model(1);
    let rows = model_doors::rows(&model, 20);
    let expected = model_doors::expected(&model, &rows);
    let body = json!({ "instances": rows });
    let path = "/v1/models/german_credit/versions/1:predict";
    for _ in 0..20 {
        let answer = nginx.rest.post(path, &body).await;
        assert_eq!(answer.status, 200, "{} {}", answer.text, nginx.said());
        assert_eq!(answer.json["predictions"], json!(expected), "{}", answer.text);
    }
    assert!(asked(one).await > 0 && asked(two).await > 0, "both are asked");
    // What a service refuses comes through in its own words.
    let nothing = nginx.rest.post("/v1/models/nobody:predict", &body).await;
    let told = one.api.post("/v1/models/nobody:predict", &body).await;
    assert_eq!((nothing.status, &nothing.json), (404, &told.json));

    if let Some(python) = python() {
        tokio::task::block_in_place(|| {
            run(&python, "triton_http.py", &[nginx.rest.address(), "balanced"], one);
            run(&python, "triton_grpc.py", &[&nginx.grpc, "balanced"], one);
        });
    }

    let mut client = PredictionServiceClient::new(nginx.channel().await);
    services[0].kill();
    for _ in 0..50 {
        let over = client.predict(question(&model, &rows)).await.unwrap().into_inner();
        assert_eq!(over.outputs["probability"].double_val, expected);
        let answer = nginx.rest.post(path, &body).await;
        assert_eq!(answer.status, 200, "{} {}", answer.text, nginx.said());
        assert_eq!(answer.json["predictions"], json!(expected), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_behind_nginx_decide_and_record_over_both_doors() {
    let homes = [Home::new(), Home::new()];
    let services = homes.each_ref().map(|home| home.spawn(&[]));
    let [one, two] = services.each_ref();
    let Some(nginx) = Nginx::before("engine.conf", [one, two]) else { return };

    let channel = nginx.channel().await;
    let mut client = DecisionsClient::new(channel);
    let mut all = BTreeSet::new();
    let mut questions = Vec::new();
    for applicant in applicants().iter().take(20) {
        let rest = nginx.rest.decide(&applicant.facts).await.ok();
        let question = DecideRequest {
            flow: FLOW.to_owned(),
            facts: Some(wire_struct(&applicant.facts)),
            ..Default::default()
        };
        questions.push(question.clone());
        let over = client.decide(question).await.unwrap().into_inner();
        assert_eq!(rest["outcome"], over.outcome);
        all.extend([over.decision_id, rest["decision_id"].as_str().unwrap().to_owned()]);
    }
    let mut replies = client.decide_stream(tokio_stream::iter(questions)).await.unwrap().into_inner();
    while let Some(reply) = replies.message().await.unwrap() {
        let Some(Reply::Decision(decision)) = reply.reply else { panic!("{reply:?}") };
        all.insert(decision.decision_id);
    }
    assert_eq!(all.len(), 60);

    // Each stands in the record of one of the two, and both have some.
    let mut recorded = BTreeSet::new();
    for process in [one, two] {
        let mine = process.api.all("", 1000).await;
        assert!(!mine.is_empty(), "both are asked");
        recorded.extend(mine.iter().map(|decision| decision["decision_id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(recorded, all);
}
