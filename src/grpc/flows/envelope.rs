//! What stands round a flow's own messages on the wire, with those left as bytes; and the codec that leaves a whole
//! message as bytes. The numbers are those of `print`'s text; a test holds the two together.

use prost::bytes::{Buf as _, BufMut as _};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

#[derive(Clone, PartialEq, prost::Message)]
pub struct DecideRequest {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub facts: Option<Vec<u8>>,
    #[prost(string, optional, tag = "2")]
    pub market: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub reference: Option<String>,
    #[prost(int32, tag = "4")]
    pub trace: i32,
    #[prost(bool, tag = "5")]
    pub dry_run: bool,
    #[prost(string, optional, tag = "6")]
    pub idempotency_key: Option<String>,
    #[prost(string, repeated, tag = "7")]
    pub unavailable: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ContinueRequest {
    #[prost(string, tag = "1")]
    pub decision_id: String,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub facts: Option<Vec<u8>>,
    #[prost(int32, tag = "3")]
    pub trace: i32,
    #[prost(string, repeated, tag = "4")]
    pub unavailable: Vec<String>,
}

/// The flow's part of a decision. Everything else has the numbers of `tollgate.v1.Decision`, so the bytes of the two
/// behind each other are the whole message.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Output {
    #[prost(bytes = "vec", optional, tag = "10")]
    pub output: Option<Vec<u8>>,
}

/// One of the two is there.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Reply {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub decision: Option<Vec<u8>>,
    #[prost(message, optional, tag = "2")]
    pub problem: Option<crate::wire::google::rpc::Status>,
}

/// Messages as bytes, in and out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; from.remaining()];
        from.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}
