//! Personal values in what sub-flows and tables leave in a record: hidden from readers without a purpose wherever they
//! stand, shown whole to whoever sent them or says why.

use serde_json::{Value as Json, json};

use crate::access::make_key;
use crate::app::{Api, Home};

const LOAN: &str = "flow: loan
inputs:
  phone:  { type: text, personal: mask }
  income: { type: integer, personal: mask }
  wealth: integer
outcomes: [approve, review, decline]
outputs: { tag: { type: text, optional: true } }
reasons: { R900: { en: The application needs a manual look } }
on_error: { outcome: review, reason: R900 }
";
const FRAUD: &str = "flow: fraud
inputs:
  phone: text
  wages: { type: integer, personal: mask }
features:
  area: phone + \"-area\"
  twice: wages * 2
  size: 7
outcomes: [approve, review, decline]
reasons: { F900: { en: Fraud could not be ruled out } }
on_error: { outcome: review, reason: F900 }
";
const BANDS: &str = "wages,-> band\n< 1000,small-band\n-,large-band\n";

fn home() -> Home {
    let home = Home::empty();
    home.write("rules/loan/flow.yaml", LOAN);
    home.write(
        "rules/loan/flow.rhai",
        "flow(\"fraud\", #{ wages: wealth }).apply();\nflow(\"fraud\", #{ wages: 3 }).apply();\nlet price = table(\"pricing\");\napprove();\n",
    );
    home.write("rules/loan/pricing.table.csv", "income,-> rate\n< 2000,poor-rate\n-,rich-rate\n");
    home.write("rules/fraud/flow.yaml", FRAUD);
    let script = "let t = table(\"bands\");\nif area == \"x\" || twice < 0 || size < 0 { review(\"F900\"); }\napprove();\n";
    home.write("rules/fraud/flow.rhai", script);
    home.write("rules/fraud/bands.table.csv", BANDS);
    home.write("models/.keep", "");
    home
}

const SECRETS: [&str; 6] = ["4711", "2468", "1234", "small-band", "large-band", "poor-rate"];

fn leaked(shown: &Json) -> Vec<&'static str> {
    let mut shown = shown.clone();
    shown["log"] = Json::Null;
    for digest in ["revision", "flow_revision", "decision_id", "decided_at", "parts", "elapsed_us", "subject"]
    {
        shown[digest] = Json::Null;
    }
    let text = shown.to_string();
    SECRETS.into_iter().filter(|secret| text.contains(secret)).collect()
}

async fn decided(api: &Api) -> Json {
    let facts = json!({"phone": "4711", "income": 1999, "wealth": 1234});
    api.post("/v1/decisions", &json!({"flow": "loan", "facts": facts, "trace": "full"})).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_flows_and_tables_make_of_personal_values_is_masked() {
    let home = home();
    let (caller, auditor) =
        (make_key(&home, &["caller"], "shop", &[]), make_key(&home, &["auditor"], "audit", &[]));
    let service = home.serve().await;
    let first = decided(&service.api.with_key(&caller)).await;
    let path = format!("/v1/decisions/{}", first["decision_id"].as_str().unwrap());

    let auditor = service.api.with_key(&auditor);
    let shown = auditor.get(&path).await.ok();
    // What is handed over is personal where the flow that gets it says so: `wealth` itself is not.
    assert_eq!(shown["facts"]["wealth"], 1234, "{shown}");
    let mut without = shown.clone();
    without["facts"]["wealth"] = Json::Null;
    assert_eq!(leaked(&without), [""; 0], "{shown}");
    let features = &shown["features"];
    assert_eq!((&features["fraud.twice"], &features["fraud#2.twice"]), (&json!("***"), &json!("***")));
    assert_eq!((&features["fraud.area"], &features["fraud.size"]), (&json!("***"), &json!(7)));
    assert_eq!(shown["trace"][0]["trace"][0]["rows"], json!([2]), "which row it was is not hidden");

    let request = auditor.request("GET", &path).header("purpose", "complaint 12");
    let plain = auditor.send(request).await.unwrap().ok();
    let inner = plain["trace"][0]["trace"].as_array().unwrap();
    let value = |name: &str| inner.iter().find(|step| step["feature"] == name).unwrap()["value"].clone();
    assert_eq!((value("area"), value("twice"), value("size")), (json!("4711-area"), json!(2468), json!(7)));
    assert_eq!(plain["trace"], first["trace"], "a record shows the trace that the answer had");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replay_finds_shows_no_personal_values_without_a_purpose() {
    let home = home();
    let (caller, auditor) =
        (make_key(&home, &["caller"], "shop", &[]), make_key(&home, &["auditor"], "audit", &[]));
    let service = home.serve().await;
    let first = decided(&service.api.with_key(&caller)).await;
    home.edit("rules/fraud/flow.yaml", "  twice: wages * 2\n  size: 7", "  twice: wages * 3\n  size: 8");
    let (was, auditor) = (first["revision"].as_str().unwrap(), service.api.with_key(&auditor));
    let now = auditor.until("/v1/flows", |answer| answer.word("revision") != was).await;
    let id = first["decision_id"].as_str().unwrap();
    let path = format!("/v1/decisions/{id}/replay?revision={}", now.word("revision"));

    let replay = auditor.post(&path, &json!({})).await.ok();
    let side = |replay: &Json, pointer: &str| {
        let all = replay["differences"].as_array().unwrap();
        let found = all.iter().find(|d| d["pointer"] == pointer).unwrap_or_else(|| panic!("{replay}"));
        (found["recorded"].clone(), found["replayed"].clone())
    };
    assert_eq!(side(&replay, "/features/fraud.twice"), (json!("***"), json!("***")));
    assert_eq!(side(&replay, "/features/fraud.size"), (json!(7), json!(8)));

    let request = auditor.request("POST", &path).header("purpose", "complaint 12").json(&json!({}));
    let plain = auditor.send(request).await.unwrap().ok();
    assert_eq!(side(&plain, "/features/fraud.twice"), (json!(2468), json!(3702)));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_answer_has_the_trace_of_the_first() {
    let home = home();
    let service = home.serve().await;
    for level in ["summary", "full"] {
        let facts = json!({"phone": "4711", "income": 1999, "wealth": 1234});
        let body = json!({"flow": "loan", "facts": facts, "trace": level});
        let first = service.api.decide_under_key(&body, level).await;
        let again = service.api.decide_under_key(&body, level).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.ok(), first.ok(), "{level}");
    }
    service.stop().await;
}
