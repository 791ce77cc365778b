"""Writes the row as gRPC bodies, one for each protocol: five bytes of framing and the message.

    python frame.py FOLDER        # where fit.py wrote row.json
"""

import json
import pathlib
import struct
import sys
import tempfile

import grpc_tools
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).parents[2]


def compiled():
    out = tempfile.mkdtemp()
    own = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    files = ["inference/grpc_service.proto", "inference/model_config.proto", "tensorflow/serving.proto",
             "tensorflow/framework.proto", "tensorflow/error_codes.proto"]
    arguments = ["protoc", f"-I{ROOT / 'proto'}", f"-I{own}", f"--python_out={out}", *files]
    if protoc.main(arguments) != 0:
        sys.exit("proto/ does not compile")
    sys.path.insert(0, out)


def write(path, message):
    body = message.SerializeToString()
    path.write_bytes(struct.pack(">BI", 0, len(body)) + body)


def main():
    compiled()
    from inference import grpc_service_pb2
    from tensorflow import framework_pb2, serving_pb2

    folder = pathlib.Path(sys.argv[1])
    row = json.loads((folder / "row.json").read_text())

    infer = grpc_service_pb2.ModelInferRequest(model_name="race")
    predict = serving_pb2.PredictRequest()
    predict.model_spec.name = "race"
    for name, value in row.items():
        is_text = isinstance(value, str)
        tensor = infer.inputs.add(name=name, datatype="BYTES" if is_text else "FP64", shape=[1])
        asked = predict.inputs[name]
        asked.tensor_shape.dim.add(size=1)
        if is_text:
            tensor.contents.bytes_contents.append(value.encode())
            asked.dtype = framework_pb2.DT_STRING
            asked.string_val.append(value.encode())
        else:
            tensor.contents.fp64_contents.append(value)
            asked.dtype = framework_pb2.DT_DOUBLE
            asked.double_val.append(value)
    write(folder / "infer.bin", infer)
    write(folder / "predict.bin", predict)


if __name__ == "__main__":
    main()
