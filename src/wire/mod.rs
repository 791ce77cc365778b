//! The messages, clients and server traits of `proto/`, as `build.rs` made them. Absent on purpose: anything written by
//! hand; what the messages mean is in the rooms above.

/// Every file of `proto/` and what it imports, as an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

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
