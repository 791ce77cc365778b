"""TensorFlow Serving's own package, with TensorFlow's tensors, against a running service with the sample model.

Usage: tensorflow_own.py HOST:PORT GERMAN_CREDIT.csv (see tensorflow-own.sh)
"""

import csv
import sys

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

MODEL = "german_credit"


def main():
    address, path = sys.argv[1:]
    channel = grpc.insecure_channel(address)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = MODEL
    request.metadata_field.append("signature_def")
    found = get_model_metadata_pb2.SignatureDefMap()
    assert stub.GetModelMetadata(request).metadata["signature_def"].Unpack(found)
    inputs = found.signature_def["serving_default"].inputs

    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:100]
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    for name, info in inputs.items():
        dtype = tf.dtypes.as_dtype(info.dtype)
        values = [row[name] for row in rows]
        values = values if dtype == tf.string else [dtype.as_numpy_dtype(value) for value in values]
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values, dtype=dtype, shape=[len(rows)]))
    answer = stub.Predict(request)
    scores = tf.make_ndarray(answer.outputs["probability"])
    assert scores.shape == (100,) and ((scores > 0) & (scores < 1)).all()
    print("ok Predict", answer.model_spec.version.value, scores[:3])

    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = MODEL
    for row in rows:
        features = {}
        for name, info in inputs.items():
            if info.dtype == tf.string.as_datatype_enum:
                features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[row[name].encode()]))
            else:
                features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[float(row[name])]))
        example = tf.train.Example(features=tf.train.Features(feature=features))
        request.input.example_list.examples.add().CopyFrom(example)
    classes = stub.Classify(request).result.classifications
    assert all(abs(one.classes[1].score - score) < 1e-6 for one, score in zip(classes, scores))
    print("ok Classify")

    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = MODEL
    status = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request)
    print("ok GetModelStatus", [(one.version, one.state) for one in status.model_version_status])
    print("all calls answered")


main()
