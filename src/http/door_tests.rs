//! The door as a whole, before the service behind it is open: who gets in, what is refused and how it looks.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use serde_json::Value as Json;

use super::access::{Guard, ModelDoors, Reach};
use super::routes::{Family, ROUTES, configure};
use super::{Doors, HttpSettings, Serving};
use crate::store::{KeyRing, Keys, Role};

fn closed() -> Doors {
    let settings = HttpSettings {
        body_limit: 4096,
        workers: 1,
        shutdown_grace: Duration::from_secs(1),
        max_connections: 64,
        serving: Serving::Everything,
    };
    Doors::new(settings, Arc::new(|| "# nothing\n".to_owned()))
}

/// Doors that know one key of each of these roles, and the keys.
async fn doors(roles: &[Role]) -> (Arc<Doors>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::open(folder.path(), None).await.unwrap();
    let mut made = Vec::new();
    for role in roles {
        made.push(keys.create(role.word(), &[*role], None).await.unwrap().0);
    }
    let doors = closed();
    let ring = KeyRing::open(keys).await.unwrap();
    doors.admit_keys(Guard { ring, reach: Reach::Loopback, model_doors: ModelDoors::Keyed });
    (Arc::new(doors), made)
}

async fn ask(doors: &Arc<Doors>, request: TestRequest) -> ServiceResponse<impl MessageBody + use<>> {
    let app = App::new()
        .app_data(web::Data::from(Arc::clone(doors)))
        .configure(|config| configure(config, Serving::Everything));
    call_service(&init_service(app).await, request.to_request()).await
}

async fn answer(doors: &Arc<Doors>, request: TestRequest) -> (u16, Json) {
    let response = ask(doors, request).await;
    let status = response.status().as_u16();
    let body = read_body(response).await;
    (status, serde_json::from_slice(&body).unwrap_or(Json::Null))
}

async fn code(doors: &Arc<Doors>, request: TestRequest) -> String {
    answer(doors, request).await.1["code"].as_str().unwrap_or_default().to_owned()
}

fn post(body: &str) -> TestRequest {
    TestRequest::post()
        .uri("/v1/decisions")
        .insert_header(("content-type", "application/json"))
        .set_payload(body.to_owned())
}

fn concrete(path: &str) -> String {
    path.replace("{id}", "019a0000-0000-7000-8000-000000000000")
        .replace("{revision}", "sha256:00")
        .replace("{flow}", "personal_loan")
        .replace("{code}", "internal")
        .replace("{model}", "german_credit")
        .replace("{version}", "1")
        .replace("{label}", "champion")
}

#[actix_web::test]
async fn every_route_lets_in_exactly_the_roles_of_its_entry() {
    let (doors, keys) = doors(&Role::ALL).await;
    for route in ROUTES {
        let bare = || TestRequest::default().method(route.method.clone()).uri(&concrete(route.path));
        let Some(roles) = route.permission.roles() else {
            let status = ask(&doors, bare()).await.status();
            assert!(status != 401 && status != 403, "{} {status}", route.path);
            continue;
        };
        let (status, refused) = answer(&doors, bare()).await;
        assert_eq!(status, 401, "{}", route.path);
        let is_told = if route.family == Family::Models { &refused["error"] } else { &refused["code"] };
        assert!(is_told.is_string(), "{} {refused}", route.path);
        for (role, key) in Role::ALL.iter().zip(&keys) {
            let keyed = bare().insert_header(("authorization", format!("Bearer {key}")));
            let status = ask(&doors, keyed).await.status();
            assert_eq!(status == 403, !roles.contains(role), "{} {} {status}", route.path, role.word());
            assert_ne!(status, 401, "{} {}", route.path, role.word());
        }
    }
}

#[actix_web::test]
async fn nobody_is_let_in_before_the_keys_are_known() {
    let doors = Arc::new(closed());
    assert_eq!(code(&doors, TestRequest::get().uri("/v1/flows")).await, "starting");
    assert_eq!(ask(&doors, TestRequest::get().uri("/livez")).await.status(), 200);
    assert_eq!(ask(&doors, TestRequest::get().uri("/readyz")).await.status(), 503);
}

#[actix_web::test]
async fn what_no_route_serves_is_a_problem_too() {
    let (doors, _) = doors(&[]).await;
    let (status, body) = answer(&doors, TestRequest::get().uri("/v3/nothing")).await;
    assert_eq!(
        (status, &body["code"], &body["type"]),
        (404, &"unknown_route".into(), &"/docs/errors/unknown_route".into())
    );
    let response = ask(&doors, TestRequest::delete().uri("/v1/decisions")).await;
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers().get("allow").unwrap(), "POST, GET, HEAD");
    assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
    let head = TestRequest::default().method(Method::HEAD).uri("/livez");
    assert_eq!(ask(&doors, head).await.status(), 200);
}

#[actix_web::test]
async fn a_body_that_cannot_be_read_is_refused_by_its_kind() {
    let (doors, _) = doors(&[]).await;
    let plain = post("{}").insert_header(("content-type", "text/plain"));
    assert_eq!(code(&doors, plain).await, "unsupported_media_type");
    let gzip = post("{}").insert_header(("content-encoding", "gzip"));
    assert_eq!(code(&doors, gzip).await, "unsupported_media_type");
    assert_eq!(code(&doors, post(&" ".repeat(5000))).await, "body_too_large");
    let announced = post("{}").insert_header(("content-length", "5000"));
    assert_eq!(code(&doors, announced).await, "body_too_large");
    for text in ["", "{", "{} {}", "{\"a\":1,\"a\":2}", "\u{feff}{}", "{\"s3cret\":nope}"] {
        let (status, body) = answer(&doors, post(text)).await;
        assert_eq!((status, &body["code"]), (400, &"malformed_body".into()), "{text}");
        assert!(!body.to_string().contains("s3cret"), "{body}");
    }
}

#[actix_web::test]
async fn a_bad_header_or_query_is_named() {
    let (doors, _) = doors(&[]).await;
    let (status, body) = answer(&doors, post("{}").insert_header(("idempotency-key", "a b"))).await;
    assert_eq!((status, &body["errors"][0]["header"]), (400, &"Idempotency-Key".into()));
    let (status, body) = answer(&doors, TestRequest::get().uri("/v1/flows?flw=x")).await;
    assert_eq!((status, &body["errors"][0]["parameter"]), (400, &"flw".into()));
    let in_address = TestRequest::get().uri("/v1/flows?api_key=tg_x");
    assert_eq!(code(&doors, in_address).await, "unauthenticated");
}

#[actix_web::test]
async fn every_answer_says_which_request_it_is_for() {
    let (doors, _) = doors(&[]).await;
    for path in ["/livez", "/nowhere", "/v1/flows"] {
        let response = ask(&doors, TestRequest::get().uri(path)).await;
        assert_eq!(response.headers().get("x-request-id").unwrap().len(), 36, "{path}");
        let sent = TestRequest::get()
            .uri(path)
            .insert_header(("x-request-id", "mine-1"))
            .insert_header(("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        let response = ask(&doors, sent).await;
        assert_eq!(response.headers().get("x-request-id").unwrap(), "mine-1");
        let trace = response.headers().get("traceparent").unwrap().to_str().unwrap();
        assert!(trace.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{trace}");
    }
}

#[actix_web::test]
async fn the_type_of_a_problem_leads_to_its_page() {
    let (doors, _) = doors(&[]).await;
    let (_, problem) = answer(&doors, TestRequest::get().uri("/nowhere")).await;
    let response = ask(&doors, TestRequest::get().uri(problem["type"].as_str().unwrap())).await;
    assert_eq!(response.status(), 200);
    assert!(read_body(response).await.starts_with(b"# `unknown_route`"));
}
