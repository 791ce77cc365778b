"""A client made from what `tollgate proto FLOW` prints, and nothing else, against a running service.

Usage: flow_grpc.py HOST:PORT CONTRACT.proto CASES.json
CASES.json: {"cases": [{"facts": {…}, "outcome": "…", "reasons": […], "output": {…}, "scores": {…}}]}: what REST
answered to the same facts.
"""

import importlib
import json
import pathlib
import sys
import tempfile

import grpc
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_tools import protoc

PACKAGE = "tollgate.flows.personal_loan.v1"


def check(name, holds):
    assert holds, name
    print("ok", name)


def generated(contract):
    """The two modules that protoc makes of a contract."""
    folder = tempfile.mkdtemp()
    path = pathlib.Path(contract)
    google = pathlib.Path(protoc.__file__).parent / "_proto"
    arguments = ["protoc", f"-I{path.parent}", f"-I{google}", f"--python_out={folder}",
                 f"--grpc_python_out={folder}", str(path)]
    assert protoc.main(arguments) == 0, "protoc refused the contract"
    sys.path.insert(0, folder)
    return importlib.import_module(f"{path.stem}_pb2"), importlib.import_module(f"{path.stem}_pb2_grpc")


def facts(messages, given):
    made = messages.Facts()
    for name, value in given.items():
        setattr(made, name, value)
    return made


def output(decision):
    return {field.name: value for field, value in decision.output.ListFields()}


def same(decision, case):
    near = {name: float(score) for name, score in decision.scores.items()}
    return (
        decision.outcome == case["outcome"]
        and [reason.code for reason in decision.reasons] == case["reasons"]
        and output(decision) == case["output"]
        and near == case["scores"]
    )


def reflected(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    ask = reflection_pb2.ServerReflectionRequest
    names, found = stub.ServerReflectionInfo(iter([
        ask(list_services=""), ask(file_containing_symbol=f"{PACKAGE}.PersonalLoan"),
    ]))
    services = {one.name for one in names.list_services_response.service}
    file = descriptor_pb2.FileDescriptorProto.FromString(
        found.file_descriptor_response.file_descriptor_proto[0]
    )
    return services, file


def main():
    address, contract, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    messages, services = generated(contract)
    channel = grpc.insecure_channel(address)
    stub = services.PersonalLoanStub(channel)

    for case in cases[:50]:
        decision, call = stub.Decide.with_call(
            messages.DecideRequest(facts=facts(messages, case["facts"]), reference="typed"), timeout=20
        )
        assert same(decision, case), (decision, case)
        assert decision.state == messages.STATE_DECIDED and decision.reference == "typed"
    check("Decide", True)
    check("metadata of an answer", any(key == "x-request-id" for key, _ in call.initial_metadata()))

    questions = (messages.DecideRequest(facts=facts(messages, case["facts"])) for case in cases)
    replies = list(stub.DecideStream(questions, timeout=120))
    check("DecideStream", len(replies) == len(cases) and all(
        same(reply.decision, case) for reply, case in zip(replies, cases)
    ))

    wrong = messages.DecideRequest(facts=facts(messages, cases[0]["facts"] | {"amount": "a lot"}))
    try:
        stub.Decide(wrong)
        raise AssertionError("a wrong amount was taken")
    except grpc.RpcError as error:
        told = dict(error.trailing_metadata())
        check("a problem", error.code() == grpc.StatusCode.INVALID_ARGUMENT)
        check("its details", b"facts.amount" in told["grpc-status-details-bin"])

    unknown = messages.Facts.FromString(facts(messages, cases[0]["facts"]).SerializeToString() + b"\xf8\xff\x01\x01")
    try:
        stub.Decide(messages.DecideRequest(facts=unknown))
        raise AssertionError("a field that the flow does not have was passed over")
    except grpc.RpcError as error:
        check("an unknown field", error.code() == grpc.StatusCode.INVALID_ARGUMENT)

    names, file = reflected(channel)
    check("reflection lists the services", {f"{PACKAGE}.PersonalLoan", "tollgate.v1.Decisions"} <= names)
    known = {message.name: message for message in file.message_type}
    printed = {field.name: field.number for field in messages.Facts.DESCRIPTOR.fields}
    check("reflection has the printed numbers",
          {field.name: field.number for field in known["Facts"].field} == printed)
    print("all calls answered")


main()
