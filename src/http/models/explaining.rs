//! `POST /v1/models/{model}:explain`: what each input adds to the answers, exactly, and the reason codes. Takes the
//! body of `:predict`. Absent on purpose: approximations; a model that cannot be explained says so.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use serde::Serialize;

use super::super::asked::Asked;
use super::super::problem::Problem;
use super::answer::{self, Words};
use super::predict_body;
use super::tensorflow::{Wanted, wanted};
use crate::predict::{Explanation, PredictError, Servable};

/// Reason codes of one answer.
const REASONS: usize = 4;
/// Rows that one request may have explained: of trees each takes some hundred times as long as its answer.
const MOST_ROWS: usize = 1000;

#[derive(Serialize)]
struct Explained<'a> {
    model: &'a str,
    version: u32,
    digest: &'a str,
    /// What the contributions add up in: `log_odds`, `probability`, `points`, …
    space: &'static str,
    explanations: Vec<RowExplained<'a>>,
}

#[derive(Serialize)]
struct RowExplained<'a> {
    answer: f64,
    /// What the model gives on average; with all contributions it is the row's own, in `space`.
    base: f64,
    contributions: BTreeMap<&'a str, f64>,
    reasons: Vec<Reason<'a>>,
}

#[derive(Serialize)]
struct Reason<'a> {
    code: &'a str,
    rank: usize,
    weight: f64,
}

pub(in crate::http) async fn explain(mut asked: Asked) -> Result<HttpResponse, Problem> {
    let models = asked.models()?;
    let servable = match wanted(asked.http.method(), asked.http.path()) {
        Ok(Wanted::Explain { model, which }) => models.find(&model, which.which()),
        Ok(_) => Err(PredictError::Internal),
        Err(error) => Err(error),
    };
    let servable = match servable {
        Ok(servable) => servable,
        Err(error) => return Ok(answer::error(&error, Words::TensorFlow)),
    };
    let body = asked.model_body().await?;
    let explained = tokio::task::spawn_blocking(move || {
        let explained = explained(&servable, &body)?;
        Ok(render(&servable, &explained))
    });
    let text = explained.await.unwrap_or(Err(PredictError::Internal));
    let response = text.map(|text| HttpResponse::Ok().content_type("application/json").body(text));
    Ok(answer::settle(response, Words::TensorFlow))
}

fn explained(servable: &Servable, body: &[u8]) -> Result<Vec<Explanation>, PredictError> {
    let (batch, _) = predict_body::read(servable.model(), body)?;
    if batch.rows() > MOST_ROWS {
        let detail = format!("one request may have {MOST_ROWS} rows explained; send several");
        return Err(PredictError::TooMuch { detail });
    }
    servable.explain(&batch, REASONS)
}

fn render(servable: &Servable, explained: &[Explanation]) -> String {
    let space = explained.first().map_or("", |explanation| explanation.contributions.space.word());
    let body = Explained {
        model: &servable.name,
        version: servable.version,
        digest: &servable.digest,
        space,
        explanations: explained.iter().map(|row| row_explained(servable, row)).collect(),
    };
    serde_json::to_string(&body).unwrap_or_default()
}

fn row_explained<'a>(servable: &'a Servable, row: &'a Explanation) -> RowExplained<'a> {
    let names = servable.inputs.iter().map(|input| &*input.name);
    let reason = |(reason, rank): (&'a crate::domain::model::ReasonCode, usize)| Reason {
        code: &reason.code,
        rank,
        weight: reason.weight,
    };
    RowExplained {
        answer: row.answer,
        base: row.contributions.base,
        contributions: names.zip(row.contributions.inputs.iter().copied()).collect(),
        reasons: row.reasons.iter().zip(1..).map(reason).collect(),
    }
}
