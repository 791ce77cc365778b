//! `GET /v1/flows/{flow}/openapi.json`: the API as a client of one flow needs it, with the flow's own inputs and outputs
//! in the place of open objects, so that generated clients are typed. Absent on purpose: files kept by hand.

use actix_web::HttpResponse;
use actix_web::http::header;
use serde_json::{Value as Json, json};

use super::asked::Asked;
use super::flow_body::{inputs_schema, outputs_schema};
use super::meanings::flow_in_market;
use super::openapi::document;
use super::problem::Problem;
use crate::domain::declaration::FlowDeclaration;

/// Inputs and outputs of one flow in the description of this API.
#[utoipa::path(
    get,
    path = "/v1/flows/{flow}/openapi.json",
    operation_id = "flow_openapi",
    tag = "Flows",
    params(("flow" = String, Path, description = "The flow's name")),
    responses((status = 200, description = "This description, with the flow's own facts and output", body = Object))
)]
pub(super) async fn of_flow(asked: Asked) -> Result<HttpResponse, Problem> {
    let filters = asked.filters();
    let market = filters.text("market");
    let market = filters.settle(market)?;
    let flow = flow_in_market(&asked, market.as_deref())?;
    let described = described(&flow.declaration);
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-cache")).json(described))
}

/// The whole description, for one flow.
#[must_use]
pub fn described(flow: &FlowDeclaration) -> Json {
    let mut api = serde_json::to_value(document()).unwrap_or_default();
    let mut put = |pointer: &str, value: Json| {
        if let Some(place) = api.pointer_mut(pointer) {
            *place = value;
        }
    };
    let link = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    put("/info/title", json!(format!("Tollgate: {}", flow.title.as_deref().unwrap_or(&flow.name.value))));
    put("/components/schemas/DecideRequest/properties/flow", json!({ "const": flow.name.value }));
    put("/components/schemas/DecideRequest/properties/facts", link("Facts"));
    put("/components/schemas/Decision/properties/output", link("Output"));
    if let Some(schemas) = api.pointer_mut("/components/schemas").and_then(Json::as_object_mut) {
        schemas.insert("Facts".to_owned(), inputs_schema(flow));
        schemas.insert("Output".to_owned(), outputs_schema(flow));
    }
    api
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flows_own_inputs_stand_where_the_description_has_an_open_object() {
        let api = described(&FlowDeclaration::blank());
        let schemas = &api["components"]["schemas"];
        assert_eq!(schemas["DecideRequest"]["properties"]["facts"]["$ref"], "#/components/schemas/Facts");
        assert_eq!(schemas["Decision"]["properties"]["output"]["$ref"], "#/components/schemas/Output");
        assert_eq!(schemas["DecideRequest"]["properties"]["flow"]["const"], "test");
        assert_eq!(schemas["Facts"]["type"], "object");
    }
}
