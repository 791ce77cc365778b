//! `GET /v1/models/{model}/drift`: how what a model was asked in an hour or a day lies beside what it was fitted on.
//! Absent on purpose: counting and comparing (`drift`'s), and any single case.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::asked::Asked;
use super::super::problem::{Code, Problem, quoted};
use crate::domain::nearest::nearest;
use crate::drift::{BinCount, InputReport, Moved, Report, ScoreReport, Watch, Window};
use crate::learn::reference::MeasuredOn;

/// A model's versions in one window of time. Only what this process was asked: counts add up over replicas.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DriftBody {
    model: String,
    /// `hour` and `day` are the ones that run, `last_hour` and `last_day` the whole ones before them, in UTC.
    window: &'static str,
    /// From then on.
    from: String,
    /// Until before then.
    to: String,
    /// Whether any version's is true.
    alarm: bool,
    versions: Vec<DriftVersion>,
}

/// One version.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DriftVersion {
    version: u32,
    digest: String,
    /// Why it is compared with nothing; then all that follows is null.
    not_compared: Option<String>,
    /// The rows that it is compared with, where they were given: at the import or later, with their digest. Null where
    /// they are those of its training.
    #[schema(value_type = Option<Object>)]
    measured_on: Option<MeasuredOn>,
    /// When this process began to count, where that is within the window.
    counted_from: Option<String>,
    /// What was counted beside the reference.
    compared: Option<Compared>,
}

/// Rows beside those of the reference: those that the version was fitted on, or that were given for it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Compared {
    /// Rows that were answered.
    rows: u64,
    /// The score or an input has moved by more than chance explains at 95 %, however many inputs there are.
    alarm: bool,
    score: ScoreDrift,
    inputs: Vec<InputDrift>,
}

/// The model's answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScoreDrift {
    mean: Option<f64>,
    /// Right to 1.6 %.
    quantiles: BTreeMap<String, f64>,
    #[serde(flatten)]
    moved: MovedBody,
}

/// One input. Rates are shares of the rows; null without any.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InputDrift {
    input: String,
    missing_rate: Option<f64>,
    /// Of categories that were not declared.
    unseen_rate: Option<f64>,
    /// Of numbers beyond those that the version was fitted on; null where that is not known.
    out_of_range_rate: Option<f64>,
    #[serde(flatten)]
    moved: MovedBody,
}

/// How far it has moved.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MovedBody {
    /// Population stability index; null without rows.
    psi: Option<f64>,
    /// What it stays below in 95 of 100 windows without drift.
    limit: Option<f64>,
    /// The index is above this limit, and above 0.1.
    alarm: bool,
    bins: Vec<BinBody>,
}

/// One bin: rows of the reference, and rows that were counted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BinBody {
    /// As in the metrics: `<936`, `936 to <1275`, a category, `(missing)`, `(unseen)`, `(other)`.
    bin: String,
    /// Of a number: from this one on.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<f64>,
    /// Of a number: up to this one, without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<f64>,
    reference: u64,
    observed: u64,
}

/// How what a model was asked lies beside what it was fitted on.
#[utoipa::path(
    get,
    path = "/v1/models/{model}/drift",
    operation_id = "model_drift",
    tag = "Models",
    params(("model" = String, Path, description = "The model's name")),
    responses((status = 200, description = "Its versions in one window", body = DriftBody))
)]
pub(in crate::http) async fn drift(asked: Asked) -> Result<HttpResponse, Problem> {
    let mut filters = asked.filters();
    let window = filters.parsed("window", Window::called, "must be `hour`, `last_hour`, `day` or `last_day`");
    let version = filters.text("version");
    let window = filters.settle(window)?.unwrap_or(Window::Day);
    let models = asked.models()?;
    let name = asked.path_part("model");
    let library = models.library();
    // A model whose files are away for a moment still answers, and is counted.
    let (found, table) = (library.models().get(name), models.table());
    let Some(watched) = models.drift().versions(name) else {
        let near = nearest(name, library.models().keys().map(AsRef::as_ref));
        let near = near.map(|near| format!("; there is {}", quoted(near))).unwrap_or_default();
        return Err(Problem::new(Code::UnknownModel, format!("there is no model {}{near}", quoted(name))));
    };
    if found.is_some_and(|found| found.remote.is_some()) {
        let detail = format!("{} answers on another server: ask there", quoted(name));
        return Err(Problem::new(Code::UnknownModel, detail));
    }
    let called = |wanted: &str| {
        let alias = found.and_then(|found| found.aliases.get(wanted));
        let number = alias.or_else(|| table.model(name)?.labels.get(wanted)).copied();
        let number = number.or_else(|| wanted.parse().ok());
        let is_watched = |number: &u32| watched.iter().any(|watch| watch.version == *number);
        number.filter(is_watched).ok_or_else(|| {
            let detail = format!("{} has no version or alias {}", quoted(name), quoted(wanted));
            Problem::new(Code::UnknownModel, detail)
        })
    };
    let wanted = version.as_deref().map(called).transpose()?;
    let now = Timestamp::now();
    let chosen = watched.iter().filter(|watch| wanted.is_none_or(|wanted| watch.version == wanted));
    let measured_on = |number: u32| found.and_then(|found| found.versions.get(&number)?.measured_on());
    let versions = chosen.map(|watch| version_body(watch, measured_on(watch.version), window, now));
    let versions: Vec<DriftVersion> = versions.collect();
    let (from, to) = window.span(now);
    let body = DriftBody {
        model: name.to_owned(),
        window: window.word(),
        from: from.to_string(),
        to: to.to_string(),
        alarm: versions.iter().any(|version| version.compared.as_ref().is_some_and(|body| body.alarm)),
        versions,
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-cache")).json(body))
}

fn version_body(
    watch: &Watch,
    measured_on: Option<MeasuredOn>,
    window: Window,
    now: Timestamp,
) -> DriftVersion {
    let found = watch.report(window, now);
    DriftVersion {
        version: watch.version,
        digest: watch.digest.to_string(),
        not_compared: watch.monitor.as_ref().err().map(ToString::to_string),
        measured_on,
        counted_from: found.as_ref().and_then(|found| found.counted_from).map(|time| time.to_string()),
        compared: found.as_ref().map(|found| Compared::from(&found.report)),
    }
}

impl From<&Report> for Compared {
    fn from(report: &Report) -> Self {
        let Report { rows, score, inputs, is_alarm } = report;
        Self {
            rows: *rows,
            alarm: *is_alarm,
            score: ScoreDrift::from(score),
            inputs: inputs.iter().map(|input| InputDrift::of(input, *rows)).collect(),
        }
    }
}

impl From<&ScoreReport> for ScoreDrift {
    fn from(score: &ScoreReport) -> Self {
        let quantiles = score.quantiles.iter().map(|(share, score)| (share.to_string(), *score));
        Self { mean: score.mean, quantiles: quantiles.collect(), moved: MovedBody::from(&score.moved) }
    }
}

impl InputDrift {
    fn of(input: &InputReport, rows: u64) -> Self {
        let rate = |count: u64| (rows > 0).then(|| count as f64 / rows as f64);
        Self {
            input: input.input.to_string(),
            missing_rate: rate(input.missing),
            unseen_rate: rate(input.unseen),
            out_of_range_rate: input.out_of_range.and_then(rate),
            moved: MovedBody::from(&input.moved),
        }
    }
}

impl From<&Moved> for MovedBody {
    fn from(moved: &Moved) -> Self {
        let Moved { psi, limit, is_alarm, bins, .. } = moved;
        let bin = |bin: &BinCount| BinBody {
            bin: bin.bin.to_string(),
            from: bin.from,
            to: bin.to,
            reference: bin.expected,
            observed: bin.observed,
        };
        Self { psi: *psi, limit: *limit, alarm: *is_alarm, bins: bins.iter().map(bin).collect() }
    }
}
