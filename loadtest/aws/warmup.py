"""One invocation before a run: what it fails with explains itself, instead of failing each request of the run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import botocore.exceptions

from loadtest.aws.clients import (
    UNANSWERED,
    Clients,
    aws_words,
    code_of,
    is_forbidden,
    is_unknown_sender,
    is_unreachable,
    status_of,
)
from loadtest.errors import TargetError
from loadtest.jobs.arn import partition_of
from loadtest.targets.resolve import PARAMETERS

__all__ = ["warm_up"]

_COLD = "ModelNotReadyException"
_HINTS: Mapping[int, str] = {
    424: "the model's container failed: the endpoint's log group /aws/sagemaker/Endpoints/{name} has its words",
    530: "a service that SageMaker depends on failed, not the model",
}


def warm_up(clients: Clients, name: str, body: bytes, content_type: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """answer: "ok", "cold" (429 ModelNotReadyException: loading, not throttled), "model-error" (424),
    "dependency" (530) or "failed"; status, ms as this client saw it, words: AWS's, "" of a success.

    Raises TargetError if no request of a run could succeed: not permitted, unknown endpoint or variant, refused
    credentials, nobody who takes the connection.
    """
    parameters = {PARAMETERS[option]: options[option] for option in PARAMETERS if options.get(option) is not None}
    runtime = clients.client("sagemaker-runtime")
    began_s = time.perf_counter()

    def found(answer: str, status: int, words: str = "") -> dict[str, Any]:
        return {
            "answer": answer,
            "status": status,
            "ms": round((time.perf_counter() - began_s) * 1000, 3),
            "words": words,
        }

    sent = {"EndpointName": name, "Body": body, "ContentType": content_type, **parameters}
    try:
        if options.get("stream"):
            for _ in runtime.invoke_endpoint_with_response_stream(**sent)["Body"]:
                pass
        else:
            runtime.invoke_endpoint(**sent)["Body"].read()
        return found("ok", 200)
    except botocore.exceptions.ParamValidationError as problem:
        raise TargetError(f"sagemaker:{name}: {problem}") from problem
    except UNANSWERED as problem:
        status = status_of(problem)
        words = aws_words(problem)
        _end_if_hopeless(clients, name, problem, words)
        if code_of(problem) == _COLD:
            return found("cold", status, words)
        if status in _HINTS:
            answer = "model-error" if status == 424 else "dependency"
            return found(answer, status, f"{words}; {_HINTS[status].format(name=name)}")
        return found("failed", status, words)


def _end_if_hopeless(clients: Clients, name: str, problem: Exception, words: str) -> None:
    if is_unreachable(problem):
        raise TargetError(f"the endpoint {name} cannot be reached: {words}") from problem
    if is_forbidden(problem):
        action = "sagemaker:InvokeEndpoint"
        where = f"arn:{partition_of(clients.region)}:sagemaker:{clients.region}:*:endpoint/{name}"
        raise TargetError(f"AWS does not permit {action} on {where}: {words}") from problem
    if is_unknown_sender(problem):
        raise TargetError(f"AWS does not take the credentials: {words}") from problem
    if code_of(problem) in ("ValidationError", "ValidationException"):
        rule = f"looked for in region {clients.region}, in the account of these credentials"
        raise TargetError(f"the endpoint {name} does not take requests ({rule}): {words}") from problem
