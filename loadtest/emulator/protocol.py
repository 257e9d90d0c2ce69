"""AWS JSON 1.1 without sockets: headers and body to a `Call`; a result or a refusal to a `Reply`.

No I/O and no clock. Whatever bytes come in, the outcome is a Call or a WireError with a 4xx status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from botocore.model import Shape, StructureShape

from loadtest.core.request.spec import Profile
from loadtest.emulator import validate
from loadtest.emulator.model import TARGET_PREFIX, operation
from loadtest.jobs.check import further_problems
from loadtest.jobs.tags import tag_problems

__all__ = ["CONTENT_TYPE", "Call", "Reply", "WireError", "answer", "failure", "operation_name", "parse", "success"]

CONTENT_TYPE = "application/x-amz-json-1.1"

_DEEPEST = 64  # levels of nesting; the deepest request of the model has 8


class WireError(Exception):
    """A call that is answered without reaching the service. code: as `__type` has it; status: of HTTP."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Call:
    """One control-plane request: params are the model's Python types, timestamps float epoch seconds."""

    operation: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def operation_name(target: str) -> str | None:
    """`SageMaker.ListTags` -> `ListTags`; None if the X-Amz-Target is another service's or absent."""
    return target.removeprefix(TARGET_PREFIX) if target.startswith(TARGET_PREFIX) else None


def parse(name: str, body: bytes, *, capacity_bounds: bool = True) -> Call:
    """The call of an operation that `model.operation` knows.

    capacity_bounds: see `validate.violations`. Raises WireError: SerializationException for what is not JSON of the
    right types, ValidationException with every constraint that is broken and, of a new job, whatever else is wrong.
    """
    shape = operation(name).input_shape
    document = _document(body)
    creates = name.startswith("Create")
    try:
        # Unknown members of a job request are kept, because the service reports them with the nearest valid name.
        params = validate.read(document, _shape(shape), keep_unknown=creates)
    except validate.Unreadable as problem:
        raise WireError("SerializationException", str(problem)) from problem
    found = validate.violations(params, _shape(shape), capacity_bounds=capacity_bounds or not creates)
    if found:
        told = [each.text for each in found]
        named = {each.path for each in found}
        if creates:
            profile: Profile = "aws" if capacity_bounds else "relaxed"
            told += map(str, further_problems(params, profile, named))
        elif name == "AddTags":
            told += (str(each) for each in tag_problems(params.get("Tags", ())) if each.path not in named)
        raise WireError("ValidationException", validate.message(told))
    return Call(name, params)


def success(name: str, result: Mapping[str, Any], request_id: str) -> Reply:
    """The answer to a call. An operation without output (Stop) answers with an empty body, as AWS does."""
    shape = operation(name).output_shape
    if shape is None:
        return _reply(200, b"", request_id)
    return _reply(200, _encode(_dressed(result, shape)), request_id)


def answer(document: Mapping[str, Any], request_id: str) -> Reply:
    """The answer to an operation that is none of the service's."""
    return _reply(200, _encode(document), request_id)


def failure(code: str, message: str, status: int, request_id: str) -> Reply:
    """An error as SageMaker sends it: `__type` has the bare code, which is where JSON 1.1 clients look for it."""
    return _reply(status, _encode({"__type": code, "message": message}), request_id)


def _shape(shape: Shape | None) -> StructureShape:
    if not isinstance(shape, StructureShape):
        raise TypeError("every operation here takes a structure")
    return shape


def _document(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        text = body.decode("utf-8")
        document = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in text:
            # A lone surrogate is valid JSON but no text; it would fail later, where UTF-8 is written.
            json.dumps(document, ensure_ascii=False).encode("utf-8")
        if _too_deep(document):
            raise WireError("SerializationException", f"The request is nested more than {_DEEPEST} levels deep")
    except (ValueError, RecursionError) as problem:
        raise WireError("SerializationException", "The request body is not valid JSON") from problem
    if not isinstance(document, dict):
        raise WireError("SerializationException", "Start of structure or map expected")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number


def _too_deep(document: Any) -> bool:
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            return True
        level = [item for value in level if isinstance(value, (dict, list)) for item in _items(value)]
    return False


def _items(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _dressed(result: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """The members of the model and nothing else, so that no internal name can leak onto the wire."""
    if not isinstance(shape, StructureShape):
        raise TypeError("every operation here answers with a structure")
    unknown = sorted(set(result) - set(shape.members))
    if unknown:
        raise ValueError(f"{shape.name} has no member {', '.join(unknown)}")
    return {name: value for name, value in result.items() if value is not None}


def _encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def _reply(status: int, body: bytes, request_id: str) -> Reply:
    headers = (
        ("Content-Type", CONTENT_TYPE),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", request_id),
    )
    return Reply(status, headers, body)
