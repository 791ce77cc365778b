//! A flow's own messages: what `tollgate proto` prints, used by a client made from it; the same decisions as over REST
//! on all of the real data; numbers that stay.

use std::process::Command;

use prost::Message as _;
use serde_json::{Value as Json, json};
use tollgate::audit::canonical_verdict;
use tollgate::bundle::{build, read_folder};
use tollgate::domain::facts::Given;
use tollgate::domain::flow::Budget;
use tollgate::grpc::flows::Contracts;

use crate::app::{FLOW, Home, applicants, given, repository};
use crate::grpc::wire_struct;
use crate::model_clients::python;

fn printed(home: &Home) -> String {
    let out = home.run(&["proto", FLOW, "--rules", "rules", "--models", "models"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn the_contract_of_the_sample_is_as_it_was_given_to_clients() {
    insta::assert_snapshot!(printed(&Home::new()));
}

#[test]
fn numbers_stay_while_inputs_come_and_go() {
    let home = Home::new();
    let number = |text: &str, name: &str| -> Option<u32> {
        let line = text.lines().find(|line| line.contains(&format!(" {name} = ")))?;
        line.split(" = ").nth(1)?.split(' ').next()?.parse().ok()
    };
    let before = printed(&home);
    let age = number(&before, "age").unwrap();
    home.edit(
        "rules/personal_loan/flow.yaml",
        "inputs:\n",
        "inputs:\n  aaa_new: { type: text, optional: true }\n",
    );
    let after = printed(&home);
    assert_eq!(number(&after, "age"), Some(age));
    let new = number(&after, "aaa_new").unwrap();
    home.edit("rules/personal_loan/flow.yaml", "aaa_new: { type: text,", "aaa_new: { type: integer,");
    let retyped = printed(&home);
    assert_ne!(number(&retyped, "aaa_new").unwrap(), new, "another type has another number");
    home.edit("rules/personal_loan/flow.yaml", "  aaa_new: { type: integer, optional: true }\n", "");
    assert_eq!(printed(&home), before, "what went leaves no trace");
}

/// The same values, whatever order they stand in.
fn sorted(given: Given) -> Given {
    match given {
        Given::Map(entries) => {
            let mut entries: Vec<_> =
                entries.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Given::Map(entries)
        }
        other => other,
    }
}

#[test]
fn all_of_the_real_data_comes_through_protobuf_unchanged() {
    let documents =
        read_folder(&repository().join("tests/fixtures/small/rules"), &repository().join("models"));
    let built = build(&documents);
    let revision = built.bundle.flow(FLOW).unwrap();
    let contract = Contracts::default().of(revision).unwrap();
    let at = "2026-11-22T09:00:00Z".parse().unwrap();
    let (mut as_json, mut as_protobuf, mut as_struct) = (469, 219, 556);
    for applicant in applicants() {
        let bytes = contract.encode_facts(&applicant.facts);
        let typed = contract.decode_facts(&bytes).unwrap();
        let plain = given(&applicant.facts);
        assert_eq!(sorted(typed.clone()), sorted(plain.clone()));
        let verdict = |given: &Given| {
            let facts = revision.flow.admit(given).unwrap();
            canonical_verdict(&revision.flow.decide(&facts, at, &Budget::default()))
        };
        assert_eq!(verdict(&typed), verdict(&plain));
        as_json += applicant.facts.to_string().len();
        as_protobuf += bytes.len();
        as_struct += wire_struct(&applicant.facts).encoded_len();
    }
    // The table of docs/performance.md.
    assert_eq!((as_json / 1_000, as_protobuf / 1_000, as_struct / 1_000), (469, 219, 556));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_made_from_the_printed_contract_gets_rests_own_answers() {
    let Some(python) = python() else { return };
    let home = Home::new();
    let process = home.spawn(&["--durable", "memory"]);
    let mut cases = Vec::new();
    for applicant in applicants() {
        let answer = process.api.decide(&applicant.facts).await.ok();
        let reasons: Vec<Json> =
            answer["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].clone()).collect();
        cases.push(json!({
            "facts": applicant.facts, "outcome": answer["outcome"], "reasons": reasons,
            "output": answer["output"], "scores": answer["scores"],
        }));
    }
    assert_eq!(cases.len(), 1_000);
    home.write("loan.proto", printed(&home));
    home.write("cases.json", json!({ "cases": cases }).to_string());
    let script = repository().join("tests/clients/flow_grpc.py");
    let mut command = Command::new(python);
    command.arg(script).arg(&process.grpc).arg(home.path("loan.proto")).arg(home.path("cases.json"));
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.contains("all calls answered"), "{said}{wrong}\n{}", process.said());
}
