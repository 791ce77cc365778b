//! The gRPC door over a real connection: the same decisions, records, keys and problems as REST's.

use prost_types::value::Kind;
use prost_types::{Struct, Value as Wire};
use serde_json::{Value as Json, json};
use tollgate::wire::google::rpc;
use tollgate::wire::tollgate::v1;
use tollgate::wire::tollgate::v1::decide_reply::Reply;
use tollgate::wire::tollgate::v1::decisions_client::DecisionsClient;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use prost::Message as _;

use crate::app::{FLOW, Home, Service, applicants, facts_with};

pub async fn channel(service: &Service) -> Channel {
    let address = format!("http://{}", service.grpc.unwrap());
    Channel::from_shared(address).unwrap().connect().await.unwrap()
}

/// JSON as a client would put it into a Struct.
fn wire(json: &Json) -> Wire {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(*value),
        Json::Number(value) => Kind::NumberValue(value.as_f64().unwrap()),
        Json::String(text) => Kind::StringValue(text.clone()),
        Json::Array(items) => {
            Kind::ListValue(prost_types::ListValue { values: items.iter().map(wire).collect() })
        }
        Json::Object(_) => Kind::StructValue(wire_struct(json)),
    };
    Wire { kind: Some(kind) }
}

pub fn wire_struct(json: &Json) -> Struct {
    let entries = json.as_object().unwrap().iter();
    Struct { fields: entries.map(|(name, value)| (name.clone(), wire(value))).collect() }
}

fn question(facts: &Json) -> v1::DecideRequest {
    v1::DecideRequest { flow: FLOW.to_owned(), facts: Some(wire_struct(facts)), ..Default::default() }
}

/// The problem's word, and the fields that it names.
fn told(status: &rpc::Status) -> (String, Vec<String>) {
    let (mut code, mut fields) = (String::new(), Vec::new());
    for detail in &status.details {
        match detail.type_url.as_str() {
            "type.googleapis.com/google.rpc.ErrorInfo" => {
                code = rpc::ErrorInfo::decode(&*detail.value).unwrap().metadata["code"].clone();
            }
            "type.googleapis.com/google.rpc.BadRequest" => {
                let bad = rpc::BadRequest::decode(&*detail.value).unwrap();
                fields =
                    bad.field_violations.into_iter().map(|f| format!("{} {}", f.field, f.reason)).collect();
            }
            _ => {}
        }
    }
    (code, fields)
}

fn told_by(status: &Status) -> (String, Vec<String>) {
    told(&rpc::Status::decode(status.details()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_the_same_over_both_doors_and_its_record_too() {
    let home = Home::new();
    let service = home.serve().await;
    let mut client = DecisionsClient::new(channel(&service).await);
    for applicant in applicants().iter().take(40) {
        let rest = service.api.decide(&applicant.facts).await.ok();
        let mut request = Request::new(v1::DecideRequest {
            reference: Some("a-1".to_owned()),
            trace: v1::Trace::Summary.into(),
            ..question(&applicant.facts)
        });
        request.metadata_mut().insert("x-request-id", "from-a-test".parse().unwrap());
        let response = client.decide(request).await.unwrap();
        assert_eq!(response.metadata().get("x-request-id").unwrap(), "from-a-test");
        let grpc = response.into_inner();
        assert_eq!((grpc.flow.as_str(), grpc.market.as_str()), (FLOW, "base"));
        assert_eq!(grpc.outcome, rest["outcome"].as_str().unwrap());
        assert_eq!(grpc.revision, rest["revision"].as_str().unwrap());
        let codes: Vec<_> = grpc.reasons.iter().map(|reason| json!(reason.code)).collect();
        let expected: Vec<_> =
            rest["reasons"].as_array().unwrap().iter().map(|r| r["code"].clone()).collect();
        assert_eq!(codes, expected);
        let risk = rest["scores"]["default_risk"].as_f64().unwrap();
        assert_eq!(grpc.scores["default_risk"].to_bits(), risk.to_bits());
        assert_eq!(grpc.output.clone().unwrap(), wire_struct(&rest["output"]));
        assert_eq!((grpc.state(), grpc.durable()), (v1::State::Decided, v1::Durable::Local));
        assert!(!grpc.trace.unwrap().values.is_empty());
        let request = v1::GetRequest { decision_id: grpc.decision_id.clone() };
        let record = client.get(request).await.unwrap().into_inner();
        let over_rest = service.api.get(&format!("/v1/decisions/{}", grpc.decision_id)).await.ok();
        assert_eq!(serde_json::from_str::<Json>(&record.json).unwrap(), over_rest);
        assert_eq!(over_rest["reference"], "a-1");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_with_code_and_fields() {
    let home = Home::new();
    let service = home.serve().await;
    let mut client = DecisionsClient::new(channel(&service).await);
    let facts = facts_with("age", json!("forty"));
    let refused = client.decide(question(&facts)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(told_by(&refused), ("invalid_facts".to_owned(), vec!["facts.age WRONG_TYPE".to_owned()]));
    let big = client.decide(question(&facts_with("age", json!(1e17)))).await.unwrap_err();
    assert_eq!(told_by(&big).1, ["facts.age WRONG_TYPE"]);
    let unknown = v1::DecideRequest { flow: "personal_laon".to_owned(), ..question(&json!({})) };
    let refused = client.decide(unknown).await.unwrap_err();
    assert_eq!((refused.code(), told_by(&refused).0.as_str()), (Code::NotFound, "unknown_flow"));
    assert!(refused.message().contains("did you mean `personal_loan`?"), "{}", refused.message());
    let empty = client.decide(v1::DecideRequest { trace: 77, ..Default::default() }).await.unwrap_err();
    assert_eq!(told_by(&empty).1, ["trace NOT_A_CHOICE", "flow MISSING", "facts MISSING"]);
    let none = v1::GetRequest { decision_id: "no-uuid".to_owned() };
    assert_eq!(client.get(none).await.unwrap_err().code(), Code::NotFound);
    let large = v1::DecideRequest { reference: Some("x".repeat(300_000)), ..question(&json!({})) };
    assert_eq!(client.decide(large).await.unwrap_err().code(), Code::OutOfRange);
    // A refusal is in the log, whichever door it was made at.
    let has = |answer: &crate::app::Answer| answer.text.contains("/facts/age");
    service.api.until("/v1/refusals?flow=personal_loan", has).await;
    let metrics = service.api.get("/metrics").await.text;
    let counted =
        "tollgate_grpc_requests_total{method=\"tollgate.v1.Decisions/Decide\",status=\"INVALID_ARGUMENT\"}";
    assert!(metrics.contains(counted), "{metrics}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_stands_for_one_decision_at_both_doors() {
    let home = Home::new();
    let service = home.serve().await;
    let mut client = DecisionsClient::new(channel(&service).await);
    let facts = applicants().swap_remove(3).facts;
    let rest = service.api.decide_under_key(&json!({"flow": FLOW, "facts": facts}), "shared-1").await.ok();
    let mut request = Request::new(question(&facts));
    request.metadata_mut().insert("idempotency-key", "shared-1".parse().unwrap());
    let again = client.decide(request).await.unwrap();
    assert_eq!(again.metadata().get("idempotent-replayed").unwrap(), "true");
    assert_eq!(again.into_inner().decision_id, rest["decision_id"].as_str().unwrap());
    let other = v1::DecideRequest {
        idempotency_key: Some("shared-1".to_owned()),
        ..question(&applicants().swap_remove(4).facts)
    };
    let reused = client.decide(other).await.unwrap_err();
    assert_eq!((reused.code(), told_by(&reused).0.as_str()), (Code::AlreadyExists, "key_reused"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_answers_every_message_in_order_and_goes_on_after_a_problem() {
    let home = Home::new();
    let service = home.serve().await;
    let mut client = DecisionsClient::new(channel(&service).await);
    let all: Vec<_> = applicants().into_iter().take(300).collect();
    let messages: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(at, applicant)| {
            let mut facts = applicant.facts.clone();
            if at % 10 == 7 {
                facts["age"] = json!("forty");
            }
            v1::DecideRequest { reference: Some(format!("row-{at}")), ..question(&facts) }
        })
        .collect();
    let mut replies = client.decide_stream(tokio_stream::iter(messages)).await.unwrap().into_inner();
    for at in 0..all.len() {
        match replies.message().await.unwrap().unwrap().reply.unwrap() {
            Reply::Decision(decision) => {
                assert_ne!(at % 10, 7);
                assert_eq!(decision.reference, Some(format!("row-{at}")));
            }
            Reply::Problem(problem) => {
                assert_eq!(at % 10, 7);
                assert_eq!(told(&problem).1, ["facts.age WRONG_TYPE"]);
            }
        }
    }
    assert_eq!(replies.message().await.unwrap(), None);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_open_the_same_things_at_both_doors() {
    let home = Home::new();
    let made = home.run(&["keys", "create", "--role", "auditor", "--name", "eve", "--format", "json"]);
    let eve: Json = serde_json::from_slice(&made.stdout).unwrap();
    let made = home
        .run(&["keys", "create", "--role", "caller", "--name", "shop", "--flows", FLOW, "--format", "json"]);
    let shop: Json = serde_json::from_slice(&made.stdout).unwrap();
    let service = home.serve().await;
    let mut client = DecisionsClient::new(channel(&service).await);
    let facts = applicants().swap_remove(0).facts;
    let bare = client.decide(question(&facts)).await.unwrap_err();
    assert_eq!((bare.code(), told_by(&bare).0.as_str()), (Code::Unauthenticated, "unauthenticated"));
    let with = |key: &Json, message: v1::DecideRequest| {
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", key["key"].as_str().unwrap());
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        let mut client = client.clone();
        async move { client.decide(request).await }
    };
    let wrong_role = with(&eve, question(&facts)).await.unwrap_err();
    assert_eq!(wrong_role.code(), Code::PermissionDenied);
    let other = v1::DecideRequest { flow: "fraud_check".to_owned(), ..question(&facts) };
    assert_eq!(with(&shop, other).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(with(&shop, question(&facts)).await.unwrap().into_inner().flow, FLOW);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_by_service_and_ends_first() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;
    let home = Home::new();
    let service = home.serve().await;
    let mut client = HealthClient::new(channel(&service).await);
    let flow = "tollgate.flows.personal_loan.v1.PersonalLoan";
    for name in ["", "tollgate.v1.Decisions", flow] {
        let request = HealthCheckRequest { service: name.to_owned() };
        let response = client.check(request).await.unwrap().into_inner();
        assert_eq!(response.status(), ServingStatus::Serving, "{name}");
    }
    let none = HealthCheckRequest { service: "tollgate.v2.Decisions".to_owned() };
    assert_eq!(client.check(none).await.unwrap_err().code(), Code::NotFound);
    let mut watched = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let stopping = tokio::spawn(service.stop());
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(watched.message().await.unwrap().is_none());
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_open_does_not_keep_the_service_from_stopping() {
    let home = Home::new();
    let service = home.serve().await;
    let mut client = DecisionsClient::new(channel(&service).await);
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let messages = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let facts = applicants().swap_remove(0).facts;
    sender.send(question(&facts)).await.unwrap();
    let mut replies = client.decide_stream(messages).await.unwrap().into_inner();
    assert!(matches!(replies.message().await.unwrap().unwrap().reply, Some(Reply::Decision(_))));
    let begun = std::time::Instant::now();
    let stopping = tokio::spawn(service.stop());
    assert_eq!(replies.message().await.unwrap_err().code(), Code::Unavailable);
    stopping.await.unwrap();
    assert!(begun.elapsed() < std::time::Duration::from_secs(15), "{:?}", begun.elapsed());
}
