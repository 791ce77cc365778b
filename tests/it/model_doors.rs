//! Models asked directly over REST: TensorFlow Serving's addresses and texts, the Open Inference Protocol in JSON and in
//! bytes, the service without flows. Answers are held to the library's own, to the last bit.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use tollgate::domain::model::Model;
use tollgate::domain::value::{Kind, Value};
use tollgate::learn::library::read_models;

use crate::app::{Home, Service, applicants, repository};

const MODEL: &str = "german_credit";

pub fn model(version: u32) -> Arc<Model> {
    let library = read_models(&repository().join("models"));
    library.resolve(&format!("{MODEL}@{version}")).unwrap()
}

/// The first applicants as rows by name, with nothing but the model's inputs.
pub fn rows(model: &Model, count: usize) -> Vec<Json> {
    let row = |facts: &Json| {
        let pairs = model.inputs.iter().map(|input| (input.name.to_string(), facts[&*input.name].clone()));
        Json::Object(pairs.map(|(name, value)| (name, plain(value))).collect())
    };
    applicants().iter().take(count).map(|applicant| row(&applicant.facts)).collect()
}

/// Money as a number: facts have it as text.
fn plain(value: Json) -> Json {
    match value.as_str().and_then(|text| text.parse::<f64>().ok()) {
        Some(number) => json!(number),
        None => value,
    }
}

/// What the library itself answers.
pub fn expected(model: &Model, rows: &[Json]) -> Vec<f64> {
    let value = |kind: &Kind, given: &Json| match (kind, given) {
        (_, Json::Null) => Value::Missing,
        (Kind::Integer, number) => Value::Integer(number.as_i64().unwrap()),
        (Kind::Choice(_), text) => Value::text(text.as_str().unwrap()),
        (_, number) => Value::Number(number.as_f64().unwrap()),
    };
    let row = |given: &Json| -> Vec<Value> {
        model.inputs.iter().map(|input| value(&input.kind, &given[&*input.name])).collect()
    };
    rows.iter().map(|given| model.predict(&row(given)).unwrap()).collect()
}

fn columns(model: &Model, rows: &[Json]) -> Json {
    let column = |name: &str| Json::Array(rows.iter().map(|row| row[name].clone()).collect());
    Json::Object(model.inputs.iter().map(|i| (i.name.to_string(), column(&i.name))).collect())
}

fn numbers(list: &Json) -> Vec<f64> {
    list.as_array().unwrap_or_else(|| panic!("{list}")).iter().map(|n| n.as_f64().unwrap()).collect()
}

async fn models_only(home: &Home) -> Service {
    let flags = tollgate::config::Flags { models_only: true, ..home.flags() };
    home.serve_with(flags).await
}

/// A home with the sample model and no rules.
pub fn home() -> Home {
    let home = Home::new();
    std::fs::remove_dir_all(home.path("rules")).unwrap();
    home
}

#[tokio::test(flavor = "multi_thread")]
async fn tensorflow_clients_get_the_librarys_own_answers() {
    let home = Home::new();
    let service = home.serve().await;
    let api = &service.api;
    for (path, version) in [
        (format!("/v1/models/{MODEL}"), 2),
        (format!("/v1/models/{MODEL}/versions/1"), 1),
        (format!("/v1/models/{MODEL}/labels/champion"), 1),
        (format!("/v1/models/{MODEL}/labels/challenger"), 2),
    ] {
        let model = model(version);
        let rows = rows(&model, 100);
        let wanted = expected(&model, &rows);
        let answer = api.post(&format!("{path}:predict"), &json!({ "instances": rows })).await.ok();
        assert_eq!(numbers(&answer["predictions"]), wanted, "{path}");
        let asked = json!({ "signature_name": "serving_default", "inputs": columns(&model, &rows) });
        let answer = api.post(&format!("{path}:predict"), &asked).await.ok();
        assert_eq!(numbers(&answer["outputs"]), wanted, "{path}");
        let plain: Vec<Vec<&Json>> =
            rows.iter().map(|row| model.inputs.iter().map(|i| &row[&*i.name]).collect()).collect();
        let answer = api.post(&format!("{path}:predict"), &json!({ "instances": plain })).await.ok();
        assert_eq!(numbers(&answer["predictions"]), wanted, "{path}");
        let nested: Vec<Json> = rows
            .iter()
            .map(|row| row.as_object().unwrap().iter().map(|(k, v)| (k.clone(), json!([v]))).collect())
            .collect();
        let answer = api.post(&format!("{path}:predict"), &json!({ "instances": nested })).await.ok();
        assert_eq!(numbers(&answer["predictions"]), wanted, "{path}");

        let asked = json!({ "examples": rows, "more": { "unknown": 1 } });
        let regressed = api.post(&format!("{path}:regress"), &asked).await.ok();
        assert_eq!(numbers(&regressed["results"]), wanted);
        assert_eq!(regressed["result"], regressed["results"]);
        let classified = api.post(&format!("{path}:classify"), &asked).await.ok();
        for (row, probability) in classified["results"].as_array().unwrap().iter().zip(&wanted) {
            assert_eq!(row, &json!([["0", 1.0 - probability], ["1", probability]]));
        }
    }
    let status = api.get(&format!("/v1/models/{MODEL}")).await.ok();
    let line = |version: &str| json!({ "version": version, "state": "AVAILABLE", "status": { "error_code": "OK", "error_message": "" } });
    assert_eq!(status, json!({ "model_version_status": [line("2"), line("1")] }));
    let labelled = api.get(&format!("/v1/models/{MODEL}/labels/champion")).await.ok();
    assert_eq!(labelled, status, "a label in a status' address is ignored");
    let one = api.get(&format!("/v1/models/{MODEL}/versions/1")).await.ok();
    assert_eq!(one, json!({ "model_version_status": [line("1")] }));
    let metadata = api.get(&format!("/v1/models/{MODEL}/versions/1/metadata")).await.ok();
    assert_eq!(metadata["model_spec"], json!({ "name": MODEL, "signature_name": "", "version": "1" }));
    let signature = &metadata["metadata"]["signature_def"]["signature_def"]["serving_default"];
    assert_eq!(signature["method_name"], "tensorflow/serving/predict");
    assert_eq!(signature["inputs"]["amount"]["dtype"], "DT_DOUBLE");
    assert_eq!(signature["inputs"]["purpose"]["dtype"], "DT_STRING");
    assert_eq!(
        signature["inputs"]["duration_months"]["tensor_shape"]["dim"],
        json!([{ "size": "-1", "name": "" }])
    );
    assert_eq!(signature["outputs"]["probability"]["dtype"], "DT_DOUBLE");
    let shown = api.get("/monitoring/prometheus/metrics").await.text;
    assert!(shown.contains("tollgate_model_rows_total{model=\"german_credit\",version=\"1\"}"), "{shown}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_tensorflow_servings_own_and_echo_no_value() {
    let home = Home::new();
    let service = home.serve().await;
    let api = &service.api;
    let row = rows(&model(1), 1).remove(0);
    let with = |name: &str, value: Json| instance(&row, name, value);
    let names = "amount,checking_status,credit_history,duration_months,employed_since,existing_credits,housing,\
                 instalment_rate_pct,other_parties,other_plans,property,purpose,residence_since,savings";
    let predict = format!("/v1/models/{MODEL}:predict");
    let mut lacking = row.clone();
    lacking.as_object_mut().unwrap().remove("amount");
    let check = async |path: &str, body: String, status: u16, says: &str| {
        let answer = api.post_bytes(path, body).await;
        assert_eq!((answer.status, answer.json["error"].as_str()), (status, Some(says)), "{path}");
        assert!(!answer.text.contains("s3cret"));
    };
    check("/v1/models/nope:predict", "{}".into(), 404, "Servable not found for request: Latest(nope)").await;
    let other = format!("/v1/models/{MODEL}/versions/7:predict");
    check(&other, "{}".into(), 404, "Servable not found for request: Specific(german_credit, 7)").await;
    let other = format!("/v1/models/{MODEL}/labels/best:predict");
    check(&other, "{}".into(), 400, "Unrecognized servable version label: best").await;
    let other = format!("/v1/models/{MODEL}");
    check(&other, "{}".into(), 400, "Malformed request: POST /v1/models/german_credit").await;
    check("/v1/models/m:guess", "{}".into(), 400, "Malformed request: POST /v1/models/m:guess").await;
    check(&predict, "{}".into(), 400, "Missing 'inputs' or 'instances' key").await;
    check(&predict, String::new(), 400, "JSON Parse error: The document is empty").await;
    check(&predict, "{\"instances\":[]}".into(), 400, "No values in 'instances' array").await;
    check(&predict, "{\"instances\":{}}".into(), 400, "Excepting 'instances' to be an list/array").await;
    let both = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ";
    check(&predict, json!({ "instances": [row], "inputs": {} }).to_string(), 400, both).await;
    let signature = "Serving signature name: \"x\" not found in signature def";
    check(&predict, json!({ "signature_name": "x", "instances": [row] }).to_string(), 400, signature).await;
    let keys = format!(
        "Failed to process element: 0 of 'instances' list. JSON object: keys must be equal to: {names}"
    );
    check(&predict, json!({ "instances": [lacking] }).to_string(), 400, &keys).await;
    let unknown = "Failed to process element: 0 key: s of 'instances' list. Error: INVALID_ARGUMENT: JSON object: \
                   does not have named input: s";
    check(&predict, with("s", json!(1)), 400, unknown).await;
    let type_error = "input `amount`, row 0: it must be a number";
    check(&predict, with("amount", json!("s3cret")), 400, type_error).await;
    let missing = "row 0: the model needs `amount`, which is missing";
    check(&predict, with("amount", Json::Null), 400, missing).await;
    let nan = with("amount", json!("@")).replace("\"@\"", "NaN");
    check(&predict, nan, 400, missing).await;
    let infinite = with("amount", json!("@")).replace("\"@\"", "-Infinity");
    let endless = "input `amount`, row 0: it is not finite; NaN or null stands for a value that is missing";
    check(&predict, infinite, 400, endless).await;
    let whole = "input `duration_months`, row 0: it must be a whole number";
    check(&predict, with("duration_months", json!(6.5)), 400, whole).await;
    let category = "row 0: `purpose` has a category that the model was not fitted on";
    check(&predict, with("purpose", json!("s3cret")), 400, category).await;
    check(&predict, with("purpose", json!({ "b64": "!" })), 400, "Unable to base64 decode").await;
    for broken in ["{\"instances\": [s3cret", "{\"instances\": \"s3cret\"}", "[1]", "nul"] {
        let answer = api.post_bytes(&predict, broken).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        let says = answer.word("error");
        assert!(says.starts_with("JSON Parse error: ") && !says.contains("s3cret"), "{says}");
    }
    for (path, says) in [
        ("/v1/models/nope", "Could not find any versions of model nope"),
        ("/v1/models/german_credit/versions/7", "Could not find version 7 of model german_credit"),
    ] {
        let answer = api.get(path).await;
        assert_eq!((answer.status, answer.word("error")), (404, says));
    }
    service.stop().await;
}

/// A body with one row, in which one input is something else.
fn instance(row: &Json, name: &str, value: Json) -> String {
    let mut row = row.clone();
    row[name] = value;
    json!({ "instances": [row] }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_may_be_sent_in_base64() {
    let service = Home::new().serve().await;
    let row = rows(&model(1), 1).remove(0);
    let predict = format!("/v1/models/{MODEL}:predict");
    let encoded = instance(&row, "purpose", json!({ "b64": "Y2FyX25ldw==" }));
    let answer = service.api.post_bytes(&predict, encoded.clone()).await;
    let plain = service.api.post_bytes(&predict, instance(&row, "purpose", json!("car_new"))).await;
    assert_eq!((answer.status, &answer.text), (200, &plain.text), "{encoded}");
    service.stop().await;
}

/// Tensors of the rows, as JSON or as bytes.
fn tensors(model: &Model, rows: &[Json], binary: bool) -> (Vec<Json>, Vec<u8>) {
    let mut bytes = Vec::new();
    let tensor = |input: &tollgate::domain::model::ModelInput| {
        let values: Vec<&Json> = rows.iter().map(|row| &row[&*input.name]).collect();
        let datatype = match input.kind {
            Kind::Integer => "INT64",
            Kind::Choice(_) => "BYTES",
            _ => "FP64",
        };
        let mut tensor = json!({ "name": &*input.name, "shape": [rows.len(), 1], "datatype": datatype });
        if !binary {
            tensor["data"] = json!(values);
            return tensor;
        }
        let before = bytes.len();
        for value in values {
            match datatype {
                "INT64" => bytes.extend(value.as_i64().unwrap().to_le_bytes()),
                "FP64" => bytes.extend(value.as_f64().unwrap().to_le_bytes()),
                _ => {
                    let text = value.as_str().unwrap();
                    bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
                    bytes.extend(text.as_bytes());
                }
            }
        }
        tensor["parameters"] = json!({ "binary_data_size": bytes.len() - before });
        tensor
    };
    let tensors = model.inputs.iter().map(tensor).collect();
    (tensors, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn tensors_are_answered_in_json_and_in_bytes() {
    let home = home();
    let service = models_only(&home).await;
    let api = &service.api;
    let model = model(1);
    let rows = rows(&model, 50);
    let wanted = expected(&model, &rows);
    let path = format!("/v2/models/{MODEL}/versions/1/infer");
    let (inputs, _) = tensors(&model, &rows, false);
    let answer = api.post(&path, &json!({ "id": "7", "inputs": inputs })).await.ok();
    assert_eq!((&answer["id"], &answer["model_version"]), (&json!("7"), &json!("1")));
    let output = &answer["outputs"][0];
    assert_eq!((&output["name"], &output["shape"]), (&json!("probability"), &json!([50])));
    assert_eq!(numbers(&output["data"]), wanted);

    let (inputs, bytes) = tensors(&model, &rows, true);
    let head = json!({ "inputs": inputs, "parameters": { "binary_data_output": true } }).to_string();
    let request = api.request("POST", &path).header("Inference-Header-Content-Length", head.len());
    let response = request.body([head.as_bytes(), &bytes].concat()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let length = response.headers()["inference-header-content-length"].to_str().unwrap();
    let length: usize = length.parse().unwrap();
    let body = response.bytes().await.unwrap();
    let answer: Json = serde_json::from_slice(&body[..length]).unwrap();
    assert_eq!(answer["outputs"][0]["parameters"]["binary_data_size"], 400);
    let got: Vec<f64> =
        body[length..].chunks_exact(8).map(|c| f64::from_le_bytes(c.try_into().unwrap())).collect();
    assert_eq!(got, wanted);

    let check = async |body: Json, status: u16, says: &str| {
        let answer = api.post(&path, &body).await;
        assert_eq!((answer.status, answer.word("error")), (status, says));
    };
    let (inputs, _) = tensors(&model, &rows, false);
    let mut short = inputs.clone();
    short[4]["shape"] = json!([49]);
    let says = "input `amount`: its shape says 49 values and 50 were sent";
    check(json!({ "inputs": short }), 400, says).await;
    short[4]["shape"] = json!([25, 2]);
    let says = "input `amount`: its shape must be [rows] or [rows, 1]: each input has one value a row";
    check(json!({ "inputs": short }), 400, says).await;
    short[4] = json!({ "name": "amount", "shape": [50], "datatype": "FP65", "data": [] });
    let answer = api.post(&path, &json!({ "inputs": short })).await;
    assert!(
        answer.status == 400 && answer.word("error").starts_with("a tensor's `datatype` must be one of BOOL")
    );
    let says = "unexpected inference output 'x' for model 'german_credit'; it has 'probability'";
    check(json!({ "inputs": inputs, "outputs": [{ "name": "x" }] }), 400, says).await;
    check(json!({}), 400, "the request has no `inputs`").await;
    let answer = api.post(&format!("/v2/models/{MODEL}/infer"), &json!({ "inputs": inputs[..1] })).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.word("error").starts_with("input size does not match signature: 1!=14"),
        "{}",
        answer.text
    );
    let answer = api.post("/v2/models/nope/infer", &json!({ "inputs": inputs })).await;
    assert_eq!(
        (answer.status, answer.word("error")),
        (404, "Request for unknown model: 'nope' is not found")
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_flows_there_are_models_and_nothing_else() {
    let home = home();
    let service = models_only(&home).await;
    let api = &service.api;
    assert!(!home.path("data/records.db").exists() && !home.path("data/log.db").exists());
    let ready = api.get("/readyz").await.ok();
    assert_eq!((&ready["status"], &ready["models"]["available"]), (&json!("ready"), &json!(2)));
    assert_eq!(ready["models"]["problems"], json!([]));
    api.get("/livez").await.ok();
    for path in ["/v1/decisions", "/v1/flows", "/v1/releases"] {
        api.get(path).await.assert_problem(404, "unknown_route");
    }
    let listed = api.get("/v1/models").await.ok();
    let model_of = &listed["models"][0];
    assert_eq!(
        (&model_of["model"], &model_of["labels"]),
        (&json!(MODEL), &json!({ "champion": 1, "challenger": 2 }))
    );
    assert_eq!(model_of["versions"][0]["state"], "AVAILABLE");
    assert_eq!(api.get("/v2/health/ready").await.ok(), json!({ "ready": true }));
    assert_eq!(api.get("/v2").await.ok()["name"], "tollgate");
    let metadata = api.get(&format!("/v2/models/{MODEL}")).await.ok();
    assert_eq!(metadata["versions"], json!(["1", "2"]));
    assert_eq!(
        metadata["inputs"][0],
        json!({ "name": "checking_status", "datatype": "BYTES", "shape": [-1] })
    );

    let ready = async |wanted: u16| {
        assert_eq!(api.get(&format!("/v2/models/{MODEL}/ready")).await.status, wanted);
    };
    ready(200).await;
    api.post(&format!("/v2/repository/models/{MODEL}/unload"), &json!({})).await.ok();
    ready(404).await;
    let index = api.post("/v2/repository/index", &json!({})).await.ok();
    let state = |state: &str, reason: &str| {
        let line =
            |version: &str| json!({ "name": MODEL, "version": version, "state": state, "reason": reason });
        json!([line("1"), line("2")])
    };
    assert_eq!(index, state("UNAVAILABLE", "unloaded"));
    assert_eq!(api.post("/v2/repository/index", &json!({ "ready": true })).await.ok(), json!([]));
    let status = api.get(&format!("/v1/models/{MODEL}/versions/2")).await.ok();
    assert_eq!(status["model_version_status"][0]["state"], "END");
    api.post_bytes(&format!("/v2/repository/models/{MODEL}/load"), Vec::new()).await.ok();
    ready(200).await;
    assert_eq!(api.post("/v2/repository/index", &json!({})).await.ok(), state("READY", ""));
    let refused = api.post("/v2/repository/models/nope/load", &json!({})).await;
    let says = "failed to load 'nope', failed to poll from model repository";
    assert_eq!((refused.status, refused.word("error")), (400, says));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn explanations_add_up_to_what_they_explain() {
    let home = home();
    let service = models_only(&home).await;
    let model = model(1);
    let rows = rows(&model, 20);
    let path = format!("/v1/models/{MODEL}/labels/champion:explain");
    let answer = service.api.post(&path, &json!({ "instances": rows })).await.ok();
    assert_eq!((&answer["version"], &answer["space"]), (&json!(1), &json!("log_odds")));
    for (row, probability) in answer["explanations"].as_array().unwrap().iter().zip(expected(&model, &rows)) {
        let contributions = row["contributions"].as_object().unwrap();
        assert_eq!(contributions.len(), model.inputs.len());
        let sum: f64 = contributions.values().map(|value| value.as_f64().unwrap()).sum();
        let margin = row["base"].as_f64().unwrap() + sum;
        assert!((1.0 / (1.0 + (-margin).exp()) - probability).abs() < 1e-9);
        assert_eq!(row["answer"].as_f64(), Some(probability));
    }
    let many = json!({ "instances": vec![&rows[0]; 1001] });
    let refused = service.api.post(&path, &many).await;
    assert_eq!(
        (refused.status, refused.word("error")),
        (413, "one request may have 1000 rows explained; send several")
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_doors_need_no_key_and_keyed_ones_a_callers() {
    let home = home();
    let made = home.run(&["keys", "create", "--role", "caller", "--name", "shop"]);
    let key: Json = serde_json::from_slice(&made.stdout).unwrap();
    let path = format!("/v1/models/{MODEL}");
    let service = models_only(&home).await;
    assert_eq!(service.api.get(&path).await.status, 401);
    let keyed = service.api.with_key(key["key"].as_str().unwrap());
    assert_eq!(keyed.get(&path).await.status, 200);
    let unload = format!("/v2/repository/models/{MODEL}/unload");
    assert_eq!(keyed.post(&unload, &json!({})).await.status, 403, "that is an operator's");
    service.stop().await;
    let flags =
        tollgate::config::Flags { models_only: true, model_doors: Some("open".to_owned()), ..home.flags() };
    let service = home.serve_with(flags).await;
    assert_eq!(service.api.get(&path).await.status, 200);
    assert_eq!(service.api.post(&unload, &json!({})).await.status, 401);
    service.stop().await;
}
