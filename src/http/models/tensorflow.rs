//! TensorFlow Serving's REST: status, metadata, `:predict`, `:classify`, `:regress`. The address is read as that
//! server reads it, whatever case it is written in. Absent on purpose: what a label in a status' address would mean,
//! which that server ignores too.

use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::Bytes;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::super::asked::Asked;
use super::super::problem::Problem;
use super::answer::{self, Words};
use super::predict_body::Form;
use super::{examples, predict_body};
use crate::predict::{PredictError, Servable, Table, VersionStatus, Which, aside};

/// How many times its bytes a list of examples may stand for.
const EXPANDS: usize = 16;

/// What an address and a method ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    Status { model: String, version: Option<i64> },
    Metadata { model: String, which: Named },
    Predict { model: String, which: Named },
    Classify { model: String, which: Named },
    Regress { model: String, which: Named },
    Explain { model: String, which: Named },
}

/// Which version an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    Latest,
    Version(i64),
    Label(String),
}

impl Named {
    pub(super) fn which(&self) -> Which<'_> {
        match self {
            Self::Latest => Which::Latest,
            Self::Version(version) => Which::Version(*version),
            Self::Label(label) => Which::Label(label),
        }
    }
}

pub(in crate::http) async fn tensorflow(mut asked: Asked) -> Result<HttpResponse, Problem> {
    let wanted = match wanted(asked.http.method(), asked.http.path()) {
        Ok(wanted) => wanted,
        Err(error) => return Ok(answer::error(&error, Words::TensorFlow)),
    };
    if matches!(wanted, Wanted::Explain { .. }) {
        return super::explain(asked).await;
    }
    let models = asked.doors.models().ok_or_else(Problem::starting)?;
    let answered = match &wanted {
        Wanted::Status { model, version } => status(&models.table(), model, *version),
        Wanted::Metadata { model, which } => models.find(model, which.which()).map(|found| metadata(&found)),
        Wanted::Predict { model, which }
        | Wanted::Classify { model, which }
        | Wanted::Regress { model, which }
        | Wanted::Explain { model, which } => match models.find(model, which.which()) {
            Ok(servable) => {
                let body = asked.model_body().await?;
                ask(&wanted, servable, body).await
            }
            Err(error) => Err(error),
        },
    };
    Ok(answer::settle(answered, Words::TensorFlow))
}

async fn ask(wanted: &Wanted, servable: Arc<Servable>, body: Bytes) -> Result<HttpResponse, PredictError> {
    let is_predict = matches!(wanted, Wanted::Predict { .. });
    // An example of two bytes stands for a whole row.
    let size = if is_predict { body.len() } else { body.len().saturating_mul(EXPANDS) };
    let work = move || answers(is_predict, &servable, &body).map(|(answers, form)| (servable, answers, form));
    let (servable, answers, form) = aside(size, work).await?;
    match wanted {
        Wanted::Classify { .. } => classified(&servable, &answers),
        Wanted::Regress { .. } => Ok(both(&answers)),
        _ if form == Form::Columns => Ok(answer::answer(&Outputs { outputs: &answers })),
        _ => Ok(answer::answer(&Predictions { predictions: &answers })),
    }
}

fn answers(is_predict: bool, servable: &Servable, body: &[u8]) -> Result<(Vec<f64>, Form), PredictError> {
    let started = Instant::now();
    let read = if is_predict {
        predict_body::read(servable.model(), body)
    } else {
        examples::read(servable.model(), body).map(|batch| (batch, Form::Rows))
    };
    let (batch, form) = read.inspect_err(|_| servable.refused(started.elapsed()))?;
    Ok((servable.predict_here(&batch)?, form))
}

#[derive(Serialize)]
struct Predictions<'a> {
    predictions: &'a [f64],
}

#[derive(Serialize)]
struct Outputs<'a> {
    outputs: &'a [f64],
}

/// The server writes `results` where its documentation says `result`: clients were written for either.
fn both(results: &impl Serialize) -> HttpResponse {
    #[derive(Serialize)]
    struct Results<'a, T> {
        results: &'a T,
        result: &'a T,
    }
    answer::answer(&Results { results, result: results })
}

/// Of each row the two classes: `1` is what the probability is of.
fn classified(servable: &Servable, answers: &[f64]) -> Result<HttpResponse, PredictError> {
    if !servable.model().gives_probability() {
        return Err(PredictError::invalid(
            "Expected classification signature method_name to be tensorflow/serving/classify. Was: \
             tensorflow/serving/regress",
        ));
    }
    let rows: Vec<[(&str, f64); 2]> =
        answers.iter().map(|probability| [("0", 1.0 - probability), ("1", *probability)]).collect();
    Ok(both(&rows))
}

fn status(table: &Table, model: &str, version: Option<i64>) -> Result<HttpResponse, PredictError> {
    let versions = table.status(model, version)?;
    let versions: Vec<Json> = versions.iter().map(status_json).collect();
    Ok(answer::answer(&json!({ "model_version_status": versions })))
}

fn status_json(status: &VersionStatus) -> Json {
    json!({
        "version": status.version.to_string(),
        "state": status.state.word(),
        "status": { "error_code": status.code.word(), "error_message": &*status.message },
    })
}

fn metadata(servable: &Servable) -> HttpResponse {
    let tensor = |spec: &crate::predict::TensorSpec| {
        json!({
            "dtype": spec.datatype.tensorflow(),
            "tensor_shape": { "dim": [{ "size": "-1", "name": "" }], "unknown_rank": false },
            "name": format!("{}:0", spec.name),
        })
    };
    let inputs: serde_json::Map<String, Json> =
        servable.inputs.iter().map(|spec| (spec.name.to_string(), tensor(spec))).collect();
    let output = &servable.output;
    answer::answer(&json!({
        "model_spec": {
            "name": &*servable.name,
            "signature_name": "",
            "version": servable.version.to_string(),
        },
        "metadata": { "signature_def": { "signature_def": { "serving_default": {
            "inputs": inputs,
            "outputs": { &*output.name: tensor(output) },
            "method_name": "tensorflow/serving/predict",
        } } } },
    }))
}

/// # Errors
/// When it is no address of TensorFlow Serving's.
pub(super) fn wanted(method: &Method, path: &str) -> Result<Wanted, PredictError> {
    let malformed = || {
        let path: String = path.chars().filter(|c| !c.is_control()).take(200).collect();
        PredictError::invalid(format!("Malformed request: {method} {path}"))
    };
    let mut segments = path.split('/').skip(3);
    let (first, kind, second, last) = (segments.next(), segments.next(), segments.next(), segments.next());
    let model = first.filter(|model| !model.is_empty()).ok_or_else(malformed)?;
    if segments.next().is_some() {
        return Err(malformed());
    }
    let (named, tail) = match (kind, second) {
        (None, _) => (None, None),
        (Some(word), None) => (None, Some(word)),
        (Some(word), Some(name)) => (Some((word, name)), last),
    };
    let lowest = if named.is_some() { named.map(|(_, name)| name) } else { Some(model) };
    let verb = lowest.and_then(|text| text.split_once(':')).map(|(_, verb)| verb.to_ascii_lowercase());
    let model = model.split(':').next().filter(|model| !model.is_empty()).ok_or_else(malformed)?;
    if named.is_some() && first.is_some_and(|first| first.contains(':')) {
        return Err(malformed());
    }
    let model = decoded(model);
    let which = match named {
        None => Named::Latest,
        Some((word, name)) => {
            let name = name.split(':').next().unwrap_or_default();
            match word.to_ascii_lowercase().as_str() {
                "versions" if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) => {
                    Named::Version(name.parse().map_err(|_| {
                        PredictError::invalid(format!("Failed to convert version: {name} to numeric."))
                    })?)
                }
                "labels" if !name.is_empty() => Named::Label(decoded(name)),
                _ => return Err(malformed()),
            }
        }
    };
    let tail = tail.map(str::to_ascii_lowercase);
    match (method, verb.as_deref(), tail.as_deref()) {
        (&Method::POST, Some("predict"), None) => Ok(Wanted::Predict { model, which }),
        (&Method::POST, Some("classify"), None) => Ok(Wanted::Classify { model, which }),
        (&Method::POST, Some("regress"), None) => Ok(Wanted::Regress { model, which }),
        (&Method::POST, Some("explain"), None) => Ok(Wanted::Explain { model, which }),
        (&Method::GET | &Method::HEAD, None, Some("metadata")) => Ok(Wanted::Metadata { model, which }),
        (&Method::GET | &Method::HEAD, None, None) => {
            let version = if let Named::Version(version) = which { Some(version) } else { None };
            Ok(Wanted::Status { model, version })
        }
        _ => Err(malformed()),
    }
}

/// Percent signs undone; what they spell that is not UTF-8 is no name of ours either way.
pub(super) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_that_server_reads_them() {
        let m = || "m".to_owned();
        let check = |method: Method, path: &str, found: Wanted| {
            assert_eq!(wanted(&method, path), Ok(found), "{path}");
        };
        check(Method::GET, "/v1/models/m", Wanted::Status { model: m(), version: None });
        check(Method::GET, "/v1/models/m/versions/7", Wanted::Status { model: m(), version: Some(7) });
        check(Method::GET, "/v1/models/m/labels/best", Wanted::Status { model: m(), version: None });
        check(Method::GET, "/v1/models/m/metadata", Wanted::Metadata { model: m(), which: Named::Latest });
        let which = Named::Label("a b".to_owned());
        check(Method::GET, "/V1/Models/m/Labels/a%20b/MetaData", Wanted::Metadata { model: m(), which });
        check(Method::POST, "/v1/models/m:predict", Wanted::Predict { model: m(), which: Named::Latest });
        let which = Named::Version(12);
        check(Method::POST, "/v1/models/m/versions/12:Classify", Wanted::Classify { model: m(), which });
        let which = Named::Label("x".to_owned());
        check(Method::POST, "/v1/models/m/labels/x:regress", Wanted::Regress { model: m(), which });
    }

    #[test]
    fn any_other_address_is_a_malformed_request() {
        let check = |method: Method, path: &str, says: &str| {
            assert_eq!(wanted(&method, path).unwrap_err().to_string(), says);
        };
        check(Method::GET, "/v1/models/m:predict", "Malformed request: GET /v1/models/m:predict");
        check(Method::POST, "/v1/models/m", "Malformed request: POST /v1/models/m");
        for path in [
            "/v1/models/",
            "/v1/models/m:guess",
            "/v1/models/m/versions/x:predict",
            "/v1/models/m/versions/:predict",
            "/v1/models/m/versions/1/metadata:predict",
            "/v1/models/m:predict/versions/1",
            "/v1/models/m/versions/1/metadata/more",
        ] {
            check(Method::POST, path, &format!("Malformed request: POST {path}"));
        }
        let long = "/v1/models/m/versions/99999999999999999999";
        check(Method::GET, long, "Failed to convert version: 99999999999999999999 to numeric.");
    }
}
