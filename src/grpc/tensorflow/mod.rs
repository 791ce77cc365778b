//! TensorFlow Serving's `PredictionService` and `ModelService`. Error codes and texts are that server's, without the
//! values that it quotes. Absent on purpose: what a model answers (`predict`'s).

mod config;
mod examples;
mod tensors;

use std::sync::Arc;
use std::time::Instant;

use prost::Message as _;
use prost_types::Any;
use tonic::{Request, Response, Status};

use super::models::{Use, in_tensorflow_words as words, models};
use crate::domain::model::Model;
use crate::http::Doors;
use crate::predict::{Batch, Models, PredictError, Servable, TensorSpec, Which, aside, shown};
use crate::wire::predict_request::PredictRequest;
use crate::wire::tensorflow as tf;
use crate::wire::tensorflow::serving as wire;
use crate::wire::tensorflow::serving::model_service_server::ModelService;
use crate::wire::tensorflow::serving::model_spec::VersionChoice;
use crate::wire::tensorflow::serving::prediction_service_server::PredictionService;

/// The only signature that a model has.
const SIGNATURE: &str = "serving_default";
const SIGNATURE_FIELD: &str = "signature_def";
const CLASSIFY: &str = "tensorflow/serving/classify";
const REGRESS: &str = "tensorflow/serving/regress";

/// Both services.
#[derive(Clone)]
pub struct TensorflowDoor {
    pub doors: Arc<Doors>,
}

type Answer<T> = Result<Response<T>, Status>;

fn settled<T>(answered: Result<T, PredictError>) -> Answer<T> {
    answered.map(Response::new).map_err(|error| words(&error))
}

fn found(models: &Models, spec: Option<&wire::ModelSpec>) -> Result<Arc<Servable>, PredictError> {
    let spec = named(spec)?;
    let servable = models.find(&spec.name, which(spec))?;
    check_signature(&spec.signature_name)?;
    Ok(servable)
}

fn named(spec: Option<&wire::ModelSpec>) -> Result<&wire::ModelSpec, PredictError> {
    let spec = spec.ok_or_else(|| PredictError::invalid("Missing ModelSpec"))?;
    if spec.name.is_empty() {
        return Err(PredictError::invalid("ModelSpec has no name specified."));
    }
    Ok(spec)
}

fn which(spec: &wire::ModelSpec) -> Which<'_> {
    match &spec.version_choice {
        None => Which::Latest,
        Some(VersionChoice::Version(version)) => Which::Version(*version),
        Some(VersionChoice::VersionLabel(label)) => Which::Label(label),
    }
}

fn check_signature(name: &str) -> Result<(), PredictError> {
    if name.is_empty() || name == SIGNATURE {
        return Ok(());
    }
    let shown = shown(name);
    Err(PredictError::invalid(format!("Serving signature name: \"{shown}\" not found in signature def")))
}

/// The model and the version that answered.
fn spec(servable: &Servable) -> wire::ModelSpec {
    wire::ModelSpec {
        name: servable.name.to_string(),
        signature_name: SIGNATURE.to_owned(),
        version_choice: Some(VersionChoice::Version(i64::from(servable.version))),
    }
}

/// What a request's rows are answered; `size` in bytes says whether they are read here.
async fn answers(
    servable: &Arc<Servable>,
    size: usize,
    read: impl FnOnce(&Model) -> Result<Batch, PredictError> + Send + 'static,
) -> Result<Vec<f64>, PredictError> {
    let own = Arc::clone(servable);
    aside(size, move || {
        let started = Instant::now();
        let batch = read(own.model()).inspect_err(|_| own.refused(started.elapsed()))?;
        own.predict_here(&batch)
    })
    .await
}

async fn predict(models: &Models, request: PredictRequest) -> Result<wire::PredictResponse, PredictError> {
    let servable = found(models, request.model_spec.as_ref())?;
    let own = &servable.output.name;
    if let Some(other) = request.output_filter.iter().find(|name| **name != **own) {
        let name = shown(other);
        return Err(PredictError::invalid(format!(
            "output tensor alias not found in signature: {name} Outputs expected to be in the set {{{own}}}."
        )));
    }
    let inputs = request.inputs;
    let sizes = inputs.iter().filter_map(|input| input.value.as_ref()).map(tensors::size);
    let size = sizes.fold(0, usize::saturating_add);
    let read = move |model: &Model| {
        let inputs = inputs.into_iter();
        let tensors = inputs.map(|input| tensors::read(input.key, input.value.unwrap_or_default()));
        Batch::of_tensors(model, tensors.collect::<Result<Vec<_>, _>>()?)
    };
    let answers = answers(&servable, size, read).await?;
    let outputs = [(own.to_string(), tensors::of_answers(answers))].into();
    Ok(wire::PredictResponse { model_spec: Some(spec(&servable)), outputs })
}

async fn of_examples(
    models: &Models,
    spec: Option<&wire::ModelSpec>,
    input: Arc<Option<wire::Input>>,
) -> Result<(Arc<Servable>, Vec<f64>), PredictError> {
    let servable = found(models, spec)?;
    let size = examples::size(servable.model(), (*input).as_ref());
    let answers = answers(&servable, size, move |model| examples::read(model, (*input).as_ref())).await?;
    Ok((servable, answers))
}

/// Of each row the two classes: `1` is what the probability is of.
fn classified(servable: &Servable, answers: &[f64]) -> Result<wire::ClassificationResult, PredictError> {
    if !servable.model().gives_probability() {
        let detail =
            format!("Expected classification signature method_name to be {CLASSIFY}. Was: {REGRESS}");
        return Err(PredictError::invalid(detail));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the protocol's scores are 32-bit floats")]
    let class = |label: &str, score: f64| wire::Class { label: label.to_owned(), score: score as f32 };
    let rows = answers
        .iter()
        .map(|answer| wire::Classifications { classes: vec![class("0", 1.0 - answer), class("1", *answer)] });
    Ok(wire::ClassificationResult { classifications: rows.collect() })
}

fn regressed(answers: &[f64]) -> wire::RegressionResult {
    #[expect(clippy::cast_possible_truncation, reason = "the protocol's values are 32-bit floats")]
    let rows = answers.iter().map(|answer| wire::Regression { value: *answer as f32 });
    wire::RegressionResult { regressions: rows.collect() }
}

async fn several(
    models: &Models,
    request: wire::MultiInferenceRequest,
) -> Result<wire::MultiInferenceResponse, PredictError> {
    let mut model_name = "";
    let mut asked = Vec::new();
    for task in &request.tasks {
        let name = task.model_spec.as_ref().map_or("", |spec| &spec.name);
        if name.is_empty() {
            return Err(PredictError::invalid("Found ModelSpec with an empty model name."));
        }
        if !model_name.is_empty() && model_name != name {
            let detail = "All ModelSpecs in a MultiInferenceRequest must access the same model name.";
            return Err(PredictError::invalid(detail));
        }
        model_name = name;
        // A model has one signature, which serves both methods.
        if asked.contains(&task.method_name.as_str()) {
            let detail = format!("Duplicate evaluation of signature: {SIGNATURE}");
            return Err(PredictError::invalid(detail));
        }
        asked.push(&task.method_name);
        if ![CLASSIFY, REGRESS].contains(&task.method_name.as_str()) {
            let detail = format!("Unsupported signature method_name: {}", shown(&task.method_name));
            return Err(PredictError::Unimplemented { detail });
        }
    }
    let input = Arc::new(request.input);
    let mut results = Vec::new();
    for task in &request.tasks {
        let (servable, answers) = of_examples(models, task.model_spec.as_ref(), Arc::clone(&input)).await?;
        let result = if task.method_name == CLASSIFY {
            wire::inference_result::Result::ClassificationResult(classified(&servable, &answers)?)
        } else {
            wire::inference_result::Result::RegressionResult(regressed(&answers))
        };
        results.push(wire::InferenceResult { model_spec: Some(spec(&servable)), result: Some(result) });
    }
    if results.is_empty() {
        return Err(PredictError::invalid("Inference request must contain at least one task"));
    }
    Ok(wire::MultiInferenceResponse { results })
}

fn metadata(
    models: &Models,
    request: &wire::GetModelMetadataRequest,
) -> Result<wire::GetModelMetadataResponse, PredictError> {
    let asked = named(request.model_spec.as_ref())?;
    if request.metadata_field.is_empty() {
        let detail = "GetModelMetadataRequest must specify at least one metadata_field";
        return Err(PredictError::invalid(detail));
    }
    if let Some(other) = request.metadata_field.iter().find(|field| *field != SIGNATURE_FIELD) {
        return Err(PredictError::invalid(format!("Metadata field {} is not supported", shown(other))));
    }
    let servable = models.find(&asked.name, which(asked))?;
    let described = |spec: &TensorSpec| (spec.name.to_string(), tensors::described(spec));
    let signature = tf::SignatureDef {
        inputs: servable.inputs.iter().map(described).collect(),
        outputs: [described(&servable.output)].into(),
        method_name: "tensorflow/serving/predict".to_owned(),
    };
    let signatures = wire::SignatureDefMap { signature_def: [(SIGNATURE.to_owned(), signature)].into() };
    let packed = Any {
        type_url: "type.googleapis.com/tensorflow.serving.SignatureDefMap".to_owned(),
        value: signatures.encode_to_vec(),
    };
    let model_spec = wire::ModelSpec { signature_name: String::new(), ..spec(&servable) };
    let metadata = [(SIGNATURE_FIELD.to_owned(), packed)].into();
    Ok(wire::GetModelMetadataResponse { model_spec: Some(model_spec), metadata })
}

fn status(
    models: &Models,
    request: &wire::GetModelStatusRequest,
) -> Result<wire::GetModelStatusResponse, PredictError> {
    let spec = named(request.model_spec.as_ref())?;
    let table = models.table();
    let version = match which(spec) {
        Which::Latest => None,
        Which::Version(version) => Some(version),
        // That server looks at a number alone.
        Which::Label(_) => None,
    };
    let versions = table.status(&spec.name, version)?;
    let one = |status: &crate::predict::VersionStatus| wire::ModelVersionStatus {
        version: i64::from(status.version),
        state: status.state as i32,
        status: Some(wire::StatusProto {
            error_code: status.code as i32,
            error_message: status.message.to_string(),
        }),
    };
    Ok(wire::GetModelStatusResponse { model_version_status: versions.iter().map(one).collect() })
}

#[tonic::async_trait]
impl PredictionService for TensorflowDoor {
    async fn predict(&self, request: Request<PredictRequest>) -> Answer<wire::PredictResponse> {
        let models = models(&self.doors, &request, Use::Ask)?;
        settled(predict(&models, request.into_inner()).await)
    }

    async fn classify(
        &self,
        request: Request<wire::ClassificationRequest>,
    ) -> Answer<wire::ClassificationResponse> {
        let models = models(&self.doors, &request, Use::Ask)?;
        let wire::ClassificationRequest { model_spec, input } = request.into_inner();
        let answered = of_examples(&models, model_spec.as_ref(), Arc::new(input)).await;
        settled(answered.and_then(|(servable, answers)| {
            let result = Some(classified(&servable, &answers)?);
            Ok(wire::ClassificationResponse { model_spec: Some(spec(&servable)), result })
        }))
    }

    async fn regress(&self, request: Request<wire::RegressionRequest>) -> Answer<wire::RegressionResponse> {
        let models = models(&self.doors, &request, Use::Ask)?;
        let wire::RegressionRequest { model_spec, input } = request.into_inner();
        let answered = of_examples(&models, model_spec.as_ref(), Arc::new(input)).await;
        settled(answered.map(|(servable, answers)| wire::RegressionResponse {
            model_spec: Some(spec(&servable)),
            result: Some(regressed(&answers)),
        }))
    }

    async fn multi_inference(
        &self,
        request: Request<wire::MultiInferenceRequest>,
    ) -> Answer<wire::MultiInferenceResponse> {
        let models = models(&self.doors, &request, Use::Ask)?;
        settled(several(&models, request.into_inner()).await)
    }

    async fn get_model_metadata(
        &self,
        request: Request<wire::GetModelMetadataRequest>,
    ) -> Answer<wire::GetModelMetadataResponse> {
        let models = models(&self.doors, &request, Use::Read)?;
        settled(metadata(&models, request.get_ref()))
    }
}

#[tonic::async_trait]
impl ModelService for TensorflowDoor {
    async fn get_model_status(
        &self,
        request: Request<wire::GetModelStatusRequest>,
    ) -> Answer<wire::GetModelStatusResponse> {
        let models = models(&self.doors, &request, Use::Read)?;
        settled(status(&models, request.get_ref()))
    }

    async fn handle_reload_config_request(
        &self,
        request: Request<wire::ReloadConfigRequest>,
    ) -> Answer<wire::ReloadConfigResponse> {
        let models = models(&self.doors, &request, Use::Operate)?;
        let configured = config::read(request.into_inner()).map_err(|error| words(&error))?;
        models.configure(configured).await.map_err(|error| words(&error))?;
        let status = Some(wire::StatusProto::default());
        Ok(Response::new(wire::ReloadConfigResponse { status, metric: Vec::new() }))
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::{DescriptorPool, DynamicMessage};

    use super::*;
    use crate::wire::DESCRIPTORS;
    use crate::wire::tensorflow::TensorProto;
    use crate::wire::tensorflow::serving::ModelSpec;

    #[test]
    fn the_request_written_by_hand_has_the_bytes_of_the_contract() {
        let tensor = |value| TensorProto { dtype: 2, double_val: vec![value], ..TensorProto::default() };
        let request = PredictRequest {
            model_spec: Some(ModelSpec { name: "m".to_owned(), ..ModelSpec::default() }),
            inputs: vec![("a".to_owned(), tensor(0.5)).into(), (String::new(), tensor(-1.0)).into()],
            output_filter: vec!["score".to_owned()],
        };
        let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
        let descriptor = pool.get_message_by_name("tensorflow.serving.PredictRequest").unwrap();
        let own = request.encode_to_vec();
        let contract = DynamicMessage::decode(descriptor, own.as_slice()).unwrap();
        assert_eq!(contract.unknown_fields().count(), 0);
        let inputs = contract.get_field_by_name("inputs").unwrap().into_owned();
        assert_eq!(inputs.as_map().unwrap().len(), 2);
        let mut back = PredictRequest::decode(contract.encode_to_vec().as_slice()).unwrap();
        back.inputs.sort_by(|a, b| b.key.cmp(&a.key));
        assert_eq!(back, request);
    }
}
