//! What `deploy/` says, done with the real program: each process that its compose and Kubernetes files run starts with
//! those arguments and that environment, and the split form decides as the joined one does. Absent: containers.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value as Json, json};

use crate::app::{Home, Process, applicants, copy_folder, repository};

fn text(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap()
}

fn document(text: &str) -> Json {
    serde_yaml::from_str(text).unwrap()
}

/// What the image sets.
fn of_the_image() -> BTreeMap<String, String> {
    let file = text("deploy/Dockerfile");
    let set = file.lines().find_map(|line| line.strip_prefix("ENV ")).unwrap();
    set.split(' ')
        .map(|one| one.split_once('=').unwrap())
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect()
}

/// Starts what a file starts: any address, but its own port and folders.
fn started(home: &Home, arguments: &[String], environment: &BTreeMap<String, String>) -> Process {
    let mut all = of_the_image();
    all.extend(environment.clone());
    let mut command: Command = home.program();
    command.args(arguments);
    for (name, value) in &all {
        let value = match name.as_str() {
            "TOLLGATE_HTTP" | "TOLLGATE_GRPC" => format!("{}:0", value.split_once(':').unwrap().0),
            "TOLLGATE_DATA" => home.path("data").display().to_string(),
            _ => value.clone(),
        };
        command.env(name, value);
    }
    home.spawn_as(command)
}

fn words(list: &Json) -> Vec<String> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// Models alone, as they are in the repository.
fn of_models() -> Home {
    let home = Home::empty();
    copy_folder(&repository().join("models/german_credit"), &home.path("models/german_credit"));
    home
}

async fn answers_others(process: &Process, host: &str) {
    for (method, path) in [("GET", "/livez"), ("GET", "/readyz"), ("GET", "/v2/models/german_credit/ready")] {
        let request = process.api.request(method, path).header("host", host);
        let answer = process.api.send(request).await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {} {}", answer.text, process.said());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kubernetes_model_service_starts_and_answers_who_reaches_it() {
    let file = text("deploy/kubernetes/split.yaml");
    let documents: Vec<Json> = file.split("\n---\n").map(document).collect();
    let deployment = documents.iter().find(|one| one["kind"] == "Deployment").unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let set = container["env"].as_array().unwrap().iter();
    let environment =
        set.map(|one| (one["name"].as_str().unwrap().to_owned(), one["value"].as_str().unwrap().to_owned()));
    let home = of_models();
    let process = started(&home, &words(&container["args"]), &environment.collect());
    answers_others(&process, "tollgate-models.tollgate.svc.cluster.local:8080").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_and_models_apart_decide_as_one_process_does() {
    let compose = document(&text("deploy/compose/split.yaml"));
    let service = &compose["services"]["models"];
    let set = service["environment"].as_object().unwrap().iter();
    let environment: BTreeMap<String, String> =
        set.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    let homes = [of_models(), of_models()];
    let models = homes.each_ref().map(|home| started(home, &words(&service["command"]), &environment));
    answers_others(&models[0], "models:8080").await;

    // The engine's folder of models, with the addresses that the name has there.
    let joined = Home::of_samples();
    let split = Home::of_samples();
    std::fs::remove_dir_all(split.path("models")).unwrap();
    copy_folder(&repository().join("deploy/compose/split-models"), &split.path("models"));
    let addresses = models.each_ref().map(|process| format!("http://{}", process.api.address()));
    split.edit(
        "models/german_credit/remote.yaml",
        "servers: { at: http://models:8080, every_s: 5 }",
        &format!("servers: [{}]", addresses.join(", ")),
    );
    // Far more than an answer takes, even on a machine with much else to do.
    split.edit("rules/personal_loan/flow.yaml", "deadline_ms: 50\n", "deadline_ms: 5000\n");
    let here = joined.serve().await;
    let there = split.serve().await;
    for service in [&here, &there] {
        let flows = service.api.get("/v1/flows").await.ok();
        for flow in flows["flows"].as_array().unwrap() {
            assert_eq!(flow["status"], "in_force", "{flow}");
        }
    }
    for applicant in applicants().iter().take(40) {
        let [one, other] = [&here, &there].map(|service| service.api.decide(&applicant.facts));
        let (one, other) = (one.await.ok(), other.await.ok());
        for part in ["outcome", "output", "scores", "degraded"] {
            assert_eq!(one[part], other[part], "{one}\n{other}");
        }
    }
    let gathered = there.api.all("", 100).await;
    assert_eq!(gathered.len(), 40);
    let id = gathered[0]["decision_id"].as_str().unwrap();
    let replay = there.api.post(&format!("/v1/decisions/{id}/replay"), &json!({})).await.ok();
    assert_eq!(replay["agrees"], true, "{replay}");
    here.stop().await;
    there.stop().await;
}
