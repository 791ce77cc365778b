"""Every gRPC call of NVIDIA's own client for the Open Inference Protocol, against a running service.

Usage: triton_grpc.py HOST:PORT ROWS.json [balanced]
ROWS.json: {"rows": [{input: value}], "expected": {"1": [probability], "2": […]}} for the model german_credit.
`balanced`: several services stand behind the address; what counts or changes one of them alone is left out.
Prints one line for each call; any surprise ends it with an exit code other than 0.
"""

import json
import queue
import sys
import threading

import numpy as np
import tritonclient.grpc as grpc
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

MODEL = "german_credit"
TYPES = {"INT64": np.int64, "FP64": np.float64, "BYTES": np.object_}
LISTS = {"INT64": "int64_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents"}


def tensors(metadata, rows):
    made = []
    for spec in metadata.inputs:
        array = np.array([row[spec.name] for row in rows], dtype=TYPES[spec.datatype])
        tensor = grpc.InferInput(spec.name, [len(rows)], spec.datatype)
        tensor.set_data_from_numpy(array)
        made.append(tensor)
    return made


def lists(metadata, rows, version):
    """The same as typed contents, which this client never sends by itself."""
    request = service_pb2.ModelInferRequest(model_name=MODEL, model_version=version, id="l-1")
    for spec in metadata.inputs:
        tensor = request.inputs.add(name=spec.name, datatype=spec.datatype, shape=[len(rows)])
        values = [row[spec.name] for row in rows]
        if spec.datatype == "BYTES":
            values = [value.encode() for value in values]
        getattr(tensor.contents, LISTS[spec.datatype]).extend(values)
    return request


def refused(call, part, code):
    try:
        call()
    except InferenceServerException as error:
        assert part in str(error), f"{part!r} is not in {error}"
        assert error.status() == f"StatusCode.{code}", (error.status(), code)
        return
    raise AssertionError(f"it was not refused: {part}")


def check(name, holds):
    assert holds, name
    print("ok", name)


def asking(client, metadata, rows, expected):
    for version, wanted in expected.items():
        for outputs in (None, [grpc.InferRequestedOutput("probability")]):
            result = client.infer(
                MODEL, tensors(metadata, rows), model_version=version, outputs=outputs, request_id="r-1"
            )
            check(f"infer {version}", result.as_numpy("probability").tobytes() == wanted.tobytes())
            response = result.get_response()
            check("infer's id and version", (response.id, response.model_version) == ("r-1", version))
        response = client._client_stub.ModelInfer(lists(metadata, rows, version))
        got = np.array(response.outputs[0].contents.fp64_contents)
        check("typed contents", got.tobytes() == wanted.tobytes() and not response.raw_output_contents)
    compressed = client.infer(MODEL, tensors(metadata, rows), client_timeout=5.0)
    check("infer without a version", compressed.as_numpy("probability").tobytes() == expected["2"].tobytes())
    answers = queue.Queue()
    for _ in range(8):
        client.async_infer(
            MODEL, tensors(metadata, rows), callback=lambda result, error: answers.put((result, error)),
            model_version="1",
        )
    for _ in range(8):
        result, error = answers.get(timeout=20)
        check("async_infer", error is None and
              result.as_numpy("probability").tobytes() == expected["1"].tobytes())


def streaming(client, metadata, rows, expected):
    answers, done = [], threading.Event()

    def take(result, error):
        answers.append((result, error))
        if len(answers) == 21:
            done.set()

    client.start_stream(callback=take)
    for at in range(20):
        client.async_stream_infer(
            MODEL, tensors(metadata, rows[at:at + 1]), model_version="1", request_id=str(at)
        )
        if at == 9:
            client.async_stream_infer("nope", tensors(metadata, rows[:1]), request_id="bad")
    check("start_stream, async_stream_infer", done.wait(20))
    client.stop_stream()
    errors = [error for _, error in answers if error is not None]
    check("an error in a stream", len(errors) == 1 and "'nope' is not found" in str(errors[0]))
    good = [result for result, error in answers if error is None]
    order = [result.get_response().id for result in good]
    check("a stream keeps the order", order == [str(at) for at in range(20)])
    got = np.concatenate([result.as_numpy("probability") for result in good])
    check("a stream's answers", got.tobytes() == expected["1"][:20].tobytes())


def of_one_service(client):
    counts = client.get_inference_statistics(MODEL, "1").model_stats[0]
    check("get_inference_statistics", counts.inference_stats.success.count >= 31)
    check("get_inference_statistics of all", len(client.get_inference_statistics().model_stats) == 2)
    index = client.get_model_repository_index().models
    check("get_model_repository_index", [line.state for line in index] == ["READY", "READY"])
    client.unload_model(MODEL)
    check("unload_model", not client.is_model_ready(MODEL))
    gone = {line.state for line in client.get_model_repository_index().models}
    check("index after it", gone == {"UNAVAILABLE"})
    client.load_model(MODEL)
    check("load_model", client.is_model_ready(MODEL))
    refused(lambda: client.load_model("nope"), "failed to poll from model repository", "INVALID_ARGUMENT")
    refused(lambda: client.load_model(MODEL, config="{}"), "no configuration or file", "UNIMPLEMENTED")


def main():
    address, path, *several = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        given = json.load(file)
    rows, expected = given["rows"], {version: np.array(v) for version, v in given["expected"].items()}
    client = grpc.InferenceServerClient(address)

    check("is_server_live", client.is_server_live())
    check("is_server_ready", client.is_server_ready())
    check("is_model_ready", client.is_model_ready(MODEL) and client.is_model_ready(MODEL, "1"))
    check("is_model_ready of an unknown model", not client.is_model_ready("nope"))
    server = client.get_server_metadata()
    check("get_server_metadata", server.name == "tollgate" and "binary_tensor_data" in server.extensions)
    metadata = client.get_model_metadata(MODEL)
    check("get_model_metadata", list(metadata.versions) == ["1", "2"])
    check("get_model_metadata as JSON", client.get_model_metadata(MODEL, "1", as_json=True)["name"] == MODEL)
    config = client.get_model_config(MODEL, "2").config
    check("get_model_config", config.name == MODEL and config.output[0].data_type == 12)

    asking(client, metadata, rows, expected)
    streaming(client, metadata, rows, expected)

    holey = [dict(row) for row in rows]
    holey[0]["amount"] = float("nan")
    ask = client.infer
    refused(lambda: ask(MODEL, tensors(metadata, holey)), "row 0: the model needs `amount`", "INVALID_ARGUMENT")
    refused(lambda: ask(MODEL, tensors(metadata, rows)[1:]), "input size does not match", "INVALID_ARGUMENT")
    refused(lambda: ask("nope", tensors(metadata, rows)), "'nope' is not found", "NOT_FOUND")
    refused(lambda: ask(MODEL, tensors(metadata, rows), model_version="x"), "integral value", "INVALID_ARGUMENT")
    refused(lambda: client.get_model_metadata(MODEL, "9"), "version 9 is not found", "NOT_FOUND")
    check("errors", True)

    if several != ["balanced"]:
        of_one_service(client)

    check("shared memory status", not client.get_system_shared_memory_status().regions)
    check("cuda shared memory status", not client.get_cuda_shared_memory_status().regions)
    client.unregister_system_shared_memory()
    client.unregister_cuda_shared_memory()
    absent = "UNIMPLEMENTED"
    refused(lambda: client.register_system_shared_memory("r", "/r", 8), "shared memory is not supported", absent)
    refused(lambda: client.get_trace_settings(), "the trace extension is not supported", absent)
    refused(lambda: client.update_trace_settings(settings={"trace_rate": "1"}), "the trace extension", absent)
    refused(lambda: client.get_log_settings(), "the logging extension is not supported", absent)
    refused(lambda: client.update_log_settings({"log_info": True}), "the logging extension", absent)
    check("what is not here says so", True)
    client.close()
    print("all calls answered")


main()
