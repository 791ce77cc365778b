//! The Open Inference Protocol's REST, with what its clients need beyond it: binary tensors, the repository, statistics,
//! configurations. Absent on purpose: shared memory, traces and log settings, which say that they are not there.

use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpResponse;
use actix_web::http::{Method, header};
use actix_web::web::Bytes;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::asked::Asked;
use super::super::problem::Problem;
use super::answer::{self, Words, answer};
use super::infer_answer::{self, HEAD_LENGTH};
use super::tensorflow::decoded;
use super::{infer_body, server};
use crate::predict::{Batch, Models, PredictError, Servable, Which, aside};

pub(in crate::http) async fn open_inference(asked: Asked) -> Result<HttpResponse, Problem> {
    let segments: Vec<String> = asked.http.path().split('/').skip(2).map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = match *asked.http.method() {
        Method::HEAD => Method::GET,
        ref method => method.clone(),
    };
    if (&method, segments.as_slice()) == (&Method::GET, &["health", "live"]) {
        return Ok(answer(&json!({ "live": true })));
    }
    let models = asked.models()?;
    let answered = match (&method, segments.as_slice()) {
        (&Method::GET, []) => Ok(answer(&server::server())),
        (&Method::GET, ["health", "ready"]) if asked.doors.is_stopping() => {
            Err(PredictError::Unavailable { detail: "the server is stopping".to_owned() })
        }
        (&Method::GET, ["health", "ready"]) => Ok(answer(&json!({ "ready": true }))),
        (&Method::GET, ["models", "stats"]) => Ok(statistics(&models, None)),
        (_, ["models", name, "versions", version, rest @ ..]) => {
            one(asked, &models, &method, name, Some(version), rest).await?
        }
        (_, ["models", name, rest @ ..]) if !name.is_empty() => {
            one(asked, &models, &method, name, None, rest).await?
        }
        (&Method::POST, ["repository", "index"]) => index(asked, &models).await?,
        (&Method::POST, ["repository", "models", name, "load"]) => load(asked, &models, name).await?,
        (&Method::POST, ["repository", "models", name, "unload"]) => {
            models.unload(name).await.map(|()| answer(&json!({})))
        }
        (_, rest) => elsewhere(&method, rest),
    };
    Ok(answer::settle(answered, Words::OpenInference))
}

type Answered = Result<HttpResponse, PredictError>;

/// Of one model, or one version of it.
async fn one(
    asked: Asked,
    models: &Arc<Models>,
    method: &Method,
    name: &str,
    version: Option<&str>,
    rest: &[&str],
) -> Result<Answered, Problem> {
    let which = match version.map(str::parse::<i64>) {
        None => Which::Latest,
        Some(Ok(version)) => Which::Version(version),
        Some(Err(_)) => {
            let detail = "a version must be a whole number";
            return Ok(Err(PredictError::invalid(detail)));
        }
    };
    let table = models.table();
    let found = table.find(name, which);
    let model = table.model(name);
    Ok(match (method, rest) {
        (&Method::GET, []) => found.map(|servable| answer(&server::metadata(&servable, model))),
        (&Method::GET, ["ready"]) => {
            found.map(|servable| answer(&json!({ "name": &*servable.name, "ready": true })))
        }
        (&Method::GET, ["config"]) => found.map(|servable| answer(&server::config(&servable, model))),
        (&Method::GET, ["stats"]) => found.map(|servable| match version {
            Some(_) => answer(&server::statistics([&*servable].into_iter())),
            None => statistics(models, Some(name)),
        }),
        (&Method::POST, ["infer"]) => match found {
            Ok(servable) => infer(asked, &servable).await?,
            Err(error) => Err(error),
        },
        _ => elsewhere(method, &[&["models", name], rest].concat()),
    })
}

async fn infer(mut asked: Asked, servable: &Arc<Servable>) -> Result<Answered, Problem> {
    let head = match asked.http.headers().get(HEAD_LENGTH).map(|head| head.to_str().ok()?.parse().ok()) {
        None => None,
        Some(Some(head)) => Some(head),
        Some(None) => {
            let detail = "`Inference-Header-Content-Length` must be a whole number";
            return Ok(Err(PredictError::invalid(detail)));
        }
    };
    let body = asked.model_body().await?;
    Ok(answers(servable, body, head).await)
}

async fn answers(servable: &Arc<Servable>, body: Bytes, head: Option<usize>) -> Answered {
    let (own, size) = (Arc::clone(servable), body.len());
    let (id, outputs, answers) = aside(size, move || read_and_ask(&own, &body, head)).await?;
    Ok(infer_answer::respond(servable, id.as_deref(), &outputs, &answers))
}

/// The request's id, whether each output is sent as bytes, and the answers.
type Answers = (Option<String>, Vec<bool>, Vec<f64>);

fn read_and_ask(servable: &Servable, body: &[u8], head: Option<usize>) -> Result<Answers, PredictError> {
    let started = Instant::now();
    let read = || {
        let request = infer_body::read(body, head)?;
        let outputs = infer_answer::outputs(servable, &request)?;
        Ok((request.id, outputs, Batch::of_tensors(servable.model(), request.tensors)?))
    };
    let (id, outputs, batch) = read().inspect_err(|_: &PredictError| servable.refused(started.elapsed()))?;
    Ok((id, outputs, servable.predict_here(&batch)?))
}

fn statistics(models: &Models, name: Option<&str>) -> HttpResponse {
    let table = models.table();
    let of = table.models().iter().filter(|(own, _)| name.is_none_or(|name| ***own == *name));
    let servables = of.flat_map(|(_, model)| model.versions.values()).filter_map(|v| v.servable.as_deref());
    answer(&server::statistics(servables))
}

#[derive(Deserialize, Default)]
struct IndexAsked {
    #[serde(default)]
    ready: bool,
}

async fn index(mut asked: Asked, models: &Models) -> Result<Answered, Problem> {
    let body = asked.model_body().await?;
    let wanted = if body.is_empty() { Ok(IndexAsked::default()) } else { serde_json::from_slice(&body) };
    Ok(match wanted {
        Ok(IndexAsked { ready }) => Ok(answer(&server::index(&models.table(), ready))),
        Err(_) => Err(PredictError::invalid("the body must be an object such as {\"ready\": true}")),
    })
}

async fn load(mut asked: Asked, models: &Models, name: &str) -> Result<Answered, Problem> {
    #[derive(Deserialize, Default)]
    struct LoadAsked {
        #[serde(default)]
        parameters: Option<std::collections::BTreeMap<String, Json>>,
    }
    let body = asked.model_body().await?;
    let wanted = if body.is_empty() { Ok(LoadAsked::default()) } else { serde_json::from_slice(&body) };
    let Ok(LoadAsked { parameters }) = wanted else {
        return Ok(Err(PredictError::invalid("the body must be an object")));
    };
    if parameters.is_some_and(|parameters| !parameters.is_empty()) {
        return Ok(Err(PredictError::Unimplemented {
            detail: "a model is loaded as it lies in `models/`: no configuration or file can be sent with it"
                .to_owned(),
        }));
    }
    Ok(models.load(name).await.map(|()| answer(&json!({}))))
}

/// What other servers have and this one has not.
fn elsewhere(method: &Method, rest: &[&str]) -> Answered {
    match rest {
        // None is ever registered.
        ["systemsharedmemory" | "cudasharedmemory", "status"] if *method == Method::GET => {
            Ok(answer(&json!([])))
        }
        ["systemsharedmemory" | "cudasharedmemory", .., "unregister"] if *method == Method::POST => {
            Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(json!({})))
        }
        ["systemsharedmemory" | "cudasharedmemory", ..] => {
            not_here("shared memory", "send tensors in the request")
        }
        ["trace", "setting"] | ["models", _, "trace", "setting"] => {
            not_here("the trace extension", "send a W3C `traceparent` header")
        }
        ["logging"] => not_here("the logging extension", "set `log.filter` in the configuration"),
        _ => Err(PredictError::NoAddress { method: method.to_string() }),
    }
}

fn not_here(what: &str, instead: &str) -> Answered {
    Err(PredictError::Unimplemented { detail: format!("{what} is not supported; {instead}") })
}
