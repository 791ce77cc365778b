//! How messages are read and written in all calls: prost's way, with a bound on the memory that a large one takes once
//! it is read. Absent on purpose: compression, and how long a message may be, which are the server's.

use std::marker::PhantomData;

use prost::bytes::{Buf as _, Bytes};
use prost::{Message, Name};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::ProstEncoder;

use super::weight::weigh;

/// Bytes up to which a message is read as it is: at its worst it takes some megabytes.
const SMALL: usize = 64 << 10;
/// Bytes of memory that one message may take: 64 MiB of numbers, or the four million values that a request may have.
const MOST: usize = 512 << 20;

/// How the text begins that says that a message could not be read.
pub const UNREADABLE: &str = "the message is no ";

/// Writes `E` and reads `D`.
#[derive(Debug)]
pub struct BoundedCodec<E, D>(PhantomData<(E, D)>);

impl<E, D> Default for BoundedCodec<E, D> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E, D> Codec for BoundedCodec<E, D>
where
    E: Message + Send + 'static,
    D: Message + Name + Default + Send + 'static,
{
    type Encode = E;
    type Decode = D;
    type Encoder = ProstEncoder<E>;
    type Decoder = BoundedDecoder<D>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(PhantomData)
    }
}

/// Reads `D`.
#[derive(Debug)]
pub struct BoundedDecoder<D>(PhantomData<D>);

impl<D: Message + Name + Default> Decoder for BoundedDecoder<D> {
    type Item = D;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<D>, Status> {
        let message = buffer.copy_to_bytes(buffer.remaining());
        read(message).map(Some)
    }
}

fn read<D: Message + Name + Default>(message: Bytes) -> Result<D, Status> {
    let heavy = |_| {
        let mib = MOST >> 20;
        Status::resource_exhausted(format!(
            "the message would take more than {mib} MiB once read; send several"
        ))
    };
    if message.len() > SMALL {
        weigh(&D::full_name(), &message, MOST).map_err(heavy)?;
    }
    // The reader's own words may hold what was sent.
    D::decode(message).map_err(|_| Status::invalid_argument(format!("{UNREADABLE}{}", D::full_name())))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::wire::inference::ModelInferRequest;
    use crate::wire::inference::model_infer_request::InferInputTensor;

    #[test]
    fn a_message_is_read_whole_or_refused_for_what_it_is() {
        let request = |inputs| ModelInferRequest {
            inputs: vec![InferInputTensor::default(); inputs],
            ..ModelInferRequest::default()
        };
        for inputs in [0, 1, 50_000] {
            let bytes = Bytes::from(request(inputs).encode_to_vec());
            assert_eq!(read::<ModelInferRequest>(bytes).unwrap().inputs.len(), inputs);
        }
        let heavy = Bytes::from([0x2a, 0].repeat(8 << 20));
        assert_eq!(read::<ModelInferRequest>(heavy).unwrap_err().code(), Code::ResourceExhausted);
        let none = read::<ModelInferRequest>(Bytes::from_static(b"\xffsecret")).unwrap_err();
        assert_eq!(
            (none.code(), none.message()),
            (Code::InvalidArgument, "the message is no inference.ModelInferRequest")
        );
    }
}
