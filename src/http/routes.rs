//! The one table of routes: method, address, who may use it, what it does. Everything else that speaks of routes
//! (405's `Allow`, the permissions in `openapi.json`, metrics' labels) reads this table. Absent on purpose: routes
//! added anywhere else.

use std::future::Future;
use std::pin::Pin;

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::access::Permission;
use super::asked::Asked;
use super::dispatch::dispatch;
use super::problem::{Code, Problem};
use super::{Doors, continuing, decisions, flows, meanings, operations, query, records};
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

const ASKERS: Permission = Permission::Roles(&[Role::Caller]);
const READERS: Permission = Permission::Roles(&[Role::Caller, Role::Auditor]);
const AUDITORS: Permission = Permission::Roles(&[Role::Auditor]);
const FLOW_READERS: Permission =
    Permission::Roles(&[Role::Analyst, Role::Auditor, Role::Approver, Role::Operator]);

const fn route(
    method: Method,
    path: &'static str,
    permission: Permission,
    run: fn(Asked) -> Answer,
) -> Route {
    Route { method, path, permission, query: &[], refusals: Refusals::Counted, run }
}

impl Route {
    const fn takes(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
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
        run: |asked| Box::pin(decisions::decide(asked)),
    },
    Route {
        method: Method::POST,
        path: "/v1/decisions/{id}/continue",
        permission: ASKERS,
        query: &[],
        refusals: Refusals::Recorded,
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
    route(Method::GET, "/v1/flows/{flow}/outline", FLOW_READERS, |asked| {
        Box::pin(meanings::outline_of(asked))
    })
    .takes(&["format", "market"]),
    route(Method::GET, "/v1/revisions/{a}/diff/{b}", FLOW_READERS, |asked| Box::pin(meanings::diff(asked)))
        .takes(&["flow"]),
    route(Method::GET, "/v1/models", FLOW_READERS, |asked| Box::pin(flows::models(asked))),
    route(Method::GET, "/livez", Permission::Anyone, |asked| Box::pin(operations::livez(asked))),
    route(Method::GET, "/readyz", Permission::Anyone, |asked| Box::pin(operations::readyz(asked))),
    route(Method::GET, "/metrics", Permission::Anyone, |asked| Box::pin(operations::metrics(asked))),
    route(Method::GET, "/openapi.json", Permission::Anyone, |asked| Box::pin(operations::openapi(asked))),
    route(Method::GET, "/docs/errors/{code}", Permission::Anyone, |asked| {
        Box::pin(operations::error_page(asked))
    }),
];

/// Stands for every address that no route has.
static NOWHERE: Route =
    route(Method::GET, "unknown_route", Permission::Anyone, |asked| Box::pin(nowhere(asked)));
/// Stands for every method that an address does not take.
static WRONG_METHOD: Route =
    route(Method::GET, "wrong_method", Permission::Anyone, |asked| Box::pin(wrong_method(asked)));

/// Registers the whole table with actix.
pub fn configure(config: &mut ServiceConfig) {
    let mut done: Vec<&str> = Vec::new();
    for first in ROUTES {
        if done.contains(&first.path) {
            continue;
        }
        done.push(first.path);
        let mut resource = web::resource(first.path);
        for route in ROUTES.iter().filter(|r| r.path == first.path) {
            resource = resource.route(web::method(route.method.clone()).to(handler(route)));
            if route.method == Method::GET {
                resource = resource.route(web::method(Method::HEAD).to(handler(route)));
            }
        }
        config.service(resource.default_service(web::to(handler(&WRONG_METHOD))));
    }
    config.default_service(web::to(handler(&NOWHERE)));
}

type Handled = Pin<Box<dyn Future<Output = HttpResponse>>>;

fn handler(route: &'static Route) -> impl Fn(HttpRequest, web::Payload, web::Data<Doors>) -> Handled + Clone {
    move |http, payload, doors| Box::pin(dispatch(route, http, payload, doors.into_inner()))
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
