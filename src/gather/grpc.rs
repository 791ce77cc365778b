//! One server asked over gRPC, by either protocol. Absent: what an answer means beyond its tensors.

use std::net::SocketAddr;

use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use super::failure;
use super::http::{DoorError, LARGEST_ANSWER};
use super::tensors::{self, Cell, MOST_ELEMENTS, Reply, Said, Tensor};
use super::trace::{TRACEPARENT, TraceContext};
use crate::domain::flow::remote::{ModelAsked, RemoteFailure, RemoteFault};
use crate::domain::model::remote::{Datatype, Protocol, Remote};
use crate::wire::codec::UNREADABLE;
use crate::wire::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use crate::wire::inference::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use crate::wire::inference::{InferTensorContents, ModelInferRequest, ModelInferResponse, ModelReadyRequest};
use crate::wire::predict_request::PredictRequest;
use crate::wire::tensorflow::serving::model_service_client::ModelServiceClient;
use crate::wire::tensorflow::serving::model_spec::VersionChoice;
use crate::wire::tensorflow::serving::model_version_status::State;
use crate::wire::tensorflow::serving::prediction_service_client::PredictionServiceClient;
use crate::wire::tensorflow::serving::{GetModelStatusRequest, ModelSpec, PredictResponse};
use crate::wire::tensorflow::tensor_shape_proto::Dim;
use crate::wire::tensorflow::{DataType, TensorProto, TensorShapeProto};

/// One server and its channel, which connects again by itself.
#[derive(Debug, Clone)]
pub(super) struct GrpcDoor {
    channel: Channel,
    key: Option<MetadataValue<Ascii>>,
}

impl GrpcDoor {
    /// `at`: the one of the host's addresses that is asked; `None` leaves that to the system.
    pub fn new(
        base: &str,
        at: Option<SocketAddr>,
        remote: &Remote,
        key: Option<&str>,
    ) -> Result<Self, DoorError> {
        let (scheme, named) = base.split_once("://").unwrap_or(("http", base));
        let address = at.map_or_else(|| base.to_owned(), |at| format!("{scheme}://{at}"));
        let mut endpoint = Endpoint::from_shared(address)
            .map_err(DoorError::Channel)?
            .connect_timeout(remote.attempt)
            .tcp_nodelay(true)
            .keep_alive_timeout(remote.attempt.max(std::time::Duration::from_secs(1)))
            .http2_keep_alive_interval(std::time::Duration::from_secs(10));
        if scheme == "https" {
            let host = named.rsplit_once(':').map_or(named, |(host, _)| host);
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let tls = ClientTlsConfig::new().with_native_roots().domain_name(host);
            endpoint = endpoint.tls_config(tls).map_err(DoorError::Channel)?;
        }
        let key = key.map(|key| {
            let mut value: MetadataValue<Ascii> =
                format!("Bearer {key}").parse().map_err(|_| DoorError::Key)?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self { channel: endpoint.connect_lazy(), key: key.transpose()? })
    }

    /// Asks about one row.
    pub async fn infer(
        &self,
        asked: &ModelAsked,
        remote: &Remote,
        trace: &TraceContext,
    ) -> Result<Reply, RemoteFailure> {
        let tensors = tensors::of_row(asked)?;
        let began = Instant::now();
        let refused = |status: Status| refused(&status, began.elapsed() >= remote.attempt.mul_f64(0.9));
        match remote.protocol {
            Protocol::OpenInference => {
                let mut client = GrpcInferenceServiceClient::new(self.channel.clone())
                    .max_decoding_message_size(LARGEST_ANSWER);
                let request = traced(self.authorised(oip_request(remote, &tensors)), trace);
                let answer = client.model_infer(request).await.map_err(refused)?;
                oip_reply(answer.into_inner())
            }
            Protocol::TensorflowServing => {
                let mut client = PredictionServiceClient::new(self.channel.clone())
                    .max_decoding_message_size(LARGEST_ANSWER);
                let request = traced(self.authorised(predict_request(remote, &tensors)), trace);
                let answer = client.predict(request).await.map_err(refused)?;
                predict_reply(answer.into_inner())
            }
        }
    }

    /// Whether the server says that the model can be asked.
    pub async fn is_ready(&self, remote: &Remote) -> bool {
        match remote.protocol {
            Protocol::OpenInference => {
                let mut client = GrpcInferenceServiceClient::new(self.channel.clone());
                let asked = ModelReadyRequest {
                    name: remote.model.clone(),
                    version: remote.version.clone().unwrap_or_default(),
                };
                client.model_ready(self.authorised(asked)).await.is_ok_and(|answer| answer.get_ref().ready)
            }
            Protocol::TensorflowServing => {
                let mut client = ModelServiceClient::new(self.channel.clone());
                let asked = GetModelStatusRequest { model_spec: Some(spec(remote)) };
                let answer = client.get_model_status(self.authorised(asked)).await;
                answer.is_ok_and(|answer| {
                    let mut versions = answer.get_ref().model_version_status.iter();
                    versions.any(|version| version.state() == State::Available)
                })
            }
        }
    }

    fn authorised<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(key) = &self.key {
            request.metadata_mut().insert("authorization", key.clone());
        }
        request
    }
}

fn traced<T>(mut request: Request<T>, trace: &TraceContext) -> Request<T> {
    // Its digits are always fit to be sent.
    if let Ok(value) = trace.to_text().parse() {
        request.metadata_mut().insert(TRACEPARENT, value);
    }
    request
}

/// `is_over`: whether the time of one try has nearly passed.
fn refused(status: &Status, is_over: bool) -> RemoteFailure {
    let code = match status.code() {
        // So servers built on tonic say that a time has passed.
        Code::Cancelled if is_over || status.message() == "Timeout expired" => RemoteFault::Late,
        // Our own words: what could not be read is the answer.
        Code::InvalidArgument if status.message().starts_with(UNREADABLE) => RemoteFault::Nonsense,
        Code::InvalidArgument | Code::OutOfRange => RemoteFault::Refused,
        Code::Unavailable | Code::Cancelled => RemoteFault::Unreachable,
        Code::DeadlineExceeded => RemoteFault::Late,
        _ => RemoteFault::ServerFailed,
    };
    // Its own words may repeat what was sent.
    failure(code, format!("the server answered with status {:?}", status.code()))
}

fn oip_request(remote: &Remote, tensors: &[Tensor<'_>]) -> ModelInferRequest {
    let input = |tensor: &Tensor<'_>| {
        let mut contents = InferTensorContents::default();
        for cell in &tensor.cells {
            match (tensor.datatype, cell) {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "declared to be sent as the nearest 32-bit float"
                )]
                (Datatype::Fp32, Cell::Float(number)) => contents.fp32_contents.push(*number as f32),
                (_, Cell::Float(number)) => contents.fp64_contents.push(*number),
                (Datatype::Int32, Cell::Whole(whole)) => {
                    contents.int_contents.push(i32::try_from(*whole).unwrap_or_default());
                }
                (_, Cell::Whole(whole)) => contents.int64_contents.push(*whole),
                (_, Cell::Boolean(value)) => contents.bool_contents.push(*value),
                (_, Cell::Text(text)) => contents.bytes_contents.push(text.as_bytes().to_vec()),
            }
        }
        InferInputTensor {
            name: tensor.name.to_owned(),
            datatype: tensor.datatype.word().to_owned(),
            shape: tensor.shape.clone(),
            contents: Some(contents),
            ..InferInputTensor::default()
        }
    };
    let output = |name: &String| InferRequestedOutputTensor { name: name.clone(), ..Default::default() };
    ModelInferRequest {
        model_name: remote.model.clone(),
        model_version: remote.version.clone().unwrap_or_default(),
        inputs: tensors.iter().map(input).collect(),
        outputs: remote.output.tensor.iter().map(output).collect(),
        ..ModelInferRequest::default()
    }
}

fn oip_reply(answer: ModelInferResponse) -> Result<Reply, RemoteFailure> {
    let raw = answer.raw_output_contents;
    if !raw.is_empty() && raw.len() != answer.outputs.len() {
        return Err(failure(RemoteFault::Nonsense, "the answer has not one content for each output"));
    }
    let mut tensors = Vec::with_capacity(answer.outputs.len());
    for (at, output) in answer.outputs.into_iter().enumerate() {
        let values = match (raw.get(at), &output.contents) {
            (Some(bytes), _) => raw_values(&output.datatype, bytes),
            (None, Some(contents)) => values_of(&output.datatype, contents),
            (None, None) => Vec::new(),
        };
        tensors.push(Said { name: Some(output.name), shape: Some(output.shape), values });
    }
    Ok(Reply { version: Some(answer.model_version).filter(|version| !version.is_empty()), tensors })
}

fn values_of(datatype: &str, contents: &InferTensorContents) -> Vec<f64> {
    match datatype {
        "FP32" => contents.fp32_contents.iter().copied().map(f64::from).collect(),
        "FP64" => contents.fp64_contents.clone(),
        "INT8" | "INT16" | "INT32" => contents.int_contents.iter().copied().map(f64::from).collect(),
        _ => Vec::new(),
    }
}

/// Little-endian; of other datatypes, of which no probability is, nothing is read.
fn raw_values(datatype: &str, bytes: &[u8]) -> Vec<f64> {
    match datatype {
        "FP32" => little(bytes, |four| f64::from(f32::from_le_bytes(four))),
        "FP64" => little(bytes, f64::from_le_bytes),
        _ => Vec::new(),
    }
}

fn little<const WIDTH: usize>(bytes: &[u8], read: impl Fn([u8; WIDTH]) -> f64) -> Vec<f64> {
    bytes.as_chunks::<WIDTH>().0.iter().take(MOST_ELEMENTS).map(|chunk| read(*chunk)).collect()
}

fn spec(remote: &Remote) -> ModelSpec {
    let version = remote.version.as_deref().and_then(|version| version.parse().ok());
    ModelSpec {
        name: remote.model.clone(),
        version_choice: version.map(VersionChoice::Version),
        signature_name: remote.signature.clone().unwrap_or_default(),
    }
}

fn predict_request(remote: &Remote, tensors: &[Tensor<'_>]) -> PredictRequest {
    let inputs = tensors.iter().map(|tensor| (tensor.name.to_owned(), proto(tensor)).into());
    PredictRequest {
        model_spec: Some(spec(remote)),
        inputs: inputs.collect(),
        output_filter: remote.output.tensor.iter().cloned().collect(),
    }
}

fn proto(tensor: &Tensor<'_>) -> TensorProto {
    let dim = tensor.shape.iter().map(|size| Dim { size: *size, name: String::new() }).collect();
    let dtype = match tensor.datatype {
        Datatype::Fp32 => DataType::DtFloat,
        Datatype::Fp64 => DataType::DtDouble,
        Datatype::Int32 => DataType::DtInt32,
        Datatype::Int64 => DataType::DtInt64,
        Datatype::Bool => DataType::DtBool,
        Datatype::Bytes => DataType::DtString,
    };
    let mut proto = TensorProto {
        dtype: dtype.into(),
        tensor_shape: Some(TensorShapeProto { dim, unknown_rank: false }),
        ..TensorProto::default()
    };
    for cell in &tensor.cells {
        match (tensor.datatype, cell) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "declared to be sent as the nearest 32-bit float"
            )]
            (Datatype::Fp32, Cell::Float(number)) => proto.float_val.push(*number as f32),
            (_, Cell::Float(number)) => proto.double_val.push(*number),
            (Datatype::Int32, Cell::Whole(whole)) => {
                proto.int_val.push(i32::try_from(*whole).unwrap_or_default());
            }
            (_, Cell::Whole(whole)) => proto.int64_val.push(*whole),
            (_, Cell::Boolean(value)) => proto.bool_val.push(*value),
            (_, Cell::Text(text)) => proto.string_val.push(text.as_bytes().to_vec()),
        }
    }
    proto
}

fn predict_reply(answer: PredictResponse) -> Result<Reply, RemoteFailure> {
    let version = answer.model_spec.and_then(|spec| match spec.version_choice? {
        VersionChoice::Version(version) => Some(version.to_string()),
        VersionChoice::VersionLabel(label) => Some(label),
    });
    let mut tensors = Vec::with_capacity(answer.outputs.len());
    for (name, tensor) in answer.outputs {
        tensors.push(said(name, &tensor)?);
    }
    Ok(Reply { version, tensors })
}

fn said(name: String, tensor: &TensorProto) -> Result<Said, RemoteFailure> {
    let shape: Vec<i64> =
        tensor.tensor_shape.iter().flat_map(|shape| shape.dim.iter().map(|dim| dim.size)).collect();
    let elements = shape.iter().try_fold(1_i64, |all, size| all.checked_mul(*size));
    let elements = elements.and_then(|all| usize::try_from(all).ok()).filter(|all| *all <= MOST_ELEMENTS);
    let Some(elements) = elements else {
        return Err(failure(RemoteFault::Nonsense, "the answer has a shape that no answer has"));
    };
    let mut values = match tensor.dtype() {
        DataType::DtFloat if !tensor.tensor_content.is_empty() => raw_values("FP32", &tensor.tensor_content),
        DataType::DtDouble if !tensor.tensor_content.is_empty() => raw_values("FP64", &tensor.tensor_content),
        DataType::DtFloat => tensor.float_val.iter().copied().map(f64::from).collect(),
        DataType::DtDouble => tensor.double_val.clone(),
        _ => Vec::new(),
    };
    // A list shorter than the shape repeats its last value.
    if let Some(last) = values.last().copied().filter(|_| tensor.tensor_content.is_empty()) {
        values.resize(elements.max(values.len()), last);
    }
    Ok(Said { name: Some(name), shape: Some(shape), values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_went_wrong() {
        let cases = [
            (Status::cancelled("Timeout expired"), false, RemoteFault::Late),
            (Status::cancelled("stream reset"), true, RemoteFault::Late),
            (Status::cancelled("stream reset"), false, RemoteFault::Unreachable),
            (Status::deadline_exceeded(""), false, RemoteFault::Late),
            (Status::unavailable(""), true, RemoteFault::Unreachable),
            (Status::invalid_argument(""), false, RemoteFault::Refused),
            (Status::invalid_argument(format!("{UNREADABLE}x.Y")), false, RemoteFault::Nonsense),
            (Status::not_found(""), false, RemoteFault::ServerFailed),
        ];
        for (status, is_over, expected) in cases {
            assert_eq!(refused(&status, is_over).code, expected, "{status:?}, {is_over}");
        }
    }
}
