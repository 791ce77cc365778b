"""Every HTTP call of NVIDIA's own client for the Open Inference Protocol, against a running service.

Usage: triton_http.py HOST:PORT ROWS.json [balanced]
ROWS.json: {"rows": [{input: value}], "expected": {"1": [probability], "2": […]}} for the model german_credit.
`balanced`: several services stand behind the address; what counts or changes one of them alone is left out.
Prints one line for each call; any surprise ends it with an exit code other than 0.
"""

import json
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

MODEL = "german_credit"
TYPES = {"INT64": np.int64, "FP64": np.float64, "BYTES": np.object_}


def tensors(metadata, rows, binary):
    made = []
    for spec in metadata["inputs"]:
        values = [row[spec["name"]] for row in rows]
        array = np.array(values, dtype=TYPES[spec["datatype"]])
        tensor = http.InferInput(spec["name"], [len(rows)], spec["datatype"])
        tensor.set_data_from_numpy(array, binary_data=binary)
        made.append(tensor)
    return made


def refused(call, part):
    try:
        call()
    except InferenceServerException as error:
        assert part in str(error), f"{part!r} is not in {error}"
        return
    raise AssertionError(f"it was not refused: {part}")


def check(name, holds):
    assert holds, name
    print("ok", name)


def of_one_service(client):
    counts = client.get_inference_statistics(MODEL, "1")["model_stats"][0]
    check("get_inference_statistics", counts["inference_stats"]["success"]["count"] >= 14)
    check("get_inference_statistics of all", len(client.get_inference_statistics()["model_stats"]) == 2)
    index = client.get_model_repository_index()
    check("get_model_repository_index", [line["state"] for line in index] == ["READY", "READY"])
    client.unload_model(MODEL)
    check("unload_model", not client.is_model_ready(MODEL))
    check("index after it", {line["state"] for line in client.get_model_repository_index()} == {"UNAVAILABLE"})
    client.load_model(MODEL)
    check("load_model", client.is_model_ready(MODEL))
    refused(lambda: client.load_model("nope"), "failed to poll from model repository")
    refused(lambda: client.load_model(MODEL, config="{}"), "no configuration or file can be sent")


def main():
    address, path, *several = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        given = json.load(file)
    rows, expected = given["rows"], {version: np.array(v) for version, v in given["expected"].items()}
    client = http.InferenceServerClient(address, concurrency=4)

    check("is_server_live", client.is_server_live())
    check("is_server_ready", client.is_server_ready())
    check("is_model_ready", client.is_model_ready(MODEL) and client.is_model_ready(MODEL, "1"))
    check("is_model_ready of an unknown model", not client.is_model_ready("nope"))
    server = client.get_server_metadata()
    check("get_server_metadata", server["name"] == "tollgate" and "binary_tensor_data" in server["extensions"])
    metadata = client.get_model_metadata(MODEL)
    check("get_model_metadata", metadata["versions"] == ["1", "2"])
    check("get_model_metadata of a version", client.get_model_metadata(MODEL, "1")["name"] == MODEL)
    config = client.get_model_config(MODEL, "2")
    check("get_model_config", config["output"][0]["data_type"] == "TYPE_FP64")

    for version, wanted in expected.items():
        for binary in (True, False):
            for asked in (None, True, False):
                outputs = None
                if asked is not None:
                    outputs = [http.InferRequestedOutput("probability", binary_data=asked)]
                inputs = tensors(metadata, rows, binary)
                result = client.infer(
                    MODEL, inputs, model_version=version, outputs=outputs, request_id="r-1"
                )
                got = result.as_numpy("probability")
                check(f"infer {version} {binary} {asked}", got.tobytes() == wanted.tobytes())
                response = result.get_response()
                check("infer's id and version", (response["id"], response["model_version"]) == ("r-1", version))
    latest = client.infer(MODEL, tensors(metadata, rows, True)).as_numpy("probability")
    check("infer without a version", latest.tobytes() == expected["2"].tobytes())
    waiting = [client.async_infer(MODEL, tensors(metadata, rows, True), model_version="1") for _ in range(8)]
    for one in waiting:
        check("async_infer", one.get_result().as_numpy("probability").tobytes() == expected["1"].tobytes())
    body, head = http.InferenceServerClient.generate_request_body(tensors(metadata, rows, True))
    check("generate_request_body", head is not None and len(body) > head)

    holey = [dict(row) for row in rows]
    holey[0]["amount"] = float("nan")
    refused(lambda: client.infer(MODEL, tensors(metadata, holey, True)), "row 0: the model needs `amount`")
    refused(lambda: client.infer(MODEL, tensors(metadata, holey, False)), "row 0: the model needs `amount`")
    refused(lambda: client.infer(MODEL, tensors(metadata, rows, True)[1:]), "input size does not match signature")
    refused(lambda: client.infer("nope", tensors(metadata, rows, True)), "'nope' is not found")
    refused(lambda: client.get_model_metadata(MODEL, "9"), "version 9 is not found")
    check("errors", True)

    if several != ["balanced"]:
        of_one_service(client)

    check("shared memory status", client.get_system_shared_memory_status() == [])
    check("cuda shared memory status", client.get_cuda_shared_memory_status() == [])
    client.unregister_system_shared_memory()
    client.unregister_cuda_shared_memory()
    refused(lambda: client.register_system_shared_memory("r", "/r", 8), "shared memory is not supported")
    refused(lambda: client.get_trace_settings(), "the trace extension is not supported")
    refused(lambda: client.update_trace_settings(settings={"trace_rate": "1"}), "the trace extension is not supported")
    refused(lambda: client.get_log_settings(), "the logging extension is not supported")
    refused(lambda: client.update_log_settings({"log_info": True}), "the logging extension is not supported")
    check("what is not here says so", True)
    client.close()
    print("all calls answered")


main()
