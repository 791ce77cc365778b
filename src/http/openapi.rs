//! `openapi.json`: schemas and paths from the code, permissions, queries and problems from the tables that the
//! service itself works with. Absent on purpose: anything written by hand that the code knows.

use std::sync::LazyLock;

use serde_json::json;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, ResponseBuilder, Schema};
use utoipa::{OpenApi, ToSchema};

use super::problem::Code;
use super::routes::{Family, ROUTES, Route};
use super::{
    batch, checking, continuing, decision_body::Reason, decisions, flow_openapi, flows, meanings, models,
    operations, records,
};
use crate::store::Role;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tollgate",
        description = "Decides whether a thing may go through, says why, and keeps the record.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        decisions::decide,
        batch::decide_all,
        continuing::go_on,
        decisions::replay,
        records::list,
        records::search,
        records::read,
        records::refusals,
        records::releases,
        records::revisions,
        records::revision,
        flows::list,
        flows::read,
        models::listing::list,
        models::drift::drift,
        meanings::outline_of,
        flow_openapi::of_flow,
        meanings::diff,
        checking::check,
        operations::livez,
        operations::readyz,
        operations::metrics,
        operations::openapi,
        operations::error_page,
    ),
    components(schemas(ProblemSchema, FaultSchema, ModelErrorSchema, Reason))
)]
struct Written;

/// Why there is no other answer (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "describes the shape; the body itself is `problem::ProblemBody`")]
struct ProblemSchema {
    /// Address of the page that explains the code, relative to this service.
    r#type: String,
    title: String,
    status: u16,
    code: String,
    detail: String,
    /// Everything wrong with the request.
    errors: Option<Vec<FaultSchema>>,
}

/// Why a model did not answer.
#[derive(ToSchema)]
#[schema(as = ModelError)]
#[expect(dead_code, reason = "describes the shape; the body itself is made in `models::answer`")]
struct ModelErrorSchema {
    error: String,
}

/// One thing wrong; exactly one of `pointer`, `parameter`, `header`, `entry` says where.
#[derive(ToSchema)]
#[schema(as = Fault)]
#[expect(dead_code, reason = "describes the shape; the fault itself is `problem::Fault`")]
struct FaultSchema {
    /// JSON pointer into the body.
    pointer: Option<String>,
    /// Name in the query.
    parameter: Option<String>,
    header: Option<String>,
    /// Name of an entry of the archive that was sent.
    entry: Option<String>,
    code: String,
    detail: String,
}

/// The document, as it is served.
#[must_use]
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| serde_json::to_string_pretty(&document()).unwrap_or_default());
    &TEXT
}

/// The document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut api = Written::openapi();
    api.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let components = api.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("key", SecurityScheme::Http(bearer));
    components.schemas.insert("ProblemCode".to_owned(), RefOr::T(Schema::Object(problem_codes())));
    for route in ROUTES.iter().filter(|route| !route.about.is_empty()) {
        describe(&mut api, route);
    }
    for route in ROUTES {
        if let Some(operation) = operation_of(&mut api, route) {
            complete(operation, route);
        }
    }
    api
}

/// A route whose handler serves many: from its entry in the table.
fn describe(api: &mut utoipa::openapi::OpenApi, route: &Route) {
    let Some(method) = method_of(route) else { return };
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id_of(route)))
        .tag(if route.family == Family::Models { "Models" } else { "Operations" })
        .summary(Some(route.about))
        .response("200", ResponseBuilder::new().description("As that protocol has it"));
    for name in route.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(Schema::Object(Object::with_type(Type::String))));
        operation = operation.parameter(parameter);
    }
    let item = PathItem::new(method, operation);
    api.paths.paths.entry(route.path.to_owned()).or_default().merge_operations(item);
}

/// `post_v1_models_model_predict`.
fn id_of(route: &Route) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let path: String = route.path.chars().filter(|c| !matches!(c, '{' | '}')).map(plain).collect();
    format!("{}{path}", route.method.as_str().to_ascii_lowercase())
}

fn operation_of<'a>(api: &'a mut utoipa::openapi::OpenApi, route: &Route) -> Option<&'a mut Operation> {
    let item = api.paths.paths.get_mut(route.path)?;
    match method_of(route)? {
        HttpMethod::Get => item.get.as_mut(),
        HttpMethod::Post => item.post.as_mut(),
        _ => None,
    }
}

fn method_of(route: &Route) -> Option<HttpMethod> {
    match route.method.as_str() {
        "GET" => Some(HttpMethod::Get),
        "POST" => Some(HttpMethod::Post),
        _ => None,
    }
}

fn problem_codes() -> Object {
    let words: Vec<&str> = Code::ALL.iter().map(|code| code.facts().word).collect();
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .description(Some("Every code that `code` of a problem may have."))
        .enum_values(Some(words))
        .build()
}

/// Adds what the route's entry in the table says, and that every route may answer with a problem.
fn complete(operation: &mut Operation, route: &Route) {
    for name in route.query {
        let parameters = operation.parameters.get_or_insert_default();
        let (description, schema) = query_name(name);
        let parameter = ParameterBuilder::new()
            .name(*name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(schema));
        parameters.push(RefOr::T(parameter.build()));
    }
    let (name, media, description) = match route.family {
        Family::Models => ("ModelError", "application/json", "An error: nothing was answered"),
        _ => ("Problem", "application/problem+json", "A problem: nothing was done"),
    };
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(name))).build();
    let response = ResponseBuilder::new().description(description).content(media, problem).build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(response));
    if let Some(roles) = route.permission.roles() {
        let words: Vec<&str> = roles.iter().copied().map(Role::word).collect();
        operation.security = Some(vec![SecurityRequirement::new("key", [] as [&str; 0])]);
        let note = format!("Roles: {}.", words.join(", "));
        operation.description = Some(match operation.description.take() {
            Some(text) if !text.is_empty() => format!("{text}\n\n{note}"),
            _ => note,
        });
        let extensions = operation.extensions.get_or_insert_default();
        extensions.insert("x-roles".to_owned(), json!(words));
    }
}

fn query_name(name: &str) -> (&'static str, Schema) {
    let plain = |of: Type| Schema::Object(Object::with_type(of));
    match name {
        "from" => ("Not before this time (RFC 3339).", plain(Type::String)),
        "to" => ("Before this time (RFC 3339).", plain(Type::String)),
        "at" => ("What was in force at this time (RFC 3339).", plain(Type::String)),
        "limit" => ("1 to 1000; 50 if left out.", plain(Type::Integer)),
        "cursor" => ("`next` of the page before.", plain(Type::String)),
        "degraded" => ("Only those in which something failed (`true`) or nothing did.", plain(Type::Boolean)),
        "state" => {
            ("`decided` (if left out), or `needs`: those that wait for their caller.", plain(Type::String))
        }
        "revision" => ("`sha256:` and 64 hexadecimal digits.", plain(Type::String)),
        "reference" => ("The caller's own id.", plain(Type::String)),
        "reason" => ("A reason code among the reasons.", plain(Type::String)),
        "rule" => ("A rule that hit.", plain(Type::String)),
        "format" => ("`json` (if left out), `mermaid` or `svg`.", plain(Type::String)),
        "model" => ("A model that was asked.", plain(Type::String)),
        _ => ("Exactly this.", plain(Type::String)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_is_described_and_nothing_else_is() {
        let document = serde_json::to_value(document()).unwrap();
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys().filter(|k| *k != "parameters") {
                described.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        let routes: BTreeSet<String> = ROUTES.iter().map(|r| format!("{} {}", r.method, r.path)).collect();
        assert_eq!(described, routes);
    }

    #[test]
    fn every_guarded_route_says_its_roles_and_its_queries() {
        let document = serde_json::to_value(document()).unwrap();
        for route in ROUTES {
            let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
            let guarded = route.permission.roles().is_some();
            assert_eq!(operation["x-roles"].is_array(), guarded, "{}", route.path);
            assert_eq!(operation["security"].is_array(), guarded, "{}", route.path);
            assert!(operation["responses"]["default"].is_object());
            for name in route.query {
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(parameters.iter().any(|p| p["name"] == *name && p["in"] == "query"), "{name}");
            }
        }
    }

    #[test]
    fn no_parameter_is_described_twice() {
        let document = serde_json::to_value(document()).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                let all = operation["parameters"].as_array().into_iter().flatten();
                let mut names: Vec<String> = all.map(|p| format!("{}{}", p["in"], p["name"])).collect();
                let count = names.len();
                names.sort();
                names.dedup();
                assert_eq!(names.len(), count, "{path}");
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let text = text();
        let document: serde_json::Value = serde_json::from_str(text).unwrap();
        for part in text.split("\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
    }
}
