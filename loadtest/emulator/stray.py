"""Requests that nobody has an answer to, by what they ask: moto would take them for a question about buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loadtest.emulator.dialect import UNKNOWN_OPERATION, operation_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ["UNSIGNED", "Stray", "stray"]

UNSIGNED = "MissingAuthenticationToken"
"""AWS's code for a request without a signature."""

# What AWS answers without a signature, as moto knows it; SageMaker's own, so that a person with curl is answered.
_UNSIGNED_TARGETS = ("SageMaker.", "AWSCognitoIdentity")
_UNSIGNED_ACTIONS = ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")


class Stray(NamedTuple):
    """How it is refused. runtime: in the form of the runtime API."""

    code: str
    text: str
    status: int = 400
    runtime: bool = False


def stray(environ: WSGIEnvironment) -> Stray | None:
    """None: somebody may have an answer. The request is no invocation."""
    method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
    if _is_runtime(path, environ):
        return Stray(UNKNOWN_OPERATION, f"There is no such operation: {method} {path}", 404, runtime=True)
    if method == "POST" and _names_nothing(environ):
        return Stray(UNKNOWN_OPERATION, "The request does not say in X-Amz-Target which operation it asks for")
    if _is_unsigned(path, environ):
        name = operation_of(environ).name[:200]
        return Stray(UNSIGNED, f"{name!r} is not signed, and nothing else says which service it is asked of")
    return None


def _is_runtime(path: str, environ: WSGIEnvironment) -> bool:
    """Of the runtime API, and none of its operations. A bucket may be called `endpoints` too."""
    return (
        path.startswith("/endpoints/")
        and not path.endswith("/async-invocations")
        and operation_of(environ).service in ("", "sagemaker")
    )


def _names_nothing(environ: WSGIEnvironment) -> bool:
    """AWS JSON without its operation."""
    is_json = environ.get("CONTENT_TYPE", "").lower().startswith("application/x-amz-json")
    return is_json and not environ.get("HTTP_X_AMZ_TARGET")


def _is_unsigned(path: str, environ: WSGIEnvironment) -> bool:
    """An operation whose service only a signature, or the host of AWS's own addresses, would tell."""
    said = operation_of(environ)
    if said.service or environ.get("HTTP_AUTHORIZATION") or "amazonaws.com" in environ.get("HTTP_HOST", ""):
        return False
    if said.dialect == "json":
        return not said.name.startswith(_UNSIGNED_TARGETS)
    return said.dialect == "query" and path == "/" and said.name not in _UNSIGNED_ACTIONS
