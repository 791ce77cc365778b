//! `tensorflow.serving.PredictRequest` as a list: on the wire a map is a list of keys with values. The map that would be
//! made of it hashes every name and moves every tensor several times, before each is looked up once.

use super::tensorflow::TensorProto;
use super::tensorflow::serving::ModelSpec;

/// As in `proto/tensorflow/serving.proto`; a test holds the two to the same bytes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PredictRequest {
    #[prost(message, optional, tag = "1")]
    pub model_spec: Option<ModelSpec>,
    /// `map<string, tensorflow.TensorProto>`, in the order in which they were sent.
    #[prost(message, repeated, tag = "2")]
    pub inputs: Vec<NamedTensor>,
    #[prost(string, repeated, tag = "3")]
    pub output_filter: Vec<String>,
}

/// An entry of the map.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NamedTensor {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(message, optional, tag = "2")]
    pub value: Option<TensorProto>,
}

impl prost::Name for PredictRequest {
    const NAME: &'static str = "PredictRequest";
    const PACKAGE: &'static str = "tensorflow.serving";
}

impl From<(String, TensorProto)> for NamedTensor {
    fn from((key, tensor): (String, TensorProto)) -> Self {
        Self { key, value: Some(tensor) }
    }
}
