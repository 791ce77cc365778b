//! The whole application on real parts: a real log in a fresh folder, a real socket, real signals left out.

use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;

use super::{Application, Ended, StartError};
use crate::config::{Flags, Settings, gather};

fn settings(folder: &Path, http: &str) -> Settings {
    let part = |name: &str| Some(folder.join(name).display().to_string());
    std::fs::create_dir_all(folder.join("rules")).unwrap();
    std::fs::create_dir_all(folder.join("models")).unwrap();
    let flags = Flags {
        http: Some(http.to_owned()),
        grpc: Some("127.0.0.1:0".to_owned()),
        data: part("data"),
        rules: part("rules"),
        models: part("models"),
        ..Flags::default()
    };
    Settings { workers: 1, ..gather(&flags, &|_| None).unwrap() }
}

async fn get(application: &Application, path: &str) -> (u16, Json) {
    let response = reqwest::get(format!("http://{}{path}", application.address())).await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Json::Null))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_serves_and_stops_and_can_start_again() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let application = Application::build(settings(folder.path(), "127.0.0.1:0")).await.unwrap();
        let grpc = application.grpc_address().unwrap();
        let ready = format!("listening http={} grpc={grpc}", application.address());
        assert_eq!(application.ready_line(), ready);
        let (status, ready) = get(&application, "/readyz").await;
        assert_eq!(
            (status, &ready["status"], &ready["reload"]),
            (200, &"ready".into(), &"ok".into()),
            "{ready}"
        );
        let (status, flows) = get(&application, "/v1/flows").await;
        assert_eq!((status, &flows["flows"]), (200, &serde_json::json!([])));
        let (status, found) = get(&application, "/v1/decisions?limit=3").await;
        assert_eq!((status, found), (200, serde_json::json!({"decisions": [], "next": null})));
        let (status, problem) = get(&application, "/v1/decisions/019a0000-0000-7000-8000-000000000000").await;
        assert_eq!((status, &problem["code"]), (404, &"unknown_decision".into()));
        let metrics = reqwest::get(format!("http://{}/metrics", application.address())).await.unwrap();
        assert!(metrics.text().await.unwrap().contains("tollgate_http_requests_total{"));
        let stopper = application.stopper();
        let running = tokio::spawn(application.run());
        stopper.stop();
        let ended = tokio::time::timeout(Duration::from_secs(20), running).await.unwrap().unwrap().unwrap();
        assert_eq!(ended, Ended::Finished);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_for_a_decision_is_found_among_the_refusals() {
    let folder = tempfile::tempdir().unwrap();
    let application = Application::build(settings(folder.path(), "127.0.0.1:0")).await.unwrap();
    let address = format!("http://{}/v1/decisions", application.address());
    let body =
        r#"{"flow": "personal_loan", "reference": "a-1", "facts": {"age": 987654321}, "trase": "full"}"#;
    let request = reqwest::Client::new().post(address).header("content-type", "application/json").body(body);
    assert_eq!(request.send().await.unwrap().status(), 422);
    let mut refusals = Json::Null;
    for _ in 0..100 {
        refusals = get(&application, "/v1/refusals?reference=a-1").await.1;
        if refusals["refusals"].as_array().is_some_and(|r| !r.is_empty()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let text = refusals.to_string();
    assert!(
        text.contains("invalid_body") && text.contains("/trase") && !text.contains("987654321"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_it_needs_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Application::build(settings(folder.path(), "0.0.0.0:0")).await.unwrap_err();
    assert!(matches!(refused, StartError::NoKeys { .. }), "{refused}");
    assert!(refused.to_string().contains("tollgate keys create"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_beyond_loopback_needs_a_key_too_and_may_be_off() {
    let folder = tempfile::tempdir().unwrap();
    let with = |grpc: Option<&str>| Settings {
        grpc: grpc.map(|address| address.parse().unwrap()),
        ..settings(folder.path(), "127.0.0.1:0")
    };
    let refused = Application::build(with(Some("0.0.0.0:0"))).await.unwrap_err();
    assert!(matches!(refused, StartError::NoKeys { .. }), "{refused}");
    let without = Application::build(with(None)).await.unwrap();
    assert!(without.ready_line().ends_with(" grpc=-"), "{}", without.ready_line());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let refused = Application::build(settings(folder.path(), &address)).await.unwrap_err();
    assert!(matches!(refused, StartError::Bind { .. }), "{refused}");
}
