//! What the models' REST doors do with too much, with what only looks like a value, and with those who may look only.

use serde_json::{Value as Json, json};

use crate::app::Home;
use crate::model_doors::{home, model, rows};

const MODEL: &str = "german_credit";

#[tokio::test(flavor = "multi_thread")]
async fn more_values_than_a_request_may_have_are_refused_for_good() {
    let home = home();
    let service = home.serve().await;
    let infer = format!("/v2/models/{MODEL}/infer");
    let ones = vec!["1"; 4_000_001].join(",");
    let values =
        format!(r#"{{"inputs":[{{"name":"amount","shape":[4000001],"datatype":"INT64","data":[{ones}]}}]}}"#);
    let outputs = vec![r#"{"name":"probability"}"#; 4_001].join(",");
    let outputs = format!(r#"{{"inputs":[],"outputs":[{outputs}]}}"#);
    for (body, says) in [(values, "4000000 values at most"), (outputs, "4000 inputs or outputs at most")] {
        let answer = service.api.post_bytes(&infer, body).await;
        assert_eq!(answer.status, 413, "429 would ask for the same again: {:?}", answer.text);
        assert!(answer.word("error").contains(says), "{:?}", answer.text);
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_infinity_is_no_text() {
    let home = home();
    let service = home.serve().await;
    let row = rows(&model(1), 1).remove(0);
    let purpose = row["purpose"].to_string();
    let predict = format!("/v1/models/{MODEL}/versions/1:predict");
    let body = json!({ "instances": [row] }).to_string();
    assert_eq!(service.api.post_bytes(&predict, body.as_str()).await.status, 200);
    for infinity in ["Infinity", "-Infinity"] {
        let answer = service.api.post_bytes(&predict, body.replace(&purpose, infinity)).await;
        assert_eq!(answer.status, 400, "{:?}", answer.text);
        assert!(answer.word("error").contains("input `purpose`, row 0"), "{:?}", answer.text);
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_feature_of_an_example_is_one_that_was_not_given() {
    let home = home();
    let service = home.serve().await;
    let classify = format!("/v1/models/{MODEL}/versions/1:classify");
    let mut without = rows(&model(1), 1).remove(0);
    let mut empty = without.clone();
    without.as_object_mut().unwrap().remove("purpose");
    empty["purpose"] = json!([]);
    let answer = async |example: &Json| service.api.post(&classify, &json!({ "examples": [example] })).await;
    let (without, empty) = (answer(&without).await, answer(&empty).await);
    assert_eq!((without.status, &without.text), (empty.status, &empty.text));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_may_be_percent_encoded_at_both_doors() {
    let home = home();
    let service = home.serve().await;
    for path in
        ["/v1/models/%67erman_credit", "/v2/models/%67erman_credit", "/v2/models/german_cr%65dit/ready"]
    {
        assert_eq!(service.api.get(path).await.status, 200, "{path}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_look_at_models_may_at_both_doors() {
    let home = Home::new();
    let keys = ["analyst", "auditor", "approver", "operator"].map(|role| {
        let made = home.run(&["keys", "create", "--role", role, "--name", role, "--format", "json"]);
        serde_json::from_slice::<Json>(&made.stdout).unwrap()["key"].as_str().unwrap().to_owned()
    });
    let service = home.serve().await;
    for key in &keys {
        let api = service.api.with_key(key);
        for path in [
            format!("/v1/models/{MODEL}"),
            format!("/v1/models/{MODEL}/metadata"),
            format!("/v2/models/{MODEL}"),
        ] {
            assert_eq!(api.get(&path).await.status, 200, "{path}");
        }
        let predict = format!("/v1/models/{MODEL}:predict");
        assert_eq!(api.post(&predict, &json!({ "instances": [] })).await.status, 403);
    }
    service.stop().await;
}
