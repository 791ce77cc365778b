//! The one table of routes: method, address, who may use it, what it does. Everything else that speaks of routes
//! (405's `Allow`, the permissions in `openapi.json`, metrics' labels) reads this table. Absent on purpose: routes
//! added anywhere else.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::access::Permission;
use super::asked::Asked;
use super::dispatch::{Meters, dispatch};
use super::problem::{Code, Problem};
use super::{
    Doors, Serving, batch, checking, continuing, decisions, flow_openapi, flows, meanings, models,
    operations, query, records,
};
use crate::store::Role;

/// What a handler gives back.
pub type Answer = Pin<Box<dyn Future<Output = Result<HttpResponse, Problem>>>>;

/// One thing that can be asked.
#[derive(Debug)]
pub struct Route {
    pub method: Method,
    /// With `{name}` for the parts that vary.
    pub path: &'static str,
    pub permission: Permission,
    /// Names that its query may have.
    pub query: &'static [&'static str],
    /// Whether a refusal is written to the log of refusals.
    pub refusals: Refusals,
    /// What its errors look like, and where it is served.
    pub family: Family,
    /// What it does, for `openapi.json`, where its handler does not say that itself.
    pub about: &'static str,
    pub run: fn(Asked) -> Answer,
}

/// What happens with the refusals of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusals {
    /// They are entries of the log: someone asked for a decision and got none.
    Recorded,
    /// They are only counted.
    Counted,
}

/// What a route belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Decisions, flows, records. Errors are problems. Not where only models are served.
    Decisions,
    /// The process itself. Errors are problems.
    Process,
    /// Models that are asked directly, by other servers' protocols: errors are `{"error": "…"}`.
    Models,
}

const ASKERS: Permission = Permission::Roles(&[Role::Caller]);
const READERS: Permission = Permission::Roles(&[Role::Caller, Role::Auditor]);
const AUDITORS: Permission = Permission::Roles(&[Role::Auditor]);
const CHECKERS: Permission = Permission::Roles(&[Role::Analyst, Role::Approver, Role::Operator]);
const MODEL_ASKERS: Permission = Permission::Models(&[Role::Caller]);
const MODEL_READERS: Permission =
    Permission::Models(&[Role::Caller, Role::Analyst, Role::Auditor, Role::Approver, Role::Operator]);
const MODEL_OPERATORS: Permission = Permission::Roles(&[Role::Operator]);
const EXPLAIN: &str = "Why it answers rows as it does: what each input adds, and the reason codes.";
/// Callers too: it is what they send and get.
const CONTRACT_READERS: Permission =
    Permission::Roles(&[Role::Caller, Role::Analyst, Role::Auditor, Role::Approver, Role::Operator]);
const FLOW_READERS: Permission =
    Permission::Roles(&[Role::Analyst, Role::Auditor, Role::Approver, Role::Operator]);

const fn route(
    method: Method,
    path: &'static str,
    permission: Permission,
    run: fn(Asked) -> Answer,
) -> Route {
    let (family, about) = (Family::Decisions, "");
    Route { method, path, permission, query: &[], refusals: Refusals::Counted, family, about, run }
}

/// A route of the process itself.
const fn of_process(method: Method, path: &'static str, run: fn(Asked) -> Answer) -> Route {
    route(method, path, Permission::Anyone, run).belongs(Family::Process, "")
}

/// A route by which models are asked directly.
const fn of_models(
    method: Method,
    path: &'static str,
    permission: Permission,
    about: &'static str,
    run: fn(Asked) -> Answer,
) -> Route {
    route(method, path, permission, run).belongs(Family::Models, about)
}

const fn tensorflow(method: Method, path: &'static str, about: &'static str) -> Route {
    of_models(method, path, MODEL_ASKERS, about, |asked| Box::pin(models::tensorflow(asked)))
}

/// What there is and how it is, for whoever may look.
const fn tensorflow_look(path: &'static str, about: &'static str) -> Route {
    of_models(Method::GET, path, MODEL_READERS, about, |asked| Box::pin(models::tensorflow(asked)))
}

const fn open_inference(
    method: Method,
    path: &'static str,
    permission: Permission,
    about: &'static str,
) -> Route {
    of_models(method, path, permission, about, |asked| Box::pin(models::open_inference(asked)))
}

impl Route {
    const fn takes(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }

    const fn belongs(mut self, family: Family, about: &'static str) -> Self {
        self.family = family;
        self.about = about;
        self
    }
}

/// Every route.
pub static ROUTES: &[Route] = &[
    Route {
        method: Method::POST,
        path: "/v1/decisions",
        permission: ASKERS,
        query: &[],
        refusals: Refusals::Recorded,
        family: Family::Decisions,
        about: "",
        run: |asked| Box::pin(decisions::decide(asked)),
    },
    Route {
        method: Method::POST,
        path: "/v1/decisions/batch",
        permission: ASKERS,
        query: &[],
        refusals: Refusals::Recorded,
        family: Family::Decisions,
        about: "",
        run: |asked| Box::pin(batch::decide_all(asked)),
    },
    Route {
        method: Method::POST,
        path: "/v1/decisions/{id}/continue",
        permission: ASKERS,
        query: &[],
        refusals: Refusals::Recorded,
        family: Family::Decisions,
        about: "",
        run: |asked| Box::pin(continuing::go_on(asked)),
    },
    route(Method::GET, "/v1/decisions", READERS, |asked| Box::pin(records::list(asked)))
        .takes(query::DECISION_NAMES),
    route(Method::POST, "/v1/decisions/search", READERS, |asked| Box::pin(records::search(asked))),
    route(Method::GET, "/v1/decisions/{id}", READERS, |asked| Box::pin(records::read(asked))),
    route(Method::POST, "/v1/decisions/{id}/replay", AUDITORS, |asked| Box::pin(decisions::replay(asked)))
        .takes(&["revision"]),
    route(Method::GET, "/v1/refusals", AUDITORS, |asked| Box::pin(records::refusals(asked)))
        .takes(query::REFUSAL_NAMES),
    route(Method::GET, "/v1/releases", FLOW_READERS, |asked| Box::pin(records::releases(asked)))
        .takes(query::RELEASE_NAMES),
    route(Method::GET, "/v1/revisions", FLOW_READERS, |asked| Box::pin(records::revisions(asked))),
    route(Method::GET, "/v1/revisions/{revision}", FLOW_READERS, |asked| Box::pin(records::revision(asked))),
    route(Method::GET, "/v1/flows", FLOW_READERS, |asked| Box::pin(flows::list(asked))),
    route(Method::GET, "/v1/flows/{flow}", FLOW_READERS, |asked| Box::pin(flows::read(asked)))
        .takes(&["market"]),
    route(Method::GET, "/v1/flows/{flow}/openapi.json", CONTRACT_READERS, |asked| {
        Box::pin(flow_openapi::of_flow(asked))
    })
    .takes(&["market"]),
    route(Method::GET, "/v1/flows/{flow}/outline", FLOW_READERS, |asked| {
        Box::pin(meanings::outline_of(asked))
    })
    .takes(&["format", "market"]),
    route(Method::GET, "/v1/revisions/{a}/diff/{b}", FLOW_READERS, |asked| Box::pin(meanings::diff(asked)))
        .takes(&["flow"]),
    route(Method::POST, "/v1/check", CHECKERS, |asked| Box::pin(checking::check(asked))),
    route(Method::GET, "/v1/models", MODEL_READERS, |asked| Box::pin(models::list(asked)))
        .belongs(Family::Process, ""),
    route(Method::GET, "/v1/models/{model}/drift", MODEL_READERS, |asked| Box::pin(models::drift(asked)))
        .takes(&["version", "window"])
        .belongs(Family::Process, ""),
    tensorflow(
        Method::POST,
        "/v1/models/{model}/labels/{label}:predict",
        "Answers for rows (`instances`) or columns (`inputs`), as TensorFlow Serving.",
    ),
    tensorflow(
        Method::POST,
        "/v1/models/{model}/versions/{version}:predict",
        "Answers for rows (`instances`) or columns (`inputs`), as TensorFlow Serving.",
    ),
    tensorflow(
        Method::POST,
        "/v1/models/{model}:predict",
        "Answers for rows (`instances`) or columns (`inputs`), as TensorFlow Serving.",
    ),
    tensorflow(
        Method::POST,
        "/v1/models/{model}/labels/{label}:classify",
        "Labels with their scores for examples, as TensorFlow Serving.",
    ),
    tensorflow(
        Method::POST,
        "/v1/models/{model}/versions/{version}:classify",
        "Labels with their scores for examples, as TensorFlow Serving.",
    ),
    tensorflow(
        Method::POST,
        "/v1/models/{model}:classify",
        "Labels with their scores for examples, as TensorFlow Serving.",
    ),
    tensorflow(
        Method::POST,
        "/v1/models/{model}/labels/{label}:regress",
        "Values for examples, as TensorFlow Serving.",
    ),
    tensorflow(
        Method::POST,
        "/v1/models/{model}/versions/{version}:regress",
        "Values for examples, as TensorFlow Serving.",
    ),
    tensorflow(Method::POST, "/v1/models/{model}:regress", "Values for examples, as TensorFlow Serving."),
    of_models(Method::POST, "/v1/models/{model}/labels/{label}:explain", MODEL_ASKERS, EXPLAIN, |asked| {
        Box::pin(models::explain(asked))
    }),
    of_models(
        Method::POST,
        "/v1/models/{model}/versions/{version}:explain",
        MODEL_ASKERS,
        EXPLAIN,
        |asked| Box::pin(models::explain(asked)),
    ),
    of_models(Method::POST, "/v1/models/{model}:explain", MODEL_ASKERS, EXPLAIN, |asked| {
        Box::pin(models::explain(asked))
    }),
    tensorflow_look(
        "/v1/models/{model}/labels/{label}/metadata",
        "What it takes and gives, as TensorFlow Serving.",
    ),
    tensorflow_look(
        "/v1/models/{model}/versions/{version}/metadata",
        "What it takes and gives, as TensorFlow Serving.",
    ),
    tensorflow_look("/v1/models/{model}/metadata", "What it takes and gives, as TensorFlow Serving."),
    tensorflow_look("/v1/models/{model}/labels/{label}", "States of its versions, as TensorFlow Serving."),
    tensorflow_look(
        "/v1/models/{model}/versions/{version}",
        "States of its versions, as TensorFlow Serving.",
    ),
    tensorflow_look("/v1/models/{model}", "States of its versions, as TensorFlow Serving."),
    open_inference(Method::GET, "/v2", MODEL_READERS, "This server, by the Open Inference Protocol."),
    open_inference(Method::GET, "/v2/health/live", Permission::Anyone, "Whether the process answers."),
    open_inference(Method::GET, "/v2/health/ready", Permission::Anyone, "Whether models can be asked."),
    open_inference(Method::GET, "/v2/models/stats", MODEL_READERS, "Counts of every model."),
    open_inference(
        Method::POST,
        "/v2/models/{model}/versions/{version}/infer",
        MODEL_ASKERS,
        "Answers for tensors, in JSON or with the binary tensor extension.",
    ),
    open_inference(
        Method::POST,
        "/v2/models/{model}/infer",
        MODEL_ASKERS,
        "Answers for tensors, in JSON or with the binary tensor extension.",
    ),
    open_inference(
        Method::GET,
        "/v2/models/{model}/versions/{version}/ready",
        MODEL_READERS,
        "Whether it can be asked.",
    ),
    open_inference(Method::GET, "/v2/models/{model}/ready", MODEL_READERS, "Whether it can be asked."),
    open_inference(
        Method::GET,
        "/v2/models/{model}/versions/{version}/config",
        MODEL_READERS,
        "How it is served.",
    ),
    open_inference(Method::GET, "/v2/models/{model}/config", MODEL_READERS, "How it is served."),
    open_inference(Method::GET, "/v2/models/{model}/versions/{version}/stats", MODEL_READERS, "Its counts."),
    open_inference(Method::GET, "/v2/models/{model}/stats", MODEL_READERS, "Its counts."),
    open_inference(
        Method::GET,
        "/v2/models/{model}/versions/{version}",
        MODEL_READERS,
        "What it takes and gives, by the Open Inference Protocol.",
    ),
    open_inference(
        Method::GET,
        "/v2/models/{model}",
        MODEL_READERS,
        "What it takes and gives, by the Open Inference Protocol.",
    ),
    open_inference(
        Method::POST,
        "/v2/repository/index",
        MODEL_READERS,
        "Every model and version, with its state.",
    ),
    open_inference(
        Method::POST,
        "/v2/repository/models/{model}/load",
        MODEL_OPERATORS,
        "Reads `models/` again and serves the model.",
    ),
    open_inference(
        Method::POST,
        "/v2/repository/models/{model}/unload",
        MODEL_OPERATORS,
        "Serves the model no more, until it is loaded again.",
    ),
    of_process(Method::GET, "/livez", |asked| Box::pin(operations::livez(asked))),
    of_process(Method::GET, "/readyz", |asked| Box::pin(operations::readyz(asked))),
    of_process(Method::GET, "/metrics", |asked| Box::pin(operations::metrics(asked))),
    of_process(Method::GET, "/monitoring/prometheus/metrics", |asked| Box::pin(operations::metrics(asked)))
        .belongs(Family::Process, "As `/metrics`: where TensorFlow Serving has it."),
    of_process(Method::GET, "/openapi.json", |asked| Box::pin(operations::openapi(asked))),
    of_process(Method::GET, "/docs/errors/{code}", |asked| Box::pin(operations::error_page(asked))),
];

/// Stands for every address below `/v1/models` that no route has, and every method that one does not take there.
static MALFORMED: Route = tensorflow(Method::GET, "malformed", "");
/// The same below `/v2`.
static UNKNOWN_V2: Route = open_inference(Method::GET, "malformed_v2", MODEL_READERS, "");

/// Stands for every address that no route has.
static NOWHERE: Route =
    route(Method::GET, "unknown_route", Permission::Anyone, |asked| Box::pin(nowhere(asked)));
/// Stands for every method that an address does not take.
static WRONG_METHOD: Route =
    route(Method::GET, "wrong_method", Permission::Anyone, |asked| Box::pin(wrong_method(asked)));

/// Patterns that are tried before the others: no pattern above them in the table fits the same address.
const ASKED_MOST: &[&str] = &["/v1/models/{model}:predict", "/v2/models/{model}/infer"];

/// Registers the table with actix: all of it, or what there is without flows.
pub fn configure(config: &mut ServiceConfig, serving: Serving) {
    let is_served = |route: &&Route| serving == Serving::Everything || route.family != Family::Decisions;
    let mut done: Vec<&str> = Vec::new();
    // An address is held against one after the other, and against a pattern at ten times the cost.
    let mut in_order: Vec<&Route> = ROUTES.iter().filter(is_served).collect();
    in_order.sort_by_key(|route| (route.path.contains('{'), !ASKED_MOST.contains(&route.path)));
    for first in in_order {
        if done.contains(&first.path) {
            continue;
        }
        done.push(first.path);
        let mut resource = web::resource(pattern(first.path));
        for route in ROUTES.iter().filter(|r| r.path == first.path) {
            resource = resource.route(web::method(route.method.clone()).to(handler(route)));
            if route.method == Method::GET {
                resource = resource.route(web::method(Method::HEAD).to(handler(route)));
            }
        }
        let otherwise = match first.family {
            Family::Models if first.path.starts_with("/v2") => &UNKNOWN_V2,
            Family::Models => &MALFORMED,
            _ => &WRONG_METHOD,
        };
        config.service(resource.default_service(web::to(handler(otherwise))));
    }
    config.service(web::resource(models::OTHER_TENSORFLOW).default_service(web::to(handler(&MALFORMED))));
    config
        .service(web::resource(models::OTHER_OPEN_INFERENCE).default_service(web::to(handler(&UNKNOWN_V2))));
    config.default_service(web::to(handler(&NOWHERE)));
}

/// As actix reads it: a name before a verb ends at the colon, which is quicker to find than it is to go back for.
fn pattern(path: &str) -> String {
    path.replace("}:", ":[^/:]+}:")
}

type Handled = Pin<Box<dyn Future<Output = HttpResponse>>>;

fn handler(route: &'static Route) -> impl Fn(HttpRequest, web::Payload, web::Data<Doors>) -> Handled + Clone {
    let meters = Arc::new(Meters::default());
    move |http, payload, doors| {
        Box::pin(dispatch((route, Arc::clone(&meters)), http, payload, doors.into_inner()))
    }
}

async fn nowhere(asked: Asked) -> Result<HttpResponse, Problem> {
    let slash = if asked.http.path().len() > 1 && asked.http.path().ends_with('/') {
        "addresses have no slash at the end; "
    } else {
        ""
    };
    Err(Problem::new(Code::UnknownRoute, format!("{slash}`/openapi.json` lists all addresses")))
}

async fn wrong_method(asked: Asked) -> Result<HttpResponse, Problem> {
    let pattern = asked.http.match_pattern().unwrap_or_default();
    let mut methods: Vec<&str> =
        ROUTES.iter().filter(|r| r.path == pattern).map(|r| r.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    let allow = methods.join(", ");
    Err(Problem::new(Code::MethodNotAllowed, format!("this address takes {allow}")).with_allow(allow))
}
