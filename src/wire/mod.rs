//! The messages, clients and server traits of `proto/`, as `build.rs` made them; one message is written by hand
//! (`predict_request` says why), and how messages are read is our own (`codec`). Absent on purpose: what the messages
//! mean, which is in the rooms above.

pub mod codec;
pub mod predict_request;
mod weight;

/// Every file of `proto/` and what it imports, as an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The files of `proto/` by the path under which they import each other.
pub const FILES: &[(&str, &str)] = &[
    ("google/rpc/error_details.proto", include_str!("../../proto/google/rpc/error_details.proto")),
    ("google/rpc/status.proto", include_str!("../../proto/google/rpc/status.proto")),
    ("inference/grpc_service.proto", include_str!("../../proto/inference/grpc_service.proto")),
    ("inference/model_config.proto", include_str!("../../proto/inference/model_config.proto")),
    ("tensorflow/error_codes.proto", include_str!("../../proto/tensorflow/error_codes.proto")),
    ("tensorflow/framework.proto", include_str!("../../proto/tensorflow/framework.proto")),
    ("tensorflow/serving.proto", include_str!("../../proto/tensorflow/serving.proto")),
    ("tollgate/v1/decisions.proto", include_str!("../../proto/tollgate/v1/decisions.proto")),
];

pub mod google {
    //! Public packages of Google's.

    pub mod rpc {
        //! How errors carry their details.
        include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
    }
}

pub mod inference {
    //! The Open Inference Protocol, with Triton's further calls.
    include!(concat!(env!("OUT_DIR"), "/inference.rs"));
}

pub mod tensorflow {
    //! What TensorFlow Serving's clients send and get.
    include!(concat!(env!("OUT_DIR"), "/tensorflow.rs"));

    pub mod error {
        //! Codes of a status.
        include!(concat!(env!("OUT_DIR"), "/tensorflow.error.rs"));
    }

    pub mod serving {
        //! The services.
        include!(concat!(env!("OUT_DIR"), "/tensorflow.serving.rs"));
    }
}

pub mod tollgate {
    //! Our own packages.

    pub mod v1 {
        //! Decisions over gRPC.
        include!(concat!(env!("OUT_DIR"), "/tollgate.v1.rs"));
    }
}
