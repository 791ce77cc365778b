//! Drift on the real application: what decisions ask and what is asked directly, over REST and gRPC, is counted and held
//! against the card; what is no case of its own is not.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use tollgate::domain::model::Model;
use tollgate::learn::library::read_models;
use tollgate::wire::tensorflow::serving::prediction_service_client::PredictionServiceClient;

use crate::app::{Api, FLOW, Home, applicants, copy_folder, repository};
use crate::grpc::channel;
use crate::grpc_models::question;
use crate::model_doors::{expected, rows};

/// Counters are the whole process's: each test watches a model of its own name.
fn home(model: &str) -> (Home, Arc<Model>) {
    let home = Home::of_samples();
    copy_folder(&repository().join("models/german_credit/3"), &home.path(&format!("models/{model}/3")));
    copy_folder(&repository().join("models/german_credit/1"), &home.path(&format!("models/{model}/1")));
    home.write(&format!("models/{model}/model.yaml"), "aliases: { champion: 3 }\nserve: all\n");
    let flow = format!("rules/{FLOW}/flow.yaml");
    home.edit(&flow, "default_risk: german_credit@champion", &format!("default_risk: {model}@champion"));
    let found = read_models(&home.path("models")).resolve(&format!("{model}@champion")).unwrap();
    (home, found)
}

/// The version in the hour that runs and the one before it: a test may run over the border.
async fn counted(api: &Api, model: &str, version: u32) -> Vec<Json> {
    let mut found = Vec::new();
    for window in ["hour", "last_hour"] {
        let body = api.get(&format!("/v1/models/{model}/drift?window={window}&version={version}")).await.ok();
        assert_eq!((&body["model"], &body["window"]), (&json!(model), &json!(window)));
        let versions = body["versions"].as_array().unwrap();
        assert_eq!((versions.len(), &versions[0]["version"]), (1, &json!(version)), "{body}");
        found.push(versions[0].clone());
    }
    found
}

/// What was observed in each bin of the score.
fn observed(versions: &[Json]) -> Vec<u64> {
    let bins = |version: &Json| version["compared"]["score"]["bins"].as_array().unwrap().clone();
    let count = |bin: &Json| bin["observed"].as_u64().unwrap();
    let one: Vec<u64> = bins(&versions[0]).iter().map(count).collect();
    one.iter().zip(bins(&versions[1]).iter().map(count)).map(|(one, other)| one + other).collect()
}

/// The same worked out from the card, without the service.
fn by_hand(home: &Home, model: &str, scores: &[f64]) -> Vec<u64> {
    let card: Json = serde_json::from_str(&home.read(&format!("models/{model}/3/card.json"))).unwrap();
    let edges: Vec<f64> = serde_json::from_value(card["reference"]["score"]["edges"].clone()).unwrap();
    let mut bins = vec![0; edges.len() + 1];
    scores.iter().for_each(|score| bins[edges.iter().filter(|edge| **edge <= *score).count()] += 1);
    bins
}

/// A metric's values, by the label `bin`.
fn series(text: &str, name: &str, model: &str) -> Vec<u64> {
    let own = format!("{name}{{model=\"{model}\",version=\"3\",bin=");
    text.lines()
        .filter(|line| line.starts_with(&own))
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_and_questions_over_rest_and_grpc_are_counted_once_each() {
    let (home, model) = home("watched");
    let service = home.serve().await;
    let api = &service.api;
    let before = counted(api, "watched", 3).await;
    assert_eq!(before[0]["compared"]["rows"], 0);
    assert_eq!(before[0]["compared"]["score"]["psi"], Json::Null, "{}", before[0]);

    let mut scores = Vec::new();
    for applicant in applicants().iter().take(60) {
        let body = json!({ "flow": FLOW, "facts": applicant.facts });
        let answer = api.post("/v1/decisions", &body).await.ok();
        // Who is knocked out is not scored. Scores in answers are rounded: the model's own is asked for.
        if answer["scores"]["default_risk"].is_number() {
            let facts = std::slice::from_ref(&applicant.facts);
            scores.extend(expected(&model, &[as_row(&model, &facts[0])]));
        }
    }
    assert!(scores.len() > 20, "{}", scores.len());
    let first = scores.len();
    let all = rows(&model, 200);
    api.post("/v1/models/watched:predict", &json!({ "instances": all[..50] })).await.ok();
    scores.extend(expected(&model, &all[..50]));
    let mut grpc = PredictionServiceClient::new(channel(&service).await);
    grpc.predict(question(&model, &all[50..75])).await.unwrap();
    scores.extend(expected(&model, &all[50..75]));

    // None of these is a case of its own.
    let facts = &applicants()[0].facts;
    api.post("/v1/decisions", &json!({ "flow": FLOW, "facts": facts, "dry_run": true })).await.ok();
    api.post("/v1/models/watched:explain", &json!({ "instances": all[..3] })).await.ok();
    let keyed = json!({ "flow": FLOW, "facts": facts });
    let once = api.decide_under_key(&keyed, "k-1").await.ok();
    let again = api.decide_under_key(&keyed, "k-1").await.ok();
    assert_eq!(once["decision_id"], again["decision_id"]);
    if once["scores"]["default_risk"].is_number() {
        scores.extend(expected(&model, &[as_row(&model, facts)]));
    }
    let id = once["decision_id"].as_str().unwrap();
    api.post(&format!("/v1/decisions/{id}/replay"), &json!({})).await.ok();

    let found = counted(api, "watched", 3).await;
    assert_eq!(observed(&found), by_hand(&home, "watched", &scores));
    assert!(scores.len() >= first + 75);
    let text = api.get("/metrics").await.text;
    assert_eq!(
        series(&text, "tollgate_model_score_bin_total", "watched").iter().sum::<u64>(),
        scores.len() as u64
    );
    let reference = series(&text, "tollgate_model_score_bin_reference", "watched");
    assert_eq!(reference, vec![30; 10]);
    for name in
        ["tollgate_model_score_psi{", "tollgate_model_input_psi_limit{", "tollgate_model_drift_alarm{"]
    {
        assert!(text.lines().any(|line| line.starts_with(name) && line.contains("\"watched\"")), "{name}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_go_on_while_a_folder_is_away_and_when_it_is_back() {
    let (home, model) = home("astray");
    let service = home.serve().await;
    let api = &service.api;
    let (rows, facts) = (rows(&model, 10), &applicants()[0].facts);
    let mut scores = Vec::new();
    let mut ask = async || {
        api.post("/v1/models/astray/versions/3:predict", &json!({ "instances": rows })).await.ok();
        scores.extend(expected(&model, &rows));
        let answer = api.decide(facts).await.ok();
        if answer["scores"]["default_risk"].is_number() {
            scores.extend(expected(&model, &[as_row(&model, facts)]));
        }
    };
    let told = async |is_well: bool| {
        let is_told = |json: &Json| json["models"]["problems"].as_array().unwrap().is_empty() == is_well;
        api.until("/readyz", |answer| is_told(&answer.json)).await.ok()
    };
    ask().await;
    // The version's folder, which a label keeps; the model's, and that of all models, which nothing has replaced.
    for part in ["models/astray/3", "models/astray", "models"] {
        std::fs::rename(home.path(part), home.path("away")).unwrap();
        let ready = told(false).await;
        assert_eq!(ready["status"], "ready", "{ready}");
        ask().await;
        let listed = api.get("/v1/models").await.ok();
        let names = listed["models"].as_array().unwrap().iter();
        assert!(names.clone().any(|model| model["model"] == "astray"), "{part}: {listed}");
        let drift = api.get("/v1/models/astray/drift?version=3").await.ok();
        assert!(drift["versions"][0]["compared"]["rows"].as_u64() > Some(0), "{part}: {drift}");
        std::fs::rename(home.path("away"), home.path(part)).unwrap();
        told(true).await;
        ask().await;
    }
    assert_eq!(observed(&counted(api, "astray", 3).await), by_hand(&home, "astray", &scores));
    service.stop().await;
}

fn as_row(model: &Model, facts: &Json) -> Json {
    let number = |value: &Json| match value.as_str().and_then(|text| text.parse::<f64>().ok()) {
        Some(number) => json!(number),
        None => value.clone(),
    };
    let pairs = model.inputs.iter().map(|input| (input.name.to_string(), number(&facts[&*input.name])));
    Json::Object(pairs.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn shifted_rows_alarm_and_a_version_without_reference_says_so() {
    let (home, model) = home("shifted");
    let flags = tollgate::config::Flags { models_only: true, ..home.flags() };
    let service = home.serve_with(flags).await;
    let api = &service.api;
    let mut rows = rows(&model, 400);
    api.post("/v1/models/shifted:predict", &json!({ "instances": rows })).await.ok();
    let plain = counted(api, "shifted", 3).await;
    let calm = |version: &Json| version["compared"]["alarm"] == json!(false);
    assert!(plain.iter().all(calm), "{plain:?}");
    for row in &mut rows {
        row["amount"] = json!(row["amount"].as_f64().unwrap() * 3.0);
    }
    for _ in 0..3 {
        api.post("/v1/models/shifted:predict", &json!({ "instances": rows })).await.ok();
    }
    let body = api.get("/v1/models/shifted/drift").await.ok();
    assert_eq!((&body["window"], &body["alarm"]), (&json!("day"), &json!(true)), "{body}");
    let [first, third] = body["versions"].as_array().unwrap().as_slice() else { panic!("{body}") };
    assert_eq!((&first["version"], &first["compared"]), (&json!(1), &Json::Null));
    let why = first["not_compared"].as_str().unwrap();
    assert!(
        why.starts_with("its card has no `reference`")
            && why.contains("`tollgate models reference shifted@1"),
        "{why}"
    );
    assert_eq!(third["not_compared"], Json::Null);
    assert!(third["counted_from"].is_string(), "this process has not run since midnight: {third}");
    let inputs = third["compared"]["inputs"].as_array().unwrap();
    let amount = inputs.iter().find(|input| input["input"] == "amount").unwrap();
    assert_eq!(amount["alarm"], true);
    assert!(amount["psi"].as_f64().unwrap() > 0.1 && amount["out_of_range_rate"].as_f64().unwrap() > 0.0);
    assert_eq!((&amount["missing_rate"], &amount["unseen_rate"]), (&json!(0.0), &json!(0.0)));
    let others = inputs.iter().filter(|input| input["input"] != "amount");
    assert!(others.clone().count() > 10 && others.clone().all(|input| input["alarm"] == false), "{third}");
    let text = api.get("/metrics").await.text;
    let alarm = "tollgate_model_drift_alarm{model=\"shifted\",version=\"3\",window=\"day\"} 1";
    assert!(text.contains(alarm), "{text}");

    // Its series stay, and say that nothing is known of it any more.
    home.write("models/shifted/model.yaml", "serve: all\n");
    std::fs::remove_dir_all(home.path("models/shifted/3")).unwrap();
    let calm = "tollgate_model_drift_alarm{model=\"shifted\",version=\"3\",window=\"day\"} 0";
    let text = api.until("/metrics", |answer| answer.text.contains(calm)).await.text;
    assert!(
        text.contains("tollgate_model_score_psi{model=\"shifted\",version=\"3\",window=\"day\"} NaN"),
        "{text}"
    );

    api.get("/v1/models/nobody/drift").await.assert_problem(404, "unknown_model");
    api.get("/v1/models/shifted/drift?version=2").await.assert_problem(404, "unknown_model");
    api.get("/v1/models/shifted/drift?window=week").await.assert_problem(400, "invalid_query");
    service.stop().await;
}

#[test]
fn a_file_is_compared_by_the_same_code() {
    let (home, _) = home("offline");
    let text =
        std::fs::read_to_string(repository().join("models/german_credit/data/german_credit.csv")).unwrap();
    home.write("as_it_is.csv", &text);
    let run = |file: &str, format: &str| {
        let output = home.run(&["models", "drift", "offline@champion", "--data", file, "--format", format]);
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, shown, said) = run("as_it_is.csv", "text");
    assert_eq!(code, 0, "{shown}{said}");
    assert!(shown.starts_with("1000 of 1000 rows are answered") && shown.contains("no drift"), "{shown}");
    let dearer: Vec<String> = text
        .lines()
        .map(|line| {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            if let Ok(amount) = cells[4].parse::<f64>() {
                cells[4] = (amount * 1.5).round().to_string();
            }
            cells.join(",")
        })
        .collect();
    home.write("dearer.csv", dearer.join("\n"));
    let (code, shown, said) = run("dearer.csv", "json");
    assert_eq!(code, 1, "{shown}{said}");
    let body: Json = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (&body["version"], &body["compared"]["alarm"], &body["compared"]["rows"]),
        (&json!(3), &json!(true), &json!(1000))
    );
    let moved = body["compared"]["inputs"].as_array().unwrap().iter().filter(|input| input["alarm"] == true);
    assert_eq!(moved.map(|input| &input["input"]).collect::<Vec<_>>(), ["amount"]);
    let without = home.run(&["models", "drift", "offline@1", "--data", "as_it_is.csv"]);
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(without.status.code() == Some(2) && said.contains("its card has no `reference`"), "{said}");
}
