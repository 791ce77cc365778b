//! Makes the code of `src/wire/` and the descriptors for server reflection from `proto/`, without `protoc`. Absent on
//! purpose: downloads, and anything but the contracts.

use std::error::Error;
use std::path::PathBuf;

const PROTOS: &[&str] = &[
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
    "inference/grpc_service.proto",
    "tensorflow/serving.proto",
    "tollgate/v1/decisions.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(PROTOS)?;
    // With comments for the generated code, without for those who ask the running server.
    let described = compiler.file_descriptor_set();
    let mut config = tonic_prost_build::Config::new();
    config
        .enable_type_names()
        // The message that every prediction reads: `src/wire/predict_request.rs`.
        .extern_path(".tensorflow.serving.PredictRequest", "crate::wire::predict_request::PredictRequest");
    tonic_prost_build::configure()
        .compile_well_known_types(false)
        .codec_path("crate::wire::codec::BoundedCodec")
        .compile_fds_with_config(described, config)?;
    let mut bare = protox::Compiler::new(["proto"])?;
    bare.include_imports(true).open_files(PROTOS)?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), bare.encode_file_descriptor_set())?;
    Ok(())
}
