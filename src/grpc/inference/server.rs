//! What the Open Inference Protocol tells over gRPC of a server and its models: the same as over REST. Absent on
//! purpose: tensors.

use crate::learn::library::VersionPolicy;
use crate::predict::{Datatype, IndexLine, Servable, ServedModel, Statistics, Table, TensorSpec};
use crate::wire::inference as wire;
use crate::wire::inference::model_metadata_response::TensorMetadata;
use crate::wire::inference::model_version_policy::{All, Latest, PolicyChoice, Specific};
use crate::wire::inference::repository_index_response::ModelIndex;

pub fn server() -> wire::ServerMetadataResponse {
    let extensions = ["binary_tensor_data", "model_configuration", "model_repository", "statistics"];
    wire::ServerMetadataResponse {
        name: "tollgate".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        extensions: extensions.map(str::to_owned).into(),
    }
}

pub fn metadata(servable: &Servable, model: Option<&ServedModel>) -> wire::ModelMetadataResponse {
    let tensor = |spec: &TensorSpec| TensorMetadata {
        name: spec.name.to_string(),
        datatype: spec.datatype.open_inference().to_owned(),
        shape: vec![-1],
    };
    let versions = model.into_iter().flat_map(|model| &model.versions);
    let available = versions.filter(|(_, version)| version.servable.is_some());
    wire::ModelMetadataResponse {
        name: servable.name.to_string(),
        versions: available.map(|(number, _)| number.to_string()).collect(),
        platform: "tollgate".to_owned(),
        inputs: servable.inputs.iter().map(tensor).collect(),
        outputs: vec![tensor(&servable.output)],
        ..Default::default()
    }
}

/// The first dimension of every tensor is the rows, so there is no batch beside it.
pub fn config(servable: &Servable, model: Option<&ServedModel>) -> wire::ModelConfig {
    let data_type = |spec: &TensorSpec| match spec.datatype {
        Datatype::Bool => wire::DataType::TypeBool,
        Datatype::Int64 => wire::DataType::TypeInt64,
        Datatype::Fp64 => wire::DataType::TypeFp64,
        Datatype::Bytes => wire::DataType::TypeString,
    };
    let input = |spec: &TensorSpec| wire::ModelInput {
        name: spec.name.to_string(),
        data_type: data_type(spec).into(),
        dims: vec![-1],
        ..Default::default()
    };
    let output = wire::ModelOutput {
        name: servable.output.name.to_string(),
        data_type: data_type(&servable.output).into(),
        dims: vec![-1],
    };
    let policy = match model.map(ServedModel::policy).unwrap_or_default() {
        VersionPolicy::Latest(num_versions) => PolicyChoice::Latest(Latest { num_versions }),
        VersionPolicy::All => PolicyChoice::All(All {}),
        VersionPolicy::Versions(versions) => {
            PolicyChoice::Specific(Specific { versions: versions.into_iter().map(i64::from).collect() })
        }
    };
    let parameter = |text: String| wire::ModelParameter { string_value: text };
    wire::ModelConfig {
        name: servable.name.to_string(),
        platform: "tollgate".to_owned(),
        backend: "tollgate".to_owned(),
        version_policy: Some(wire::ModelVersionPolicy { policy_choice: Some(policy) }),
        input: servable.inputs.iter().map(input).collect(),
        output: vec![output],
        parameters: [
            ("version".to_owned(), parameter(servable.version.to_string())),
            ("digest".to_owned(), parameter(servable.digest.to_string())),
        ]
        .into(),
        ..Default::default()
    }
}

/// Counts of one version. Nothing waits in a queue, and reading and writing tensors is no time of the model's.
pub fn statistics(servable: &Servable) -> wire::ModelStatistics {
    let Statistics { rows, succeeded, succeeded_ns, failed, failed_ns, last_ms } =
        servable.meters().statistics();
    let timed = |count: u64, ns: u64| Some(wire::StatisticDuration { count, ns });
    wire::ModelStatistics {
        name: servable.name.to_string(),
        version: servable.version.to_string(),
        last_inference: last_ms,
        inference_count: rows,
        execution_count: succeeded,
        inference_stats: Some(wire::InferStatistics {
            success: timed(succeeded, succeeded_ns),
            fail: timed(failed, failed_ns),
            queue: timed(succeeded, 0),
            compute_input: timed(succeeded, 0),
            compute_infer: timed(succeeded, succeeded_ns),
            compute_output: timed(succeeded, 0),
            cache_hit: timed(0, 0),
            cache_miss: timed(0, 0),
        }),
        ..Default::default()
    }
}

/// Every version that is told of; a model without any has a line of its own.
pub fn index(table: &Table, only_ready: bool) -> Vec<ModelIndex> {
    let line = |line: IndexLine<'_>| ModelIndex {
        name: line.name.to_owned(),
        version: line.version.map(|version| version.to_string()).unwrap_or_default(),
        state: line.state.to_owned(),
        reason: line.reason.to_owned(),
    };
    table.index(only_ready).into_iter().map(line).collect()
}
