//! Decisions over HTTP: the README's story, the whole data set, and threshold edits under load.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value as Json, json};
use tollgate::bundle;
use tollgate::config::Flags;
use tollgate::engine::{DecideRequest, TraceLevel, decide_once};

use crate::app::{Api, Applicant, FLOW, Home, applicants, given};

const FIELDS: &[&str] = &[
    "decision_id",
    "flow",
    "market",
    "revision",
    "outcome",
    "reasons",
    "output",
    "scores",
    "flow_revision",
    "state",
    "decided_at",
    "elapsed_us",
    "degraded",
    "durable",
];

fn ids(decisions: &[Json]) -> BTreeSet<String> {
    decisions.iter().map(|decision| decision["decision_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_answered_recorded_shown_and_replayed() {
    let home = Home::new();
    let service = home.serve().await;
    let api = &service.api;
    let applicant = &applicants()[1];
    let body =
        json!({"flow": FLOW, "reference": "application-8841", "facts": applicant.facts, "trace": "full"});
    let answer = api.post("/v1/decisions", &body).await;
    assert!(answer.header("x-request-id").is_some());
    let decision = answer.ok();
    for field in FIELDS {
        assert!(decision.get(field).is_some(), "no `{field}` in {decision}");
    }
    assert_eq!(decision["state"], "decided");
    assert_eq!((&decision["market"], &decision["durable"]), (&json!("base"), &json!("local")));
    assert_eq!((&decision["degraded"], &decision["reference"]), (&json!(false), &json!("application-8841")));
    assert!(decision["scores"]["default_risk"].as_f64().is_some_and(|risk| risk > 0.0 && risk < 1.0));
    assert!(decision["revision"].as_str().unwrap().starts_with("sha256:"));
    assert!(decision["decided_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(decision["reasons"][0]["rank"], 1);
    let rules = decision["trace"].to_string();
    assert!(rules.contains("heavy_instalment") && rules.contains("german_credit"), "{rules}");

    let path = format!("/v1/decisions/{}", decision["decision_id"].as_str().unwrap());
    let record = api.get(&path).await.ok();
    for field in ["decision_id", "outcome", "reasons", "scores", "revision", "flow_revision", "decided_at"] {
        assert_eq!(record[field], decision[field], "{field}");
    }
    assert_eq!(record["caller"], "local");
    assert_eq!(record["facts"]["credit_history"], applicant.facts["credit_history"]);
    assert_eq!(record["facts"]["amount"], applicant.facts["amount"], "decimals as they were sent");
    assert!(record["trace"].as_array().is_some_and(|steps| steps.len() > 3));
    assert!(record["features"]["instalment"].as_str().is_some(), "{}", record["features"]);
    assert!(record["log"]["sequence"].as_i64().is_some() && record["log"]["chain"].is_string());

    let replay = api.post(&format!("{path}/replay"), &json!({})).await.ok();
    assert_eq!((&replay["agrees"], &replay["differences"]), (&json!(true), &json!([])));
    let dry = json!({"flow": FLOW, "facts": applicant.facts, "dry_run": true});
    let dry = api.post("/v1/decisions", &dry).await.ok();
    assert_eq!((&dry["dry_run"], &dry["outcome"]), (&json!(true), &decision["outcome"]));
    let dry_path = format!("/v1/decisions/{}", dry["decision_id"].as_str().unwrap());
    api.get(&dry_path).await.assert_problem(404, "unknown_decision");

    let german = api.request("POST", "/v1/decisions").header("accept-language", "de-AT, en;q=0.5");
    let german = api.send(german.json(&body)).await.unwrap().ok();
    let texts =
        [&decision, &german].map(|d| (d["reasons"][0]["code"].clone(), d["reasons"][0]["text"].clone()));
    assert!(texts[0].0 == texts[1].0 && texts[0].1 != texts[1].1, "{texts:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_page_through_everything_exactly_once() {
    let home = Home::new();
    let service = home.serve().await;
    let api = &service.api;
    let mut made: Vec<Json> = Vec::new();
    for (n, applicant) in applicants().iter().take(67).enumerate() {
        let body =
            json!({"flow": FLOW, "reference": format!("application-{}", n % 50), "facts": applicant.facts});
        made.push(api.post("/v1/decisions", &body).await.ok());
    }
    let everything = ids(&made);
    for limit in [1, 7, 50, 67, 1000] {
        let found = api.all("", limit).await;
        assert_eq!((found.len(), ids(&found)), (67, everything.clone()), "limit {limit}");
        let newest_first: Vec<&Json> = made.iter().rev().map(|d| &d["decision_id"]).collect();
        assert_eq!(found.iter().map(|d| &d["decision_id"]).collect::<Vec<_>>(), newest_first);
    }
    assert_eq!(api.get("/v1/decisions").await.ok()["decisions"].as_array().unwrap().len(), 50);

    let revision = made[0]["revision"].as_str().unwrap();
    let time = |n: usize| made[n]["decided_at"].as_str().unwrap().to_owned();
    let holds = |wanted: &dyn Fn(&Json) -> bool| -> BTreeSet<String> {
        ids(&made.iter().filter(|d| wanted(d)).cloned().collect::<Vec<_>>())
    };
    let has_reason =
        |d: &Json, code: &str| d["reasons"].as_array().unwrap().iter().any(|reason| reason["code"] == code);
    let between = |d: &Json| (time(10)..time(20)).contains(&d["decided_at"].as_str().unwrap().to_owned());
    let expected = [
        ("flow=personal_loan".to_owned(), everything.clone()),
        ("flow=personal_loam".to_owned(), BTreeSet::new()),
        ("outcome=approve".to_owned(), holds(&|d| d["outcome"] == "approve")),
        ("outcome=review".to_owned(), holds(&|d| d["outcome"] == "review")),
        ("reason=R301".to_owned(), holds(&|d| has_reason(d, "R301"))),
        ("reference=application-3".to_owned(), holds(&|d| d["reference"] == "application-3")),
        (format!("revision={revision}"), everything.clone()),
        ("revision=sha256:00".to_owned(), BTreeSet::new()),
        (format!("from={}&to={}", time(10), time(20)), holds(&between)),
        ("caller=local&degraded=false&model=german_credit@1".to_owned(), everything.clone()),
        ("caller=nobody".to_owned(), BTreeSet::new()),
        (
            "outcome=review&reason=R301&reference=application-1".to_owned(),
            holds(&|d| {
                d["outcome"] == "review" && has_reason(d, "R301") && d["reference"] == "application-1"
            }),
        ),
    ];
    for (filters, expected) in expected {
        assert_eq!(ids(&api.all(&format!("&{filters}"), 4).await), expected, "{filters}");
    }

    let subject = api.post("/v1/decisions/search", &json!({"subject": "row-5", "limit": 10})).await.ok();
    assert_eq!(ids(subject["decisions"].as_array().unwrap()), ids(&made[4..5]));
    api.get("/v1/decisions?subject=row-5").await.assert_problem(400, "invalid_query");
    for wrong in ["limit=0", "limit=1001", "limit=x", "cursor=x", "from=yesterday", "outcame=approve"] {
        api.get(&format!("/v1/decisions?{wrong}")).await.assert_problem(400, "invalid_query");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_force_is_shown() {
    let home = Home::new();
    let service = home.serve().await;
    let api = &service.api;
    let flows = api.get("/v1/flows").await.ok();
    assert_eq!((&flows["reload"], &flows["flows"][0]["status"]), (&json!("ok"), &json!("in_force")));
    assert_eq!(flows["diagnostics"], json!([]));
    let flow = api.get(&format!("/v1/flows/{FLOW}")).await.ok();
    let properties = flow["inputs"]["properties"].as_object().unwrap();
    let required: BTreeSet<&str> =
        flow["inputs"]["required"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
    let applicant = &applicants()[0].facts;
    assert!(required.iter().all(|name| applicant.get(name).is_some() && *name != "applicant_id"));
    assert!(required.contains("amount") && required.contains("age"));
    assert!(properties.values().all(|p| p.get("type").is_some() && p.get("$ref").is_none()), "inline types");
    assert_eq!(flow["thresholds"]["max_default_risk"].as_f64(), Some(0.6));
    assert!(flow["reasons"]["R301"]["en"].is_string());
    assert_eq!(flow["models"]["default_risk"]["version"], 1);
    assert_eq!((&flow["markets"], &flow["revision"]), (&json!(["base"]), &flows["revision"]));
    api.get("/v1/flows/personal_loam").await.assert_problem(404, "unknown_flow");

    let models = api.get("/v1/models").await.ok();
    let model = &models["models"][0];
    assert_eq!((&model["model"], &model["aliases"]["challenger"]), (&json!("german_credit"), &json!(2)));
    for version in model["versions"].as_array().unwrap() {
        assert_eq!(version["serves"], true, "{version}");
        assert!(version["digest"].as_str().unwrap().starts_with("sha256:") && version["card"].is_object());
    }
    let releases = api.get("/v1/releases").await.ok();
    let release = &releases["releases"][0];
    assert_eq!((&release["revision"], &release["previous"]), (&flows["revision"], &Json::Null));
    assert_eq!((&release["by"], &release["cases"]["failed"]), (&json!("unknown"), &json!(0)));
    let revision = api.get("/v1/revisions").await.ok()["revisions"][0]["revision"].clone();
    assert_eq!(revision, flows["revision"]);
    let files = api.get(&format!("/v1/revisions/{}", revision.as_str().unwrap())).await.ok();
    let files = files["files"].as_array().unwrap();
    let script = files.iter().find(|f| f["path"].as_str().unwrap().ends_with("flow.rhai")).unwrap();
    assert_eq!(script["text"], home.read("rules/personal_loan/flow.rhai"));
    api.get("/v1/revisions/sha256:00").await.assert_problem(404, "unknown_revision");

    assert_eq!(api.get("/livez").await.ok()["status"], "alive");
    let ready = api.get("/readyz").await.ok();
    assert_eq!((&ready["status"], &ready["revision"]), (&json!("ready"), &flows["revision"]));
    assert!(api.get("/metrics").await.text.contains("tollgate_http_requests_total"));
    let description = api.get("/openapi.json").await.ok();
    assert!(description["openapi"].as_str().unwrap().starts_with("3."));
    for route in tollgate::http::routes::ROUTES {
        let method = route.method.as_str().to_lowercase();
        assert!(description["paths"][route.path][&method].is_object(), "{method} {}", route.path);
    }
    let operations: usize =
        description["paths"].as_object().unwrap().values().map(|p| p.as_object().unwrap().len()).sum();
    assert_eq!(operations, tollgate::http::routes::ROUTES.len());
    service.stop().await;
}

/// Sends each applicant once over so many connections; the answers in the order of the applicants.
async fn decide_all(api: &Api, applicants: &[Applicant], connections: usize) -> Vec<Json> {
    let next = Arc::new(AtomicUsize::new(0));
    let shared: Arc<[Applicant]> = applicants.into();
    let senders = (0..connections).map(|_| {
        let (next, applicants, api) = (Arc::clone(&next), Arc::clone(&shared), api.clone());
        tokio::spawn(async move {
            let mut answers = Vec::new();
            while let Some((n, applicant)) =
                Some(next.fetch_add(1, Ordering::SeqCst)).and_then(|n| Some((n, applicants.get(n)?)))
            {
                answers.push((n, api.decide(&applicant.facts).await.ok()));
            }
            answers
        })
    });
    let mut answers = BTreeMap::new();
    for sender in senders.collect::<Vec<_>>() {
        answers.extend(sender.await.unwrap());
    }
    answers.into_values().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_thousand_applicants_are_decided_found_after_a_restart_and_replayed() {
    let home = Home::new();
    let applicants = applicants();
    assert_eq!(applicants.len(), 1000);
    let service = home.serve().await;
    let answers = decide_all(&service.api, &applicants, 20).await;
    service.stop().await;
    let outcomes = |outcome: &str| -> (usize, usize) {
        let of = answers.iter().zip(&applicants).filter(|(answer, _)| answer["outcome"] == outcome);
        of.fold((0, 0), |(all, bad), (_, a)| (all + 1, bad + usize::from(a.turned_out_bad)))
    };
    let ((approved, approved_bad), (declined, declined_bad)) = (outcomes("approve"), outcomes("decline"));
    assert!(approved >= 50 && declined >= 50, "{approved} approved, {declined} declined");
    assert!(declined_bad * approved > approved_bad * declined, "the declined turn out worse");
    assert!(answers.iter().all(|answer| answer["degraded"] == false));

    let service = home.serve().await;
    let found = service.api.all("", 300).await;
    assert_eq!((found.len(), ids(&found)), (1000, ids(&answers)));
    for answer in &answers {
        let path = format!("/v1/decisions/{}/replay", answer["decision_id"].as_str().unwrap());
        let replay = service.api.post(&path, &json!({})).await.ok();
        assert_eq!((&replay["agrees"], &replay["revision"]), (&json!(true), &answer["revision"]));
    }
    service.stop().await;
    let verified = home.run(&["audit", "verify", "--data", "data", "--format", "json"]);
    let report: Json = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!((verified.status.code(), &report["decisions"]), (Some(0), &json!(1000)));
}

/// What the rules of this home give each applicant, by the library alone.
fn expected(home: &Home, applicants: &[Applicant]) -> Vec<(String, Vec<String>)> {
    let built = bundle::build(&bundle::read_folder(&home.path("rules"), &home.path("models")));
    let decide = |applicant: &Applicant| {
        let request = DecideRequest {
            caller: "t".into(),
            flow: FLOW.to_owned(),
            market: None,
            reference: None,
            facts: given(&applicant.facts),
            key: None,
            dry_run: true,
            deadline: None,
            trace: TraceLevel::None,
            languages: Vec::new(),
            trace_context: None,
        };
        let decision = decide_once(&built.bundle, &request, jiff::Timestamp::now()).unwrap();
        let reasons = decision.reasons.iter().map(|(code, _)| code.to_string()).collect();
        (decision.outcome.to_string(), reasons)
    };
    applicants.iter().map(decide).collect()
}

/// Sends applicants round and round until told to stop; what was answered, by applicant.
async fn keep_deciding(
    api: Api,
    applicants: Arc<[Applicant]>,
    first: usize,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
) -> Vec<(usize, Json)> {
    let mut answers = Vec::new();
    for n in (0..applicants.len()).cycle().skip(first) {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        answers.push((n, api.decide(&applicants[n].facts).await.ok()));
        answered.fetch_add(1, Ordering::SeqCst);
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_edited_under_load_never_fails_or_mixes_a_request() {
    const CONNECTIONS: usize = 6;
    const SWAPS: usize = 50;
    const REQUESTS: usize = 10_000;
    let home = Home::new();
    let flags = Flags { durable: Some("memory".into()), ..home.flags() };
    let service = home.serve_with(flags).await;
    let applicants: Arc<[Applicant]> = applicants().into_iter().step_by(5).collect();
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|n| {
            let (api, applicants) = (service.api.clone(), Arc::clone(&applicants));
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(keep_deciding(api, applicants, n * 31, stop, answered))
        })
        .collect();

    let original = home.read("rules/personal_loan/flow.yaml");
    let mut by_revision: BTreeMap<String, Vec<(String, Vec<String>)>> = BTreeMap::new();
    let first = service.api.get("/v1/flows").await.word("revision").to_owned();
    by_revision.insert(first, expected(&home, &applicants));
    let mut swaps = 0;
    while swaps < SWAPS || answered.load(Ordering::SeqCst) < REQUESTS {
        let threshold = format!("0.{}", 30 + swaps * 7 % 65);
        let edit = format!("max_default_risk: {threshold}");
        home.write("rules/personal_loan/flow.yaml", original.replace("max_default_risk: 0.60", &edit));
        let value = threshold.parse().unwrap();
        let revision = service.api.until_threshold("max_default_risk", value).await;
        by_revision.entry(revision).or_insert_with(|| expected(&home, &applicants));
        swaps += 1;
    }
    stop.store(true, Ordering::SeqCst);

    let mut revisions_seen = BTreeSet::new();
    let mut total = 0;
    for sender in senders {
        for (n, answer) in sender.await.unwrap() {
            let revision = answer["revision"].as_str().unwrap();
            let of_it = by_revision.get(revision).unwrap_or_else(|| panic!("{revision} was never in force"));
            let reasons: Vec<String> = answer["reasons"]
                .as_array()
                .unwrap()
                .iter()
                .map(|r| r["code"].as_str().unwrap().to_owned())
                .collect();
            let outcome = answer["outcome"].as_str().unwrap().to_owned();
            assert_eq!((outcome, reasons), of_it[n], "applicant {n} on {revision}");
            revisions_seen.insert(revision.to_owned());
            total += 1;
        }
    }
    assert!(total >= REQUESTS && revisions_seen.len() >= SWAPS / 2, "{total} on {}", revisions_seen.len());
    assert!(by_revision.values().collect::<BTreeSet<_>>().len() > 5, "thresholds that change outcomes");
    let releases = service.api.pages("/v1/releases", "releases", "", 1000).await;
    assert!(releases.len() > SWAPS, "every switch is an entry: {}", releases.len());
    service.stop().await;
}
