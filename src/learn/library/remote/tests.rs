//! `remote.yaml` as it is read, and what is wrong with it as it is told.

use super::*;

const WHOLE: &str = "\
title: Fraud, of the fraud team
protocol: oip
over: grpc
servers: { at: https://models.internal, every_s: 5 }
model: fraud-v2
version: 3
aliases: { live: 3, next: 4 }
layout: { matrix: input-0 }
inputs:
  amount: { type: decimal, if_missing: nan }
  age: { type: integer, send_as: fp64, if_missing: -1 }
output: { tensor: predict_proba, at: 1 }
decimals: 4
fetch: early
deadline_ms: 40
attempt_ms: 15
retries: { most: 1, percent: 10, always_per_s: 5 }
most_at_once: 64
health: { every_ms: 500, within_ms: 100, after: 3 }
ejection: { after: 4, pause_ms: 2000, most_percent: 40 }
breaker: off
key_from: REMOTE_KEY_FRAUD
";

fn said(text: &str) -> (RemoteModel, Vec<String>) {
    let mut findings = Vec::new();
    let model = read_remote("m/remote.yaml", text.as_bytes(), &mut findings);
    let said = findings.iter().map(|f| format!("{} {}", f.diagnostic.code, f.diagnostic.message)).collect();
    (model, said)
}

#[test]
fn every_key_is_read() {
    let (model, findings) = said(WHOLE);
    assert_eq!(findings, [""; 0]);
    let asked = model.asked(&Name::from("fraud"), Some("4")).unwrap();
    let remote = asked.remote().unwrap();
    assert_eq!((&*asked.name, asked.version, asked.decimals), ("fraud", 4, 4));
    assert_eq!((remote.version.as_deref(), remote.model.as_str()), (Some("4"), "fraud-v2"));
    let at = "https://models.internal:443".to_owned();
    assert_eq!(remote.servers, Servers::Named { at, every: std::time::Duration::from_secs(5) });
    assert_eq!(remote.layout, Layout::Matrix { tensor: "input-0".to_owned() });
    assert_eq!(remote.output, Output { tensor: Some("predict_proba".to_owned()), at: Some(1) });
    assert_eq!((remote.fetch, remote.breaker, remote.most_at_once), (Fetch::Early, None, 64));
    let datatypes: Vec<_> = remote.sent.iter().map(|sent| sent.datatype).collect();
    assert_eq!(datatypes, [Datatype::Fp64, Datatype::Fp64]);
    assert_eq!(remote.sent[0].if_missing, Some(Hole::Nan));
    assert_eq!(remote.sent[1].if_missing, Some(Hole::Value(Value::Integer(-1))));
}

#[test]
fn a_short_file_will_do() {
    let (model, findings) =
        said("protocol: tensorflow_serving\nservers: [http://a:8501]\nmodel: m\ninputs: { x: number }\n");
    assert_eq!(findings, [""; 0]);
    let asked = model.asked(&Name::from("m"), None).unwrap();
    let remote = asked.remote().unwrap();
    assert!(remote.health.is_some() && remote.ejection.is_some() && remote.breaker.is_some());
    assert_eq!((remote.fetch, remote.retries.most), (Fetch::Lazy, 2));
    assert!(remote.attempt < remote.deadline);
}

#[test]
fn everything_wrong_is_said_at_once_with_its_code() {
    let lines = [
        ("servers: { at: https://models.internal, every_s: 5 }", "servers: [models.internal]", "B070"),
        ("https://models.internal", "https://me:secret@models.internal", "B070"),
        ("https://models.internal", "https://models.internal/v2", "B070"),
        ("https://models.internal", "ftp://models.internal", "B070"),
        ("https://models.internal", "https://models.internal:0", "B070"),
        ("https://models.internal", "https://::1", "B070"),
        ("model: fraud-v2", "model: ../secrets", "B071"),
        ("aliases: { live: 3", "aliases: { 3live: 3", "B071"),
        ("deadline_ms: 40", "deadline_ms: 10", "B072"),
        ("deadline_ms: 40", "deadline_ms: 0", "B072"),
        ("most_at_once: 64", "most_at_once: 0", "B072"),
        ("send_as: fp64", "send_as: int64", "B073"),
        ("if_missing: nan", "if_missing: none", "B073"),
        ("decimals: 4", "signature: x", "B073"),
        ("REMOTE_KEY_FRAUD", "tg_0123456789", "B074"),
        ("breaker: off", "breaker: none", "Y011"),
        ("fetch: early", "fetsh: early", "Y009"),
        ("protocol: oip\n", "", "Y010"),
    ];
    for (was, is, code) in lines {
        assert!(WHOLE.contains(was), "{was}");
        let (model, findings) = said(&WHOLE.replacen(was, is, 1));
        assert!(findings.iter().any(|said| said.starts_with(code)), "{is}: {findings:?}");
        assert!(model.asked(&Name::from("fraud"), None).is_err(), "{is}");
        assert!(!findings.iter().any(|said| said.contains("secret@") || said.contains("tg_0123")), "{is}");
    }
}
