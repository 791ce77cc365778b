//! Drift of models that were fitted elsewhere, from the import to the alarm: measured against rows given at import, or
//! given when the version was there already and served.

use std::process::Output;

use serde_json::{Value as Json, json};

use crate::app::{Home, repository};

fn fixture(name: &str) -> String {
    repository().join("tests/fixtures/models").join(name).display().to_string()
}

fn ran(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Real applicants, of whom every third is given and the others ask.
fn applicants(home: &Home) -> Vec<Json> {
    let text = std::fs::read_to_string(fixture("credit_data.csv")).unwrap();
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let (mut given, mut others) = (vec![header], Vec::new());
    for (at, line) in lines.enumerate() {
        if at % 3 == 0 {
            given.push(line);
        } else {
            others.push(line);
        }
    }
    home.write("given.csv", given.join("\n"));
    home.write("few.csv", given[..200].join("\n"));
    let row = |line: &&str| {
        let cell = |(name, cell): (&str, &str)| {
            let value = match cell.parse::<f64>() {
                Ok(number) => json!(number),
                Err(_) if cell.is_empty() => Json::Null,
                Err(_) => json!(cell),
            };
            (name.to_owned(), value)
        };
        let cells = header.split(',').zip(line.split(',')).filter(|(name, _)| *name != "status");
        Json::Object(cells.map(cell).collect())
    };
    others.iter().take(900).map(row).collect()
}

async fn models_only(home: &Home) -> crate::app::Service {
    home.serve_with(tollgate::config::Flags { models_only: true, ..home.flags() }).await
}

/// One half dearer.
fn dearer(rows: &[Json]) -> Vec<Json> {
    let mut rows = rows.to_vec();
    rows.iter_mut().for_each(|row| row["amount"] = json!(row["amount"].as_f64().unwrap() * 1.5));
    rows
}

fn compared(body: &Json) -> &Json {
    assert_eq!(body["versions"][0]["not_compared"], Json::Null, "{body}");
    &body["versions"][0]["compared"]
}

fn alarmed(body: &Json) -> Vec<&str> {
    let inputs = compared(body)["inputs"].as_array().unwrap().iter();
    inputs.filter(|input| input["alarm"] == true).map(|input| input["input"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_model_is_watched_against_the_rows_given_with_it() {
    let home = Home::empty();
    let rows = applicants(&home);
    let import = ["models", "import", &fixture("lgb_choices.txt"), "--as", "given_at_import"];
    let shown = ran(&home.run(&[import.as_slice(), &["--rows", "given.csv"]].concat()));
    let line = "drift is measured against 1485 rows of `given.csv`, given at import\n";
    assert!(shown.contains(line), "{shown}");
    let card: Json = serde_json::from_str(&home.read("models/given_at_import/1/card.json")).unwrap();
    let says = card["reference"]["measured_on"]["says"].as_str().unwrap();
    assert!(says.starts_with("on rows given at import, not on those that it was fitted on"), "{says}");
    let shown = ran(&home.run(&["models", "show", "given_at_import"]));
    assert!(
        shown.contains("drift      measured against 1485 rows of `given.csv`, given at import"),
        "{shown}"
    );

    let service = models_only(&home).await;
    let (api, drift) = (&service.api, "/v1/models/given_at_import/drift");
    let ask = "/v1/models/given_at_import:predict";
    api.post(ask, &json!({ "instances": rows })).await.ok();
    let body = api.get(drift).await.ok();
    assert_eq!((&body["alarm"], &compared(&body)["rows"]), (&json!(false), &json!(900)), "{body}");
    assert_eq!(alarmed(&body), Vec::<&str>::new());
    assert_eq!(body["versions"][0]["measured_on"], card["reference"]["measured_on"]);
    for _ in 0..3 {
        api.post(ask, &json!({ "instances": dearer(&rows) })).await.ok();
    }
    let body = api.get(drift).await.ok();
    assert_eq!(body["alarm"], true, "{body}");
    assert_eq!(alarmed(&body), ["amount"]);
    let text = api.get("/metrics").await.text;
    let alarm = "tollgate_model_drift_alarm{model=\"given_at_import\",version=\"1\",window=\"day\"} 1";
    assert!(text.contains(alarm), "{text}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_given_later_is_taken_over_while_the_version_serves() {
    let home = Home::empty();
    let rows = applicants(&home);
    let import = ["models", "import", &fixture("lgb_choices.txt"), "--as", "given_later"];
    let shown = ran(&home.run(&import));
    let way_out = "`tollgate models reference given_later@1 --rows FILE`";
    assert!(
        shown.contains(&format!("drift is not measured: no rows were given (`--rows`); {way_out}")),
        "{shown}"
    );
    let before = (home.read("models/given_later/1/model.json"), home.read("models/given_later/1/card.json"));

    let service = models_only(&home).await;
    let (api, drift) = (&service.api, "/v1/models/given_later/drift");
    let ask = |rows: Vec<Json>| async move {
        api.post("/v1/models/given_later:predict", &json!({ "instances": rows })).await.ok()
    };
    let answers = ask(rows.clone()).await;
    let body = api.get(drift).await.ok();
    let why = body["versions"][0]["not_compared"].as_str().unwrap();
    assert!(why.starts_with("its card has no `reference`") && why.contains(way_out), "{why}");

    // Too few are refused, and nothing is written.
    let few = home.run(&["models", "reference", "given_later", "--rows", "few.csv"]);
    let said = String::from_utf8_lossy(&few.stderr).into_owned();
    assert_eq!(few.status.code(), Some(2));
    assert!(said.contains("300 rows are the fewest, and the model answers 199 of the 199 given"), "{said}");
    assert!(!home.path("models/given_later/references").exists());

    let give = ["models", "reference", "given_later@champion", "--rows", "given.csv"];
    let shown = ran(&home.run(&give));
    let line = "given_later version 1: drift is measured against 1485 rows of `given.csv`, given later\n";
    assert!(shown.starts_with(line), "{shown}");
    let is_compared = |answer: &crate::app::Answer| answer.json["versions"][0]["compared"].is_object();
    api.until(drift, is_compared).await;
    assert_eq!(ask(rows.clone()).await, answers);
    let body = api.get(drift).await.ok();
    assert_eq!((&body["alarm"], &compared(&body)["rows"]), (&json!(false), &json!(900)), "{body}");
    for _ in 0..3 {
        ask(dearer(&rows)).await;
    }
    let body = api.get(drift).await.ok();
    assert_eq!((&body["alarm"], alarmed(&body)), (&json!(true), vec!["amount"]), "{body}");

    // An auditor finds the version as it was, and the reference to be of it.
    let after = (home.read("models/given_later/1/model.json"), home.read("models/given_later/1/card.json"));
    assert!(before == after, "a version is never changed");
    let verified = ran(&home.run(&["models", "verify", "given_later"]));
    assert!(verified.contains("reference"), "{verified}");
    home.edit("models/given_later/references/1.json", "\"artefact\": \"sha256:", "\"artefact\": \"sha256:0");
    let verified = home.run(&["models", "verify", "given_later"]);
    assert_eq!(verified.status.code(), Some(1), "{}", String::from_utf8_lossy(&verified.stdout));
    // The same by the command, on a file.
    let shown = ran(&home.run(&give));
    assert!(shown.contains("given later"), "{shown}");
    let compared = home.run(&["models", "drift", "given_later", "--data", "given.csv"]);
    assert!(ran(&compared).ends_with("no drift\nmeasured against 1485 rows of `given.csv`, given later\n"));
    service.stop().await;
}

/// What a flow decides by, and what its records name, is not changed by a reference.
#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_no_part_of_a_revision() {
    let home = Home::of_samples();
    let service = home.serve().await;
    let revision = service.api.get("/v1/flows").await.word("revision").to_owned();
    let data = "models/german_credit/data/german_credit.csv";
    let shown = ran(&home.run(&["models", "reference", "german_credit@1", "--rows", data]));
    assert!(shown.contains("1000 rows of `german_credit.csv`, given later"), "{shown}");
    let drift = "/v1/models/german_credit/drift?version=1";
    let is_compared = |answer: &crate::app::Answer| answer.json["versions"][0]["compared"].is_object();
    service.api.until(drift, is_compared).await;
    assert_eq!(service.api.get("/v1/flows").await.word("revision"), revision);
    service.stop().await;
}
