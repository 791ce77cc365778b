//! Who is let in: nobody beyond loopback without a key, each role to its own routes, no caller to another's records.

use serde_json::{Value as Json, json};
use tollgate::http::routes::{Family, ROUTES};
use tollgate::store::Role;

use crate::app::{FLOW, Home, applicants};

pub fn make_key(home: &Home, roles: &[&str], name: &str, more: &[&str]) -> String {
    let mut arguments = vec!["keys", "create", "--data", "data", "--name", name];
    for role in roles {
        arguments.extend(["--role", role]);
    }
    arguments.extend(more);
    let made = home.run(&arguments);
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    let shown: Json = serde_json::from_slice(&made.stdout).unwrap();
    shown["key"].as_str().unwrap().to_owned()
}

#[test]
fn beyond_loopback_without_a_key_it_refuses_to_start() {
    let home = Home::new();
    let refused = home.run(&["serve", "--http", "0.0.0.0:0"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("0.0.0.0") && said.contains("tollgate keys create"), "{said}");
    assert!(!said.contains("listening http"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_use_its_own_routes_and_no_other() {
    let home = Home::new();
    let service = home.serve().await;
    // Until there is a key, this machine may do everything.
    assert_eq!(service.api.get("/v1/flows").await.status, 200);
    let id = service.api.decide(&applicants()[0].facts).await.word("decision_id").to_owned();
    service.stop().await;
    let keys: Vec<(Role, String)> =
        Role::ALL.iter().map(|role| (*role, make_key(&home, &[role.word()], role.word(), &[]))).collect();
    let service = home.serve().await;
    for route in ROUTES {
        let path = route.path.replace("{id}", &id).replace("{flow}", FLOW).replace("{code}", "forbidden");
        let path = path.replace("{revision}", "sha256:00").replace("{model}", "german_credit");
        let path = path.replace("{version}", "1").replace("{label}", "champion");
        // Errors of the model doors are in their protocols' words.
        let assert_refused = |answer: &crate::app::Answer, status: u16, code: &str| match route.family {
            Family::Models => assert!(answer.status == status && answer.json["error"].is_string(), "{path}"),
            _ => answer.assert_problem(status, code),
        };
        let ask = async |api: &crate::app::Api| {
            let request = api.request(route.method.as_str(), &path);
            let request = if route.method == "POST" { request.json(&json!({})) } else { request };
            api.send(request).await.unwrap()
        };
        let without = ask(&service.api).await;
        let Some(allowed) = route.permission.roles() else {
            assert_eq!(without.status, 200, "{path}: {}", without.text);
            continue;
        };
        assert_refused(&without, 401, "unauthenticated");
        assert!(without.header("www-authenticate").unwrap().starts_with("Bearer"));
        for (role, key) in &keys {
            let answer = ask(&service.api.with_key(key)).await;
            if allowed.contains(role) {
                assert!(!matches!(answer.status, 401 | 403 | 500..), "{role:?} {path}: {}", answer.text);
            } else {
                assert_refused(&answer, 403, "forbidden");
            }
        }
        let query = if path.contains('?') { '&' } else { '?' };
        for name in ["key", "api_key", "access_token"] {
            let address = format!("{path}{query}{name}={}", keys[0].1);
            let request = service.api.request(route.method.as_str(), &address);
            let answer = service.api.send(request).await.unwrap();
            assert_refused(&answer, 401, "unauthenticated");
            assert!(!answer.text.contains(&keys[0].1));
        }
    }
    for wrong in ["", "tg_", "tg_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x y"] {
        service.api.with_key(wrong).get("/v1/flows").await.assert_problem(401, "unauthenticated");
    }
    let other_scheme = service.api.request("GET", "/v1/flows").header("authorization", "Basic eDp5");
    service.api.send(other_scheme).await.unwrap().assert_problem(401, "unauthenticated");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_sees_its_own_decisions_without_their_trace_and_no_others() {
    let home = Home::new();
    let shop_key = make_key(&home, &["caller"], "shop", &[]);
    let bank_key = make_key(&home, &["caller"], "bank", &[]);
    let limited = make_key(&home, &["caller"], "limited", &["--flows", "another_flow"]);
    let auditor = make_key(&home, &["auditor"], "eve", &[]);
    let service = home.serve().await;
    let shop = service.api.with_key(&shop_key);
    let mut facts = applicants()[0].facts.clone();
    facts["status_and_sex"] = json!("a-personal-value");
    let body = json!({"flow": FLOW, "reference": "r-1", "facts": facts});
    let decision = shop.post("/v1/decisions", &body).await.ok();
    let path = format!("/v1/decisions/{}", decision["decision_id"].as_str().unwrap());

    let own = shop.get(&path).await.ok();
    assert_eq!((&own["caller"], own.get("trace"), own.get("features")), (&json!("shop"), None, None));
    assert_eq!(own["facts"]["status_and_sex"], "a-personal-value", "it sent it");
    assert_eq!(shop.all("&reference=r-1", 10).await.len(), 1);
    let bank = service.api.with_key(&bank_key);
    bank.get(&path).await.assert_problem(404, "unknown_decision");
    assert!(bank.all("", 10).await.is_empty() && bank.all("&caller=shop", 10).await.is_empty());
    let missing = bank.get("/v1/decisions/019a0000-0000-7000-8000-000000000000").await;
    assert_eq!(bank.get(&path).await.text, missing.text, "nothing says that it exists");
    let limited = service.api.with_key(&limited);
    limited.post("/v1/decisions", &body).await.assert_problem(403, "forbidden");

    let auditor = service.api.with_key(&auditor);
    let masked = auditor.get(&path).await;
    assert!(!masked.text.contains("a-personal-value"), "{}", masked.text);
    assert!(masked.ok()["trace"].is_array());
    let request = auditor.request("GET", &path).header("purpose", "complaint 17");
    assert_eq!(auditor.send(request).await.unwrap().ok()["facts"]["status_and_sex"], "a-personal-value");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_known_and_forgotten_while_the_service_runs_and_is_stored_nowhere() {
    let home = Home::new();
    let first = make_key(&home, &["caller", "analyst"], "first", &[]);
    let process = home.spawn(&[]);
    let plain = process.api.clone();
    plain.get("/v1/flows").await.assert_problem(401, "unauthenticated");
    let second = make_key(&home, &["analyst"], "second", &[]);
    assert_ne!(first, second);
    let api = process.api.with_key(&second);
    api.until("/v1/flows", |answer| answer.status == 200).await;
    process.api.with_key(&first).decide(&applicants()[0].facts).await.ok();

    let revoked = home.run(&["keys", "revoke", "--name", "second", "--data", "data"]);
    assert_eq!(revoked.status.code(), Some(0));
    api.until("/v1/flows", |answer| answer.status == 401).await;
    let again = home.run(&["keys", "revoke", "--name", "second", "--data", "data"]);
    assert_eq!(again.status.code(), Some(1), "nothing left to revoke");

    let listed = home.run(&["keys", "list", "--data", "data", "--format", "json"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    let shown: Json = serde_json::from_str(&listed).unwrap();
    assert_eq!(shown["keys"].as_array().unwrap().len(), 2);
    let said = process.said();
    for key in [&first, &second] {
        assert!(key.len() > 40 && !listed.contains(key.as_str()) && !said.contains(key.as_str()));
        for entry in std::fs::read_dir(home.path("data")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                let found = bytes.windows(key.len()).any(|window| window == key.as_bytes());
                assert!(!found, "a key stands in {}", path.display());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_some_flows_hears_nothing_of_the_others() {
    let home = Home::new();
    home.write("rules/_shared/hours.rhai", "fn is_night(hour) { hour < 6 }\n");
    home.write(
        "rules/small/flow.yaml",
        "flow: small\ninputs: { x: integer }\noutcomes: [approve, review, decline]\nreasons: { R1: { en: No } }\non_error: { outcome: review, reason: R1 }\n",
    );
    home.write("rules/small/flow.rhai", "if x > 5 { review(\"R1\"); }\napprove();\n");
    home.edit(&format!("rules/{FLOW}/flow.yaml"), "thresholds:", "thresholds:\n  never_read: 18");
    let analyst = make_key(&home, &["analyst"], "desk", &["--flows", "small"]);
    let all = make_key(&home, &["analyst"], "all", &[]);
    let service = home.serve().await;
    let (api, all) = (service.api.with_key(&analyst), service.api.with_key(&all));

    let listed = api.get("/v1/flows").await;
    assert!(all.get("/v1/flows").await.text.contains(FLOW), "there is something to hide");
    assert!(
        listed.text.contains("`decline` is never used") && !listed.text.contains(FLOW),
        "{}",
        listed.text
    );
    let releases = api.get("/v1/releases").await;
    assert!(releases.text.contains("small") && !releases.text.contains(FLOW), "{}", releases.text);
    api.get(&format!("/v1/releases?flow={FLOW}")).await.assert_problem(403, "forbidden");

    // Neither what another flow changed, nor a shared function that it does not use.
    let before = listed.word("revision").to_owned();
    home.edit(&format!("rules/{FLOW}/flow.yaml"), "never_read: 18", "never_read: 19");
    let after = api.until("/v1/flows", |answer| answer.word("revision") != before).await;
    let path = format!("/v1/revisions/{before}/diff/{}", after.word("revision"));
    let (mine, whole) = (api.get(&path).await.ok(), all.get(&path).await.ok());
    assert_eq!((&mine["same"], &mine["flows"]), (&json!(true), &json!([])), "{mine}");
    assert_eq!(whole["flows"].as_array().map(Vec::len), Some(1), "{whole}");
    api.get(&format!("{path}?flow=smal")).await.assert_problem(404, "unknown_flow");
    service.stop().await;
}
