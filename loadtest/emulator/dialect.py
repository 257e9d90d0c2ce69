"""In which of AWS's protocols a request speaks, and an error that its client can read. No I/O but the request's body.

    header smithy-protocol              rpc-v2-cbor
    header X-Amz-Target                 json 1.0 or 1.1, as its Content-Type says
    a form, or Action in the query      query; ec2 if it is signed for ec2
    signed for S3, Route 53 and so on   rest-xml
    anything else                       rest-json, which a person with curl can read as well

A client finds the code of an error only where its protocol has it, and takes what it cannot read for a passing fault.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from loadtest.emulator.protocol import CONTENT_TYPE, Reply

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["REST_XML_SERVICES", "UNKNOWN_OPERATION", "Dialect", "Operation", "error", "operation_of", "refuse", "reply"]

Dialect = Literal["rpc-v2-cbor", "json", "query", "ec2", "rest-xml", "rest-json"]

UNKNOWN_OPERATION = "UnknownOperationException"
"""The code for what nobody answers here, in every protocol, so that a program can tell it from AWS's own refusals."""

# Signing names; compared with botocore's descriptions by a test.
REST_XML_SERVICES = frozenset({"s3", "s3express", "cloudfront", "route53"})

_FORM = "application/x-www-form-urlencoded"
_FORM_BYTES = 65536  # clients write Action first
_NAME_CHARACTERS = 200
_SCOPE = re.compile(r"Credential=[^/,\s]{1,256}/[0-9]{8}/[^/,\s]{0,64}/([a-z0-9.-]{1,64})/aws4_request", re.IGNORECASE)
# What XML 1.0 cannot hold, not even escaped.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Operation(NamedTuple):
    """What a request asks for. service: its signing name, "" if it is not signed. name: of the operation, or method and
    path where those say it. json_type: the Content-Type of the answer if the dialect is json.
    """

    dialect: Dialect
    service: str
    name: str
    json_type: str = CONTENT_TYPE

    def __str__(self) -> str:
        return f"{self.service} {self.name}".strip()[:_NAME_CHARACTERS]


def operation_of(environ: WSGIEnvironment) -> Operation:
    """Of any request, also one whose body was read already if that can be rewound; the body can be read afterwards."""
    query = environ.get("QUERY_STRING", "")
    service = _service(environ, query)
    path = environ.get("PATH_INFO", "")
    target, content_type = environ.get("HTTP_X_AMZ_TARGET", ""), environ.get("CONTENT_TYPE", "").lower()
    if "cbor" in environ.get("HTTP_SMITHY_PROTOCOL", "").lower():
        return Operation("rpc-v2-cbor", service, path.rpartition("/operation/")[2])
    if target:
        is_old = "json-1.0" in content_type
        return Operation("json", service, target, "application/x-amz-json-1.0" if is_old else CONTENT_TYPE)
    if content_type.startswith(_FORM) or "Action=" in query:
        actions = parse_qs(query).get("Action") or parse_qs(_form(environ)).get("Action") or [path]
        return Operation("ec2" if service == "ec2" else "query", service, actions[0])
    dialect: Dialect = "rest-xml" if service in REST_XML_SERVICES else "rest-json"
    return Operation(dialect, service, f"{environ.get('REQUEST_METHOD', '')} {path}")


def error(said: Operation, code: str, message: str, status: int, request_id: str) -> Reply:
    """The answer by which a client of that dialect learns the code and the message."""
    headers = [("x-amzn-RequestId", request_id)]
    if said.dialect == "rpc-v2-cbor":
        content_type = "application/cbor"
        headers.append(("smithy-protocol", said.dialect))
        body = b"\xa2" + b"".join(map(_cbor, ("__type", code, "message", message)))
    elif said.dialect in ("query", "ec2", "rest-xml"):
        content_type = "text/xml"
        body = _xml(said, code, message, "Sender" if status < 500 else "Receiver", request_id)
    else:
        content_type = said.json_type if said.dialect == "json" else "application/json"
        headers.append(("x-amzn-ErrorType", code))
        body = json.dumps({"__type": code, "message": message}).encode("ascii")
    return Reply(status, (("Content-Type", content_type), ("Content-Length", str(len(body))), *headers), body)


def refuse(
    environ: WSGIEnvironment, start_response: StartResponse, code: str, message: str, status: int = 400
) -> Iterable[bytes]:
    """Answer the request with an error that its client can read."""
    answer = error(operation_of(environ), code, message, status, str(uuid.uuid4()))
    body = reply(answer, start_response)
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else body


def reply(answer: Reply, start_response: StartResponse) -> list[bytes]:
    """Send a Reply as a WSGI response."""
    start_response(f"{answer.status} {'OK' if answer.status < 400 else 'Error'}", list(answer.headers))
    return [answer.body]


def _service(environ: WSGIEnvironment, query: str) -> str:
    found = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None and "X-Amz-Credential=" in query:
        told = parse_qs(query).get("X-Amz-Credential", [""])[0]
        found = _SCOPE.search(f"Credential={told}")
    return found[1].lower() if found is not None else ""


def _form(environ: WSGIEnvironment) -> str:
    body = environ["wsgi.input"]
    try:
        body.seek(0)
        text: str = body.read(_FORM_BYTES).decode("latin-1")
        body.seek(0)
    except (AttributeError, OSError, ValueError):  # a stream that has gone by
        return ""
    return text


def _xml(said: Operation, code: str, message: str, fault: str, request_id: str) -> bytes:
    text = escape(_NO_XML.sub("?", message))
    told = f"<Code>{escape(code)}</Code><Message>{text}</Message>"
    if said.dialect == "ec2":
        document = f"<Response><Errors><Error>{told}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    elif said.dialect == "rest-xml" and said.service.startswith("s3"):
        document = f"<Error>{told}<RequestId>{request_id}</RequestId></Error>"
    else:
        told = f"<Error><Type>{fault}</Type>{told}</Error>"
        document = f"<ErrorResponse>{told}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'.encode()


def _cbor(text: str) -> bytes:
    """A text string of RFC 8949."""
    data = text.encode("utf-8", "replace")
    head = bytes([0x60 + len(data)]) if len(data) < 24 else b"\x79" + len(data).to_bytes(2, "big")
    return head + data
