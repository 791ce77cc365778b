//! Facts of every type in a flow's own messages, on the repository's flows: lists of maps, dates and times, needs, markets.
//! What was typed is recorded and answered as what came over REST.

use std::sync::Arc;

use prost_reflect::DynamicMessage;
use serde_json::{Value as Json, json};
use tollgate::bundle::{build, read_folder};
use tollgate::grpc::flows::{Contract, Contracts};
use tonic::Code;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;

use crate::app::{Api, FLOW, Home, applicants};
use crate::grpc::channel;

#[derive(Clone, PartialEq, prost::Message)]
struct Decide {
    #[prost(bytes = "vec", optional, tag = "1")]
    facts: Option<Vec<u8>>,
    #[prost(string, optional, tag = "2")]
    market: Option<String>,
    #[prost(string, repeated, tag = "7")]
    unavailable: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Continue {
    #[prost(string, tag = "1")]
    decision_id: String,
    #[prost(bytes = "vec", optional, tag = "2")]
    facts: Option<Vec<u8>>,
    #[prost(string, repeated, tag = "4")]
    unavailable: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Reason {
    #[prost(string, tag = "1")]
    code: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Need {
    #[prost(string, tag = "1")]
    input: String,
}

/// What a client reads of an answer.
#[derive(Clone, PartialEq, prost::Message)]
struct Decision {
    #[prost(string, tag = "1")]
    decision_id: String,
    #[prost(string, tag = "3")]
    market: String,
    #[prost(int32, tag = "7")]
    state: i32,
    #[prost(string, tag = "8")]
    outcome: String,
    #[prost(message, repeated, tag = "9")]
    reasons: Vec<Reason>,
    #[prost(bytes = "vec", optional, tag = "10")]
    output: Option<Vec<u8>>,
    #[prost(message, repeated, tag = "17")]
    needs: Vec<Need>,
}

const STATE_NEEDS: i32 = 2;

/// A client of one flow, as one made from its printed contract would be.
struct Client {
    service: String,
    contract: Arc<Contract>,
    channel: Channel,
}

impl Client {
    fn new(home: &Home, channel: &Channel, flow: &str, service: &str) -> Self {
        let built = build(&read_folder(&home.path("rules"), &home.path("models")));
        let contract = Contracts::default().of(built.bundle.flow(flow).unwrap()).unwrap();
        Self { service: format!("/tollgate.flows.{flow}.v1.{service}"), contract, channel: channel.clone() }
    }

    async fn call<M: prost::Message + 'static>(
        &self,
        method: &str,
        message: M,
    ) -> Result<Decision, tonic::Status> {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let path: PathAndQuery = format!("{}/{method}", self.service).parse().unwrap();
        let codec = tonic_prost::ProstCodec::<M, Decision>::default();
        grpc.unary(tonic::Request::new(message), path, codec).await.map(tonic::Response::into_inner)
    }

    async fn decide(&self, market: Option<&str>, facts: &Json) -> Result<Decision, tonic::Status> {
        let facts = Some(self.contract.encode_facts(facts));
        let market = market.map(str::to_owned);
        self.call("Decide", Decide { facts, market, unavailable: Vec::new() }).await
    }

    fn output(&self, decision: &Decision) -> Json {
        let bytes = decision.output.as_deref().unwrap_or_default();
        let message = DynamicMessage::decode(self.contract.outputs.clone(), bytes).unwrap();
        let options = prost_reflect::SerializeOptions::new().use_proto_field_name(true);
        message.serialize_with_options(serde_json::value::Serializer, &options).unwrap()
    }

    /// The same facts over REST: the same answer, and the same in the record but for who and when.
    async fn is_rests(&self, api: &Api, typed: &Decision, rest: &Json) {
        let codes: Vec<&str> = typed.reasons.iter().map(|reason| reason.code.as_str()).collect();
        let wanted: Vec<&str> = rest["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|reason| reason["code"].as_str().unwrap())
            .collect();
        assert_eq!((&json!(typed.outcome), codes), (&rest["outcome"], wanted));
        assert_eq!((&json!(typed.market), &self.output(typed)), (&rest["market"], &rest["output"]));
        let ids = [typed.decision_id.as_str(), rest["decision_id"].as_str().unwrap()];
        let [one, other] = [record(api, ids[0]).await, record(api, ids[1]).await];
        for part in ["facts", "features", "trace", "scores", "score_bits"] {
            assert_eq!(one[part], other[part], "{part} of {}", self.service);
        }
    }
}

async fn record(api: &Api, id: &str) -> Json {
    api.get(&format!("/v1/decisions/{id}")).await.ok()
}

fn payment() -> Json {
    json!({
        "payment_id": "p-1", "card": "tok_000001", "amount": "45.90", "placed_at": "2026-11-20T15:30:00Z",
        "card_country": "DE", "merchant_category": "electronics", "authentication": "none",
        "payments_last_hour": 0, "declined_last_day": 0, "spent_last_day": "0"
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn maps_lists_dates_and_times_come_through() {
    let home = Home::of_samples();
    let service = home.serve().await;
    let (api, channel) = (&service.api, channel(&service).await);
    let client = Client::new(&home, &channel, "card_payment", "CardPayment");
    let device = json!({ "id": "DEV-7A31", "first_seen": "2026-11-19", "country": "DE" });
    let emulated =
        json!({ "id": "DEV-7A31", "first_seen": "2024-02-29", "country": "FR", "is_emulated": true });
    let real = json!({ "id": "DEV-7A31", "first_seen": "2024-02-29", "country": "FR", "is_emulated": false });
    let before = |amount: &str, at: &str, category: &str| json!({ "amount": amount, "placed_at": at, "category": category });
    let recent = json!([
        before("1.10", "2026-11-20T15:29:59.123456Z", "gift_cards"),
        before("99999.99", "2026-10-25T00:30:00Z", "travel"),
        before("0", "1999-12-31T23:59:59Z", "travel"),
    ]);
    for more in [
        json!({}),
        json!({ "device": device }),
        json!({ "device": emulated, "recent": [] }),
        json!({ "device": real, "recent": recent }),
        json!({ "recent": recent, "email": "ä.ö@example.com", "amount": "0.1", "merchant_category": "gift_cards" }),
    ] {
        let mut facts = payment();
        for (name, value) in more.as_object().unwrap() {
            facts[name] = value.clone();
        }
        let rest = api.post("/v1/decisions", &json!({ "flow": "card_payment", "facts": facts })).await.ok();
        let typed = client.decide(None, &facts).await.unwrap();
        client.is_rests(api, &typed, &rest).await;
    }
    let mut late = payment();
    late["recent"] = json!([before("1", "2026-11-20T15:00:00Z", "travel"), {"amount": "2"}]);
    let refused = client.decide(None, &late).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let rest = api.post("/v1/decisions", &json!({ "flow": "card_payment", "facts": late })).await;
    let pointers = |errors: &Json| -> Vec<String> {
        errors.as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(pointers(&rest.json["errors"]), ["/facts/recent/1/category", "/facts/recent/1/placed_at"]);
    // Over gRPC the same places, as `google.rpc.BadRequest` writes them.
    let details = String::from_utf8_lossy(refused.details()).into_owned();
    for field in ["facts.recent[1].category", "facts.recent[1].placed_at"] {
        assert!(details.contains(field), "{field}: {refused:?}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn needs_are_asked_answered_and_refused_in_types() {
    let home = Home::of_samples();
    let service = home.serve().await;
    let (api, channel) = (&service.api, channel(&service).await);
    let client = Client::new(&home, &channel, "consumer_credit", "ConsumerCredit");
    let borrower = json!({
        "applicant_id": "a-1", "born_on": "1990-05-17", "monthly_income": "3200", "monthly_debt": "150",
        "amount": "6000", "duration_months": 36, "employment": "self_employed", "email": "a@example.com"
    });
    let bureau = json!({ "score": 700, "delinquencies": 0, "inquiries": 1, "oldest_account": "2012-03-01" });
    let proof = json!({ "monthly_income": "3100.50", "issued_on": "2026-10-31" });
    for proof in [Some(proof), None] {
        let asked =
            api.post("/v1/decisions", &json!({ "flow": "consumer_credit", "facts": borrower })).await.ok();
        let path = format!("/v1/decisions/{}/continue", asked["decision_id"].as_str().unwrap());
        let again = api.post(&path, &json!({ "facts": { "bureau": bureau } })).await.ok();
        assert_eq!(again["needs"][0]["input"], "income_proof", "{again}");
        let rest = api.post(&path, &json!({ "facts": { "income_proof": proof } })).await.ok();

        let typed = client.decide(None, &borrower).await.unwrap();
        assert_eq!((typed.state, typed.needs[0].input.as_str()), (STATE_NEEDS, "bureau"));
        let go_on = |facts: Json, unavailable: &[&str]| Continue {
            decision_id: typed.decision_id.clone(),
            facts: Some(client.contract.encode_facts(&facts)),
            unavailable: unavailable.iter().map(|name| (*name).to_owned()).collect(),
        };
        let typed_again = client.call("Continue", go_on(json!({ "bureau": bureau }), &[])).await.unwrap();
        assert_eq!(typed_again.needs[0].input, "income_proof");
        let last = match &proof {
            Some(proof) => go_on(json!({ "income_proof": proof }), &[]),
            None => go_on(json!({}), &["income_proof"]),
        };
        let decided = client.call("Continue", last).await.unwrap();
        assert_eq!((&decided.decision_id, decided.needs.len()), (&typed.decision_id, 0));
        client.is_rests(api, &decided, &rest).await;
    }
    // All at once, as a caller may who has it at hand.
    let mut whole = borrower.clone();
    whole["bureau"] = bureau;
    let facts = Some(client.contract.encode_facts(&whole));
    let unavailable = vec!["income_proof".to_owned()];
    let typed = client.call("Decide", Decide { facts, market: None, unavailable }).await.unwrap();
    whole["income_proof"] = Json::Null;
    let rest = api.post("/v1/decisions", &json!({ "flow": "consumer_credit", "facts": whole })).await.ok();
    client.is_rests(api, &typed, &rest).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn markets_have_fields_of_their_own() {
    let home = Home::of_samples();
    let service = home.serve().await;
    let (api, channel) = (&service.api, channel(&service).await);
    let client = Client::new(&home, &channel, FLOW, "PersonalLoan");
    for market in [None, Some("at"), Some("mx")] {
        for applicant in applicants().iter().take(20) {
            let mut facts = applicant.facts.clone();
            if market == Some("mx") {
                facts["curp"] = json!("GODE561231HDFLRN09");
            }
            let mut body = json!({ "flow": FLOW, "facts": facts });
            if let Some(market) = market {
                body["market"] = json!(market);
            }
            let rest = api.post("/v1/decisions", &body).await.ok();
            let typed = client.decide(market, &facts).await.unwrap();
            client.is_rests(api, &typed, &rest).await;
        }
    }
    let refused = client.decide(Some("xx"), &applicants()[0].facts).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    service.stop().await;
}
