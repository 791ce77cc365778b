"""TensorFlow Serving's gRPC calls with stubs that were made from its own files, against a running service.

Usage: PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python tensorflow_grpc.py HOST:PORT ROWS.json
ROWS.json: {"rows": [{input: value}], "expected": {"1": [probability], "2": […]}} for the model german_credit.
"""

import json
import struct
import sys

import grpc
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

MODEL = "german_credit"


def check(name, holds):
    assert holds, name
    print("ok", name)


def refused(call, code, text):
    try:
        call()
    except grpc.RpcError as error:
        told = (error.code().name, error.details())
        assert told == (code, text), (told, (code, text))
        print("ok", "refused:", text)
        return
    raise AssertionError(f"it was not refused: {text}")


def tensor(values, raw):
    made = tensor_pb2.TensorProto()
    made.tensor_shape.dim.add(size=len(values))
    if isinstance(values[0], str):
        made.dtype = types_pb2.DT_STRING
        made.string_val.extend(value.encode() for value in values)
    elif isinstance(values[0], int):
        made.dtype = types_pb2.DT_INT64
        if raw:
            made.tensor_content = struct.pack(f"<{len(values)}q", *values)
        else:
            made.int64_val.extend(values)
    else:
        made.dtype = types_pb2.DT_DOUBLE
        if raw:
            made.tensor_content = struct.pack(f"<{len(values)}d", *values)
        else:
            made.double_val.extend(values)
    return made


def spec(request, version=None, label=None, name=MODEL):
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    return request


def columns(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


def question(rows, raw=False, **of):
    request = spec(predict_pb2.PredictRequest(), **of)
    for name, values in columns(rows).items():
        request.inputs[name].CopyFrom(tensor(values, raw))
    return request


def examples(request, rows, **of):
    spec(request, **of)
    for row in rows:
        features = request.input.example_list.examples.add().features.feature
        for name, value in row.items():
            if isinstance(value, str):
                features[name].bytes_list.value.append(value.encode())
            elif isinstance(value, int):
                features[name].int64_list.value.append(value)
            else:
                features[name].float_list.value.append(value)
    return request


def predicting(stub, rows, expected):
    for version, wanted in expected.items():
        for raw in (False, True):
            answer = stub.Predict(question(rows, raw, version=int(version)))
            got = list(answer.outputs["probability"].double_val)
            check(f"Predict {version} {raw}", got == wanted)
            check("its version", answer.model_spec.version.value == int(version))
    check("Predict by label", list(stub.Predict(question(rows, label="champion"))
                                   .outputs["probability"].double_val) == expected["1"])
    latest = question(rows)
    latest.output_filter.append("probability")
    check("Predict the latest", stub.Predict(latest).model_spec.version.value == 2)


def classifying(stub, rows, expected):
    near = lambda one, other: abs(one - other) < 1e-6
    answer = stub.Classify(examples(classification_pb2.ClassificationRequest(), rows, version=1))
    scores = [[one.score for one in row.classes] for row in answer.result.classifications]
    check("Classify", all(near(pair[1], wanted) and near(sum(pair), 1) for pair, wanted
                          in zip(scores, expected["1"])))
    check("its labels", [one.label for one in answer.result.classifications[0].classes] == ["0", "1"])
    answer = stub.Regress(examples(regression_pb2.RegressionRequest(), rows, version=1))
    values = [one.value for one in answer.result.regressions]
    check("Regress", all(near(value, wanted) for value, wanted in zip(values, expected["1"])))
    several = inference_pb2.MultiInferenceRequest()
    for method in ("classify", "regress"):
        task = several.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name = MODEL
        task.model_spec.version.value = 1
    several.input.CopyFrom(examples(regression_pb2.RegressionRequest(), rows).input)
    results = stub.MultiInference(several).results
    check("MultiInference", [one.WhichOneof("result") for one in results]
          == ["classification_result", "regression_result"])


def metadata(stub):
    request = spec(get_model_metadata_pb2.GetModelMetadataRequest(), version=1)
    request.metadata_field.append("signature_def")
    answer = stub.GetModelMetadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    check("its type", answer.metadata["signature_def"].Unpack(signatures))
    signature = signatures.signature_def["serving_default"]
    check("GetModelMetadata", signature.inputs["duration_months"].dtype == types_pb2.DT_INT64
          and signature.outputs["probability"].dtype == types_pb2.DT_DOUBLE)


def errors(stub, rows):
    refused(lambda: stub.Predict(question(rows, name="nope")), "NOT_FOUND",
            "Servable not found for request: Latest(nope)")
    refused(lambda: stub.Predict(question(rows, version=9)), "NOT_FOUND",
            f"Servable not found for request: Specific({MODEL}, 9)")
    refused(lambda: stub.Predict(question(rows, label="nope")), "INVALID_ARGUMENT",
            "Unrecognized servable version label: nope")
    refused(lambda: stub.Predict(predict_pb2.PredictRequest()), "INVALID_ARGUMENT", "Missing ModelSpec")
    other = question(rows)
    other.model_spec.signature_name = "x"
    refused(lambda: stub.Predict(other), "INVALID_ARGUMENT",
            'Serving signature name: "x" not found in signature def')


def serving(stub, predict, rows):
    status = lambda: {one.version: one.state for one in
                      stub.GetModelStatus(spec(get_model_status_pb2.GetModelStatusRequest())).model_version_status}
    check("GetModelStatus", status() == {1: 30, 2: 30})
    refused(lambda: stub.GetModelStatus(spec(get_model_status_pb2.GetModelStatusRequest(), name="nope")),
            "NOT_FOUND", "Could not find any versions of model nope")
    request = model_management_pb2.ReloadConfigRequest()
    one = request.config.model_config_list.config.add(name=MODEL, base_path=f"/models/{MODEL}")
    one.model_version_policy.specific.versions.append(1)
    one.version_labels["stable"] = 1
    answer = stub.HandleReloadConfigRequest(request)
    check("HandleReloadConfigRequest", answer.status.error_code == 0)
    check("only that version serves", status()[1] == 30 and status()[2] == 50)
    check("under the new label", predict.Predict(question(rows, label="stable")).model_spec.version.value == 1)
    one.version_labels["stable"] = 7
    try:
        stub.HandleReloadConfigRequest(request)
        raise AssertionError("a label of no version was taken")
    except grpc.RpcError as error:
        check("a label of no version", error.code().name == "FAILED_PRECONDITION")
    check("nothing changed", status()[1] == 30)


def main():
    address, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        given = json.load(file)
    rows, expected = given["rows"], given["expected"]
    channel = grpc.insecure_channel(address)
    predict = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    predicting(predict, rows, expected)
    classifying(predict, rows, expected)
    metadata(predict)
    errors(predict, rows)
    serving(model_service_pb2_grpc.ModelServiceStub(channel), predict, rows)
    print("all calls answered")


main()
