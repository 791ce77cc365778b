//! `POST /v1/check`: a bundle as a tar gets the findings that `tollgate check` gives; nothing of it stays.

use serde_json::{Value as Json, json};
use tar::{Builder, EntryType, Header};

use crate::access::make_key;
use crate::app::{Answer, Api, FLOW, Home};

/// The home's folders as somebody would pack them.
fn packed(home: &Home, folders: &[&str]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for folder in folders {
        builder.append_dir_all(folder, home.path(folder)).unwrap();
    }
    builder.into_inner().unwrap()
}

fn one_file(path: &str, bytes: &[u8]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(bytes.len() as u64);
    builder.append_data(&mut header, path, bytes).unwrap();
    builder.into_inner().unwrap()
}

async fn check(api: &Api, tar: Vec<u8>) -> Answer {
    let request = api.request("POST", "/v1/check").header("content-type", "application/x-tar");
    api.send(request.body(tar)).await.unwrap()
}

fn codes(checked: &Json) -> Vec<&str> {
    checked["diagnostics"].as_array().unwrap().iter().map(|d| d["code"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_checked_as_its_folders_would_be_and_not_kept() {
    let home = Home::new();
    let service = home.serve().await;
    let before = service.api.get("/v1/flows").await.ok();
    let at_home: Json = serde_json::from_slice(&home.run(&["check", "--format", "json"]).stdout).unwrap();

    let sent = check(&service.api, packed(&home, &["rules"])).await.ok();
    assert_eq!((&sent["models"], &sent["diagnostics"]), (&json!("in_force"), &at_home["diagnostics"]));
    assert_eq!(sent["analysis"], at_home["analysis"]);
    assert!(sent["flows"].as_array().unwrap().contains(&json!({"flow": FLOW, "checks": true})), "{sent}");

    let other = Home::new();
    other.edit(&format!("rules/{FLOW}/flow.yaml"), "thresholds:", "thresholds:\n  min_agee: 18");
    other.edit(&format!("rules/{FLOW}/flow.rhai"), "approve(", "aprove(");
    let sent = check(&service.api, packed(&other, &["rules"])).await.ok();
    let near = sent["diagnostics"].as_array().unwrap().iter().find(|d| d["severity"] == "error").unwrap();
    assert_eq!(near["file"], format!("rules/{FLOW}/flow.rhai"), "{sent}");
    assert!(
        near["help"].as_str().unwrap().contains("approve") && near["line"].as_u64().unwrap() > 0,
        "{near}"
    );
    assert!(sent["flows"].as_array().unwrap().contains(&json!({"flow": FLOW, "checks": false})));

    assert_eq!(service.api.get("/v1/flows").await.ok(), before);
    assert_eq!(service.api.get("/v1/revisions").await.ok()["revisions"].as_array().unwrap().len(), 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_that_are_sent_are_the_ones_that_count() {
    let home = Home::new();
    let service = home.serve().await;
    let mut tar = packed(&home, &["rules"]);
    tar.truncate(tar.len() - 1024); // the end of a tar
    tar.extend(one_file("models/another/model.yaml", b"aliases: {}\n"));
    let sent = check(&service.api, tar).await.ok();
    assert_eq!(sent["models"], "sent");
    assert!(codes(&sent).contains(&"B006"), "{sent}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_bundle_is_refused_and_says_why() {
    let home = Home::new();
    let (analyst, auditor) =
        (make_key(&home, &["analyst"], "desk", &[]), make_key(&home, &["auditor"], "audit", &[]));
    let service = home.serve().await;
    let api = service.api.with_key(&analyst);

    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..18].copy_from_slice(b"rules/../../passwd");
    header.set_entry_type(EntryType::Regular);
    header.set_size(0);
    header.set_cksum();
    let mut way_out = header.as_bytes().to_vec();
    way_out.extend([0; 1024]);
    let refused = check(&api, way_out).await;
    refused.assert_problem(422, "invalid_body");
    assert_eq!(refused.json["errors"][0]["entry"], "rules/../../passwd");
    assert_eq!(refused.json["errors"][0]["code"], "invalid_name");

    let mut link = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    link.append_link(&mut header, "rules/loan/flow.yaml", "/etc/passwd").unwrap();
    let refused = check(&api, link.into_inner().unwrap()).await;
    refused.assert_problem(422, "invalid_body");
    assert_eq!(refused.json["errors"][0]["code"], "not_a_file");

    check(&api, one_file("loan/flow.yaml", b"flow: loan\n")).await.assert_problem(422, "invalid_body");
    check(&api, Vec::new()).await.assert_problem(422, "invalid_body");
    check(&api, b"not a tar".repeat(200)).await.assert_problem(400, "malformed_body");
    check(&api, vec![0x1f, 0x8b, 8, 0]).await.assert_problem(400, "malformed_body");
    let mut many = Builder::new(Vec::new());
    let mut add = |path: &str, bytes: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        many.append_data(&mut header, path, bytes).unwrap();
    };
    add("rules/loan/many.rules.yaml", &[b'#'; 1024 * 1024]);
    (0..16).for_each(|n| add(&format!("rules/loan/markets/m{n}.yaml"), b""));
    check(&api, many.into_inner().unwrap()).await.assert_problem(413, "body_too_large");
    check(&api, vec![0; 4 * 1024 * 1024 + 1]).await.assert_problem(413, "body_too_large");
    api.post("/v1/check", &json!({})).await.assert_problem(415, "unsupported_media_type");
    check(&service.api.with_key(&auditor), Vec::new()).await.assert_problem(403, "forbidden");
    service.stop().await;
}
