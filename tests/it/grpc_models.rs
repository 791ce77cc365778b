//! Models over gRPC with clients of our own, for machines without Python: the library's own answers to the last bit, and
//! who may ask.

use serde_json::Value as Json;
use tollgate::domain::model::Model;
use tollgate::domain::value::Kind;
use tollgate::wire::inference as oip;
use tollgate::wire::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use tollgate::wire::inference::model_infer_request::InferInputTensor;
use tollgate::wire::predict_request::PredictRequest;
use tollgate::wire::tensorflow as tf;
use tollgate::wire::tensorflow::serving::model_service_client::ModelServiceClient;
use tollgate::wire::tensorflow::serving::model_spec::VersionChoice;
use tollgate::wire::tensorflow::serving::prediction_service_client::PredictionServiceClient;
use tollgate::wire::tensorflow::serving::{self as tfs, ModelSpec};
use tonic::{Code, Request};

use crate::app::Home;
use crate::grpc::channel;
use crate::model_doors::{expected, model, rows};

const MODEL: &str = "german_credit";

fn tensor(kind: &Kind, values: Vec<&Json>) -> tf::TensorProto {
    let dim = tf::tensor_shape_proto::Dim { size: values.len().try_into().unwrap(), name: String::new() };
    let tensor_shape = Some(tf::TensorShapeProto { dim: vec![dim], unknown_rank: false });
    let mut tensor = tf::TensorProto { tensor_shape, ..Default::default() };
    match kind {
        Kind::Choice(_) => {
            tensor.dtype = tf::DataType::DtString.into();
            tensor.string_val = values.iter().map(|value| value.as_str().unwrap().into()).collect();
        }
        Kind::Integer => {
            tensor.dtype = tf::DataType::DtInt64.into();
            tensor.int64_val = values.iter().map(|value| value.as_i64().unwrap()).collect();
        }
        _ => {
            tensor.dtype = tf::DataType::DtDouble.into();
            tensor.double_val = values.iter().map(|value| value.as_f64().unwrap()).collect();
        }
    }
    tensor
}

pub fn question(model: &Model, rows: &[Json]) -> PredictRequest {
    let column = |name: &str| rows.iter().map(|row| &row[name]).collect();
    let inputs = model.inputs.iter().map(|i| (i.name.to_string(), tensor(&i.kind, column(&i.name))).into());
    let version_choice = Some(VersionChoice::Version(model.version.into()));
    let model_spec = Some(ModelSpec { name: model.name.to_string(), version_choice, ..Default::default() });
    PredictRequest { model_spec, inputs: inputs.collect(), ..Default::default() }
}

fn raw(kind: &Kind, value: &Json) -> Vec<u8> {
    match kind {
        Kind::Choice(_) => {
            let text = value.as_str().unwrap().as_bytes();
            let length = u32::try_from(text.len()).unwrap().to_le_bytes();
            [&length, text].concat()
        }
        Kind::Integer => value.as_i64().unwrap().to_le_bytes().to_vec(),
        _ => value.as_f64().unwrap().to_le_bytes().to_vec(),
    }
}

fn inference(model: &Model, rows: &[Json]) -> oip::ModelInferRequest {
    let datatype = |kind: &Kind| match kind {
        Kind::Choice(_) => "BYTES",
        Kind::Integer => "INT64",
        _ => "FP64",
    };
    let shape = vec![i64::try_from(rows.len()).unwrap()];
    let inputs = model.inputs.iter().map(|input| InferInputTensor {
        name: input.name.to_string(),
        datatype: datatype(&input.kind).to_owned(),
        shape: shape.clone(),
        ..Default::default()
    });
    let contents = model
        .inputs
        .iter()
        .map(|input| rows.iter().flat_map(|row| raw(&input.kind, &row[&*input.name])).collect());
    oip::ModelInferRequest {
        model_name: MODEL.to_owned(),
        model_version: model.version.to_string(),
        id: "r-1".to_owned(),
        inputs: inputs.collect(),
        raw_input_contents: contents.collect(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_protocols_give_the_librarys_own_answers() {
    let home = Home::new();
    let service = home.serve().await;
    let channel = channel(&service).await;
    let mut tensorflow = PredictionServiceClient::new(channel.clone());
    let mut triton = GrpcInferenceServiceClient::new(channel);
    for version in [1, 2] {
        let model = model(version);
        let rows = rows(&model, 100);
        let wanted = expected(&model, &rows);
        let answer = tensorflow.predict(question(&model, &rows)).await.unwrap().into_inner();
        assert_eq!(answer.outputs["probability"].double_val, wanted);
        assert_eq!(answer.model_spec.unwrap().version_choice, Some(VersionChoice::Version(version.into())));
        let answer = triton.model_infer(inference(&model, &rows)).await.unwrap().into_inner();
        let bytes: Vec<u8> = wanted.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!((answer.id.as_str(), &answer.raw_output_contents), ("r-1", &vec![bytes]));
    }
    let model = model(1);
    let short =
        oip::ModelInferRequest { raw_input_contents: vec![vec![1]], ..inference(&model, &rows(&model, 1)) };
    let refused = triton.model_infer(short).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("one for each, in their order"), "{}", refused.message());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_ask_and_operate_models_is_as_over_rest() {
    let home = Home::new();
    let key = |role: &str| {
        let made = home.run(&["keys", "create", "--role", role, "--name", role, "--format", "json"]);
        serde_json::from_slice::<Json>(&made.stdout).unwrap()["key"].as_str().unwrap().to_owned()
    };
    let (caller, operator) = (key("caller"), key("operator"));
    let service = home.serve().await;
    let channel = channel(&service).await;
    fn with<T>(key: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        request
    }
    let model = model(1);
    let rows = rows(&model, 1);
    let mut tensorflow = PredictionServiceClient::new(channel.clone());
    let bare = tensorflow.predict(question(&model, &rows)).await.unwrap_err();
    assert_eq!(bare.code(), Code::Unauthenticated);
    assert!(tensorflow.predict(with(&caller, question(&model, &rows))).await.is_ok());
    let refused = tensorflow.predict(with(&operator, question(&model, &rows))).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let mut models = ModelServiceClient::new(channel.clone());
    let one = tfs::ModelConfig { name: MODEL.to_owned(), ..Default::default() };
    let config =
        tfs::model_server_config::Config::ModelConfigList(tfs::ModelConfigList { config: vec![one] });
    let reload = tfs::ReloadConfigRequest {
        config: Some(tfs::ModelServerConfig { config: Some(config) }),
        ..Default::default()
    };
    let refused = models.handle_reload_config_request(with(&caller, reload.clone())).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(models.handle_reload_config_request(with(&operator, reload)).await.is_ok());
    let mut triton = GrpcInferenceServiceClient::new(channel);
    assert!(triton.server_live(oip::ServerLiveRequest {}).await.unwrap().into_inner().live);
    let index = oip::RepositoryIndexRequest::default();
    assert_eq!(triton.repository_index(index.clone()).await.unwrap_err().code(), Code::Unauthenticated);
    let listed = triton.repository_index(with(&caller, index)).await.unwrap().into_inner().models;
    assert!(listed.iter().any(|line| line.name == MODEL && line.state == "READY"), "{listed:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_only_models_are_served_decisions_are_not_there() {
    use tollgate::wire::tollgate::v1;
    use tollgate::wire::tollgate::v1::decisions_client::DecisionsClient;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;
    let home = crate::model_doors::home();
    let flags = tollgate::config::Flags { models_only: true, ..home.flags() };
    let service = home.serve_with(flags).await;
    let channel = channel(&service).await;
    let mut decisions = DecisionsClient::new(channel.clone());
    let asked = v1::DecideRequest { flow: "personal_loan".to_owned(), ..Default::default() };
    assert_eq!(decisions.decide(asked).await.unwrap_err().code(), Code::Unimplemented);
    let mut health = HealthClient::new(channel);
    let status = health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status();
    assert_eq!(status, ServingStatus::Serving);
    service.stop().await;
}
