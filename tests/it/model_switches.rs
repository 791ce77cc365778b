//! Versions that take over from each other while they are asked: nothing fails, nothing is mixed, and what cannot serve
//! changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value as Json, json};

use crate::app::{Api, Home};
use crate::model_doors::{expected, home, model, rows};

const MODEL: &str = "german_credit";

/// Appears as one, as `tollgate train` has it: written beside, then renamed.
fn publish(home: &Home, from: u32, number: u32) {
    let draft = home.path(&format!("models/{MODEL}/.draft"));
    std::fs::create_dir(&draft).unwrap();
    for file in ["model.json", "card.json"] {
        let source = crate::app::repository().join(format!("models/{MODEL}/{from}/{file}"));
        std::fs::copy(source, draft.join(file)).unwrap();
    }
    std::fs::rename(draft, home.path(&format!("models/{MODEL}/{number}"))).unwrap();
}

fn aliases(home: &Home, text: &str) {
    let draft = home.path(&format!("models/{MODEL}/.model.yaml"));
    std::fs::write(&draft, text).unwrap();
    std::fs::rename(draft, home.path(&format!("models/{MODEL}/model.yaml"))).unwrap();
}

async fn load(api: &Api) -> crate::app::Answer {
    api.post(&format!("/v2/repository/models/{MODEL}/load"), &json!({})).await
}

fn numbers(list: &Json) -> Vec<f64> {
    list.as_array().unwrap_or_else(|| panic!("{list}")).iter().map(|n| n.as_f64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_switches_under_load_fail_nobody_and_mix_nothing() {
    const SWITCHES: u32 = 100;
    let home = home();
    let flags = tollgate::config::Flags { models_only: true, ..home.flags() };
    let service = home.serve_with(flags).await;
    let models = [model(1), model(2)];
    let rows = rows(&models[0], 32);
    let known: Arc<[Vec<f64>; 2]> = Arc::new([expected(&models[0], &rows), expected(&models[1], &rows)]);
    assert!(
        known[0].iter().zip(&known[1]).all(|(a, b)| a.to_bits() != b.to_bits()),
        "every row tells them apart"
    );
    let body = Arc::new(json!({ "instances": rows }));
    let (done, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let client = |path: String| {
        let (api, known, body) = (service.api.clone(), Arc::clone(&known), Arc::clone(&body));
        let (done, asked) = (Arc::clone(&done), Arc::clone(&asked));
        tokio::spawn(async move {
            let mut seen = [0_usize; 2];
            while !done.load(Ordering::Relaxed) {
                let answers = numbers(&api.post(&path, &body).await.ok()["predictions"]);
                let which = known.iter().position(|known| *known == answers);
                seen[which.expect("all rows of an answer are one version's")] += 1;
                asked.fetch_add(1, Ordering::Relaxed);
            }
            seen
        })
    };
    let clients = [
        client(format!("/v1/models/{MODEL}:predict")),
        client(format!("/v1/models/{MODEL}/labels/champion:predict")),
        client(format!("/v1/models/{MODEL}:predict")),
    ];
    for switch in 0..SWITCHES {
        let (number, before) = (switch + 3, asked.load(Ordering::Relaxed));
        publish(&home, switch % 2 + 1, number);
        load(&service.api).await.ok();
        aliases(&home, &format!("aliases: {{ champion: {number} }}\n"));
        load(&service.api).await.ok();
        // The last one is no longer named: it goes, and requests that hold it are answered.
        std::fs::remove_dir_all(home.path(&format!("models/{MODEL}/{}", number - 1))).unwrap();
        let status = service.api.get(&format!("/v1/models/{MODEL}/versions/{number}")).await.ok();
        assert_eq!(status["model_version_status"][0]["state"], "AVAILABLE");
        let latest =
            service.api.post(&format!("/v1/models/{MODEL}/labels/champion:predict"), &body).await.ok();
        assert_eq!(numbers(&latest["predictions"]), known[(switch % 2) as usize], "switch {switch}");
        // Somebody was asking meanwhile.
        while asked.load(Ordering::Relaxed) == before {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        let seen = client.await.expect("no request failed and none was mixed");
        assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
    }
    let metrics = service.api.get("/metrics").await.text;
    let problems = metrics.lines().find(|line| line.starts_with("tollgate_model_problems ")).unwrap();
    assert_eq!(problems, "tollgate_model_problems 0");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_that_are_put_aside_and_copied_back_fail_nobody() {
    let home = home();
    let flags = tollgate::config::Flags { models_only: true, ..home.flags() };
    let service = home.serve_with(flags).await;
    let body = Arc::new(json!({ "instances": rows(&model(1), 3) }));
    let done = Arc::new(AtomicBool::new(false));
    let clients = ["", "/labels/champion", "/versions/2"].map(|which| {
        let (api, body, done) = (service.api.clone(), Arc::clone(&body), Arc::clone(&done));
        tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                api.post(&format!("/v1/models/{MODEL}{which}:predict"), &body).await.ok();
            }
        })
    });
    let told = async |wanted: usize| {
        let count = |json: &Json| json["models"]["problems"].as_array().unwrap().len();
        service.api.until("/readyz", |answer| count(&answer.json) == wanted).await.ok()
    };
    for part in ["models".to_owned(), format!("models/{MODEL}")] {
        let aside = home.path("aside");
        std::fs::rename(home.path(&part), &aside).unwrap();
        let ready = told(1).await;
        let problem = ready["models"]["problems"][0]["problem"].as_str().unwrap();
        assert!(problem.starts_with("no version of it is left in `models/`"), "{problem}");
        crate::app::copy_folder(&aside, &home.path(&part));
        told(0).await;
        std::fs::remove_dir_all(&aside).unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no request failed");
    }
    // Who means it says so.
    std::fs::remove_dir_all(home.path(&format!("models/{MODEL}"))).unwrap();
    told(1).await;
    service.api.post(&format!("/v2/repository/models/{MODEL}/unload"), &json!({})).await.ok();
    told(0).await;
    let gone = service.api.post(&format!("/v1/models/{MODEL}:predict"), &body).await;
    assert_eq!(gone.status, 404);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_version_changes_nothing_and_is_seen() {
    let home = home();
    let flags = tollgate::config::Flags { models_only: true, ..home.flags() };
    let service = home.serve_with(flags).await;
    let api = &service.api;
    let two = model(2);
    let rows = rows(&two, 5);
    let body = json!({ "instances": rows });
    let serves_two = async || {
        for path in ["", "/labels/challenger", "/versions/2"] {
            let answer = api.post(&format!("/v1/models/{MODEL}{path}:predict"), &body).await.ok();
            assert_eq!(numbers(&answer["predictions"]), expected(&two, &rows), "{path}");
        }
    };
    let status = async |version: u32| {
        let status = api.get(&format!("/v1/models/{MODEL}/versions/{version}")).await.ok();
        status["model_version_status"][0].clone()
    };
    let problems = async || {
        let ready = api.get("/readyz").await;
        assert_eq!(ready.status, 200);
        ready.json["models"]["problems"].as_array().unwrap().len()
    };
    // A newer version that is not whole.
    publish(&home, 2, 3);
    home.write(&format!("models/{MODEL}/3/model.json"), "{\"format\":\"tollgate-model\",");
    load(api).await.ok();
    serves_two().await;
    let three = status(3).await;
    assert_eq!((&three["state"], &three["status"]["error_code"]), (&json!("END"), &json!("DATA_LOSS")));
    assert!(three["status"]["error_message"].as_str().unwrap().contains("ends too early"), "{three}");
    assert_eq!(problems().await, 1);
    // A label that is moved there.
    aliases(&home, "aliases: { champion: 1, challenger: 3 }\n");
    load(api).await.ok();
    serves_two().await;
    assert_eq!(problems().await, 2);
    // A label for a version that never was, and a file that is no YAML.
    aliases(&home, "aliases: { champion: 1, challenger: 9 }\n");
    load(api).await.ok();
    serves_two().await;
    aliases(&home, "aliases: [");
    load(api).await.ok();
    serves_two().await;
    // The bytes of what serves are changed on disk: a recorded prediction comes out otherwise.
    aliases(&home, "aliases: { champion: 1, challenger: 2 }\n");
    home.edit(&format!("models/{MODEL}/2/model.json"), "\"value\":[", "\"value\":[0.123,");
    load(api).await.ok();
    serves_two().await;
    let changed = status(2).await;
    assert_eq!(
        (&changed["state"], &changed["status"]["error_code"]),
        (&json!("AVAILABLE"), &json!("DATA_LOSS"))
    );
    // All is put right.
    std::fs::remove_dir_all(home.path(&format!("models/{MODEL}/2"))).unwrap();
    std::fs::remove_dir_all(home.path(&format!("models/{MODEL}/3"))).unwrap();
    publish(&home, 2, 2);
    load(api).await.ok();
    serves_two().await;
    assert_eq!(problems().await, 0);
    assert_eq!(status(2).await["status"]["error_code"], "OK");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn model_yaml_says_which_versions_serve() {
    let home = home();
    let flags = tollgate::config::Flags { models_only: true, ..home.flags() };
    let service = home.serve_with(flags).await;
    let api = &service.api;
    for (from, number) in [(1, 3), (2, 4)] {
        publish(&home, from, number);
    }
    let check = async |text: &str, wanted: &[&str]| {
        aliases(&home, text);
        load(api).await.ok();
        let metadata = api.get(&format!("/v2/models/{MODEL}")).await.ok();
        assert_eq!(metadata["versions"], json!(wanted), "{text}");
    };
    check("aliases: { champion: 1 }\n", &["1", "4"]).await;
    check("aliases: { champion: 1 }\nserve: { latest: 2 }\n", &["1", "3", "4"]).await;
    check("serve: { latest: 2 }\n", &["3", "4"]).await;
    check("serve: all\n", &["1", "2", "3", "4"]).await;
    check("serve: { versions: [2, 3] }\n", &["2", "3"]).await;
    check("serve: { latest: 0 }\n", &["2", "3"]).await;
    let ended = api.get(&format!("/v1/models/{MODEL}/versions/4")).await.ok();
    assert_eq!(ended["model_version_status"][0]["state"], "END");
    // Found without being told: the folder is watched.
    aliases(&home, "serve: all\n");
    let all = json!(["1", "2", "3", "4"]);
    api.until(&format!("/v2/models/{MODEL}"), |answer| answer.json["versions"] == all).await;
    service.stop().await;
}
