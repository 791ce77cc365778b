//! What the Open Inference Protocol tells of a server and its models: metadata, configuration, statistics, the
//! repository's index.

use serde_json::{Value as Json, json};

use crate::learn::library::VersionPolicy;
use crate::predict::{Datatype, IndexLine, Servable, ServedModel, Statistics, Table, TensorSpec};

pub(super) fn server() -> Json {
    json!({
        "name": "tollgate",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": ["binary_tensor_data", "model_configuration", "model_repository", "statistics"],
    })
}

pub(super) fn metadata(servable: &Servable, model: Option<&ServedModel>) -> Json {
    let tensor = |spec: &TensorSpec| json!({ "name": &*spec.name, "datatype": spec.datatype.open_inference(), "shape": [-1] });
    json!({
        "name": &*servable.name,
        "versions": available(model),
        "platform": "tollgate",
        "inputs": servable.inputs.iter().map(tensor).collect::<Vec<_>>(),
        "outputs": [tensor(&servable.output)],
    })
}

fn available(model: Option<&ServedModel>) -> Vec<String> {
    let versions = model.into_iter().flat_map(|model| &model.versions);
    versions.filter(|(_, version)| version.servable.is_some()).map(|(number, _)| number.to_string()).collect()
}

/// The first dimension of every tensor is the rows, so there is no batch beside it.
pub(super) fn config(servable: &Servable, model: Option<&ServedModel>) -> Json {
    let tensor = |spec: &TensorSpec| {
        let data_type = match spec.datatype {
            Datatype::Bool => "TYPE_BOOL",
            Datatype::Int64 => "TYPE_INT64",
            Datatype::Fp64 => "TYPE_FP64",
            Datatype::Bytes => "TYPE_STRING",
        };
        json!({ "name": &*spec.name, "data_type": data_type, "dims": [-1] })
    };
    let policy = match model.map(ServedModel::policy).unwrap_or_default() {
        VersionPolicy::Latest(count) => json!({ "latest": { "num_versions": count } }),
        VersionPolicy::All => json!({ "all": {} }),
        VersionPolicy::Versions(versions) => json!({ "specific": { "versions": versions } }),
    };
    json!({
        "name": &*servable.name,
        "platform": "tollgate",
        "backend": "tollgate",
        "version_policy": policy,
        "max_batch_size": 0,
        "input": servable.inputs.iter().map(tensor).collect::<Vec<_>>(),
        "output": [tensor(&servable.output)],
        "parameters": {
            "version": { "string_value": servable.version.to_string() },
            "digest": { "string_value": &*servable.digest },
        },
    })
}

/// Counts of these versions. Nothing waits in a queue, and reading and writing tensors is no time of the model's.
pub(super) fn statistics<'a>(servables: impl Iterator<Item = &'a Servable>) -> Json {
    let one = |servable: &Servable| {
        let Statistics { rows, succeeded, succeeded_ns, failed, failed_ns, last_ms } =
            servable.meters().statistics();
        let timed = |count: u64, ns: u64| json!({ "count": count, "ns": ns });
        json!({
            "name": &*servable.name,
            "version": servable.version.to_string(),
            "last_inference": last_ms,
            "inference_count": rows,
            "execution_count": succeeded,
            "inference_stats": {
                "success": timed(succeeded, succeeded_ns),
                "fail": timed(failed, failed_ns),
                "queue": timed(succeeded, 0),
                "compute_input": timed(succeeded, 0),
                "compute_infer": timed(succeeded, succeeded_ns),
                "compute_output": timed(succeeded, 0),
                "cache_hit": timed(0, 0),
                "cache_miss": timed(0, 0),
            },
            "batch_stats": [],
            "memory_usage": [],
        })
    };
    json!({ "model_stats": servables.map(one).collect::<Vec<_>>() })
}

/// Every version that is told of; a model without any has a line of its own.
pub(super) fn index(table: &Table, only_ready: bool) -> Json {
    let line = |line: IndexLine<'_>| match line.version {
        None => json!({ "name": line.name, "state": line.state, "reason": line.reason }),
        Some(version) => json!({
            "name": line.name, "version": version.to_string(), "state": line.state, "reason": line.reason,
        }),
    };
    Json::Array(table.index(only_ready).into_iter().map(line).collect())
}
