//! What gRPC's door does with those who send too much, too little, nothing at all, or what is not theirs to send.

use std::io::Read as _;
use std::time::Duration;

use serde_json::Value as Json;
use tollgate::grpc::flows::Raw;
use tollgate::wire::inference as oip;
use tollgate::wire::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use tollgate::wire::tensorflow::serving::model_service_client::ModelServiceClient;
use tollgate::wire::tensorflow::serving::model_spec::VersionChoice;
use tollgate::wire::tensorflow::serving::prediction_service_client::PredictionServiceClient;
use tollgate::wire::tensorflow::serving::{self as tfs, ModelSpec};
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::app::Home;
use crate::grpc::channel;
use crate::grpc_models::question;
use crate::model_doors::{expected, home, model, rows};

const MODEL: &str = "german_credit";
const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";

async fn send(channel: &Channel, path: &'static str, request: Request<Vec<u8>>) -> Status {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path = tonic::codegen::http::uri::PathAndQuery::from_static(path);
    client.unary(request, path, Raw).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_of_a_message_whose_sender_may_not_send_it() {
    let home = Home::new();
    let made = home.run(&["keys", "create", "--role", "caller", "--name", "shop", "--format", "json"]);
    let key = serde_json::from_slice::<Json>(&made.stdout).unwrap()["key"].as_str().unwrap().to_owned();
    let service = home.serve().await;
    let channel = channel(&service).await;
    for (path, keyed) in [
        (INFER, Code::InvalidArgument),
        ("/inference.GRPCInferenceService/RepositoryModelUnload", Code::PermissionDenied),
        ("/tensorflow.serving.PredictionService/Classify", Code::InvalidArgument),
        ("/tensorflow.serving.ModelService/HandleReloadConfigRequest", Code::PermissionDenied),
        ("/tollgate.v1.Decisions/Decide", Code::InvalidArgument),
    ] {
        // No message at all: who could read it would say so.
        let garbage = || Request::new(b"\xff\xff\xffsecret".to_vec());
        assert_eq!(send(&channel, path, garbage()).await.code(), Code::Unauthenticated, "{path}");
        let mut request = garbage();
        request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        let told = send(&channel, path, request).await;
        assert_eq!(told.code(), keyed, "{path}: {told}");
        assert!(!told.message().contains("secret"), "{told}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_would_fill_the_memory_is_refused() {
    let home = home();
    let service = home.serve().await;
    let channel = channel(&service).await;
    // Two bytes for an input without anything: 16 MiB stand for gigabytes.
    let told = send(&channel, INFER, Request::new([0x2a, 0].repeat(8 << 20))).await;
    assert_eq!(told.code(), Code::ResourceExhausted);
    assert!(told.message().contains("more than 512 MiB once read; send several"), "{told}");
    let long = "x".repeat(20_000);
    let mut request = Request::new(Vec::new());
    request.metadata_mut().insert("x-long", MetadataValue::try_from(long.as_str()).unwrap());
    let told = send(&channel, INFER, request).await;
    assert_eq!(told.code(), Code::ResourceExhausted, "{told}");
    assert!(told.message().contains("16384 bytes together"), "{told}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_may_come_compressed() {
    let home = home();
    let service = home.serve().await;
    let channel = channel(&service).await;
    let model = model(1);
    let rows = rows(&model, 20);
    let mut client = PredictionServiceClient::new(channel).send_compressed(CompressionEncoding::Gzip);
    let answer = client.predict(question(&model, &rows)).await.unwrap().into_inner();
    assert_eq!(answer.outputs["probability"].double_val, expected(&model, &rows));
    service.stop().await;
}

fn task(name: &str, method: &str) -> tfs::InferenceTask {
    let model_spec = Some(ModelSpec { name: name.to_owned(), ..Default::default() });
    tfs::InferenceTask { model_spec, method_name: format!("tensorflow/serving/{method}") }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_inferences_are_one_a_method_as_in_that_server() {
    let home = home();
    let service = home.serve().await;
    let mut client = PredictionServiceClient::new(channel(&service).await);
    for (tasks, expected) in [
        (
            vec![task(MODEL, "classify"), task(MODEL, "classify")],
            "Duplicate evaluation of signature: serving_default",
        ),
        (vec![task(MODEL, "classify"), task("", "regress")], "Found ModelSpec with an empty model name."),
        (
            vec![task(MODEL, "classify"), task("credit_history", "regress")],
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
    ] {
        let request = tfs::MultiInferenceRequest { tasks, ..Default::default() };
        let told = client.multi_inference(request).await.unwrap_err();
        assert_eq!((told.code(), told.message()), (Code::InvalidArgument, expected));
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_says_nothing_to_the_question_for_a_models_state() {
    let home = home();
    let service = home.serve().await;
    let mut client = ModelServiceClient::new(channel(&service).await);
    for label in ["champion", "nobody"] {
        let version_choice = Some(VersionChoice::VersionLabel(label.to_owned()));
        let spec = ModelSpec { name: MODEL.to_owned(), version_choice, ..Default::default() };
        let asked = tfs::GetModelStatusRequest { model_spec: Some(spec) };
        let states = client.get_model_status(asked).await.unwrap().into_inner().model_version_status;
        assert!(states.len() > 1, "{label}: {states:?}");
    }
    service.stop().await;
}

/// Reads until the other side closes.
fn is_closed(mut stream: std::net::TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.read_to_end(&mut Vec::new()).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_is_closed() {
    let home = home();
    let service = home.serve().await;
    let address = service.grpc.unwrap();
    let silent = std::net::TcpStream::connect(address).unwrap();
    let mut halfway = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut halfway, b"PRI * HTTP/2").unwrap();
    let closed = [silent, halfway].map(|stream| tokio::task::spawn_blocking(move || is_closed(stream)));
    for closed in closed {
        assert!(closed.await.unwrap());
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_a_call_do_not_keep_it_from_stopping() {
    let home = home();
    let service = home.serve().await;
    let address = service.grpc.unwrap();
    let _silent = std::net::TcpStream::connect(address).unwrap();
    let mut mute = std::net::TcpStream::connect(address).unwrap();
    // It greets, and then answers nothing: no ping, no farewell.
    std::io::Write::write_all(&mut mute, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut client = GrpcInferenceServiceClient::new(channel(&service).await);
    assert!(client.server_live(oip::ServerLiveRequest {}).await.unwrap().into_inner().live);
    // The grace that calls in flight have is 30 seconds.
    let stopped = tokio::time::timeout(Duration::from_secs(20), service.stop());
    assert!(stopped.await.is_ok(), "it waited for connections on which nothing was in flight");
}
