//! `GET /v1/models`: every model with its versions, aliases, digests and cards, and which of them serve. Absent on
//! purpose: changing any of it (that is done by changing files, or by an operator through the repository).

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::super::asked::Asked;
use super::super::problem::Problem;
use crate::learn::library::LibraryVersion;
use crate::predict::{ServedModel, ServedVersion};

/// Every model, its versions and what its aliases stand for.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ModelList {
    models: Vec<ModelBody>,
}

/// One model.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ModelBody {
    model: String,
    /// As written in `model.yaml`: what flows mean.
    aliases: BTreeMap<String, u32>,
    /// What the model doors mean by a label.
    labels: BTreeMap<String, u32>,
    versions: Vec<ModelVersionBody>,
    /// What is wrong with the model as it is written and changes nothing of what serves.
    problems: Vec<String>,
}

/// One version of a model.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ModelVersionBody {
    version: u32,
    digest: String,
    serves: bool,
    /// Why it does not serve.
    refused: Option<String>,
    /// At the model doors: `START`, `LOADING`, `AVAILABLE`, `UNLOADING`, `END`; null where it is not to be served.
    state: Option<&'static str>,
    /// How it was fitted, and how well it does.
    #[schema(value_type = Object)]
    card: Json,
}

/// Models, versions, aliases, cards.
#[utoipa::path(
    get,
    path = "/v1/models",
    operation_id = "models",
    tag = "Models",
    responses((status = 200, description = "Every model", body = ModelList))
)]
pub(in crate::http) async fn list(asked: Asked) -> Result<HttpResponse, Problem> {
    asked.filters().settle(())?;
    let models = asked.models()?;
    let (library, table) = (models.library(), models.table());
    let nothing = ServedModel::default();
    let bodies = library.models().iter().map(|(name, model)| {
        let served = table.model(name).unwrap_or(&nothing);
        let plain = |names: &BTreeMap<crate::domain::value::Name, u32>| {
            names.iter().map(|(name, version)| (name.to_string(), *version)).collect()
        };
        ModelBody {
            model: name.to_string(),
            aliases: plain(&model.aliases),
            labels: plain(&served.labels),
            versions: model.versions.values().map(|version| version_body(version, served)).collect(),
            problems: served.problems.iter().map(ToString::to_string).collect(),
        }
    });
    // What still answers although nothing of it is on disk; its problems say so.
    let away = table
        .models()
        .iter()
        .filter(|(name, served)| served.is_available() && !library.models().contains_key(&***name));
    let away = away.map(|(name, served)| ModelBody {
        model: name.to_string(),
        aliases: BTreeMap::new(),
        labels: served.labels.iter().map(|(name, version)| (name.to_string(), *version)).collect(),
        versions: served.versions.values().filter_map(away_body).collect(),
        problems: served.problems.iter().map(ToString::to_string).collect(),
    });
    let body = ModelList { models: bodies.chain(away).collect() };
    // What serves changes when files do: never answered from a cache.
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-cache")).json(body))
}

fn away_body(version: &ServedVersion) -> Option<ModelVersionBody> {
    let servable = version.servable.as_ref()?;
    Some(ModelVersionBody {
        version: servable.version,
        digest: servable.digest.to_string(),
        serves: true,
        refused: None,
        state: Some(version.status.state.word()),
        card: Json::Null,
    })
}

fn version_body(version: &LibraryVersion, served: &ServedModel) -> ModelVersionBody {
    ModelVersionBody {
        version: version.version,
        digest: version.digest.to_string(),
        serves: version.model.is_ok(),
        refused: version.model.as_ref().err().map(|why| why.to_string()),
        state: served.versions.get(&version.version).map(|version| version.status.state.word()),
        card: version.card.clone(),
    }
}
