"""A door in front of an emulator (moto behind it, over HTTP) that refuses chosen calls with AWS's own error bodies."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from stand import Stand

__all__ = ["Door", "Refusal"]

HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "host", "date", "server"}


@dataclass(frozen=True)
class Refusal:
    """code, message, status: of the answer. then: the call is made all the same, and only its answer is this."""

    code: str
    message: str = "what went wrong"
    status: int = 400
    then: bool = False


@dataclass
class Door(Stand):
    """A context manager. refuse: operation -> Refusal, or a function of the request's document that gives one or None.

    answers: operation -> a function of the true document, whose result is sent in its place. calls: (operation,
    document) of each call, in order; of an invocation the operation is InvokeEndpoint. busy: calls that go on.
    gone: whoever calls is hung up on. invoked: headers and body of the last invocation.
    """

    behind: str
    refuse: dict[str, Refusal | Callable[[dict[str, Any]], Refusal | None]] = field(default_factory=dict)
    answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    busy: int = 0
    gone: bool = False
    invoked: tuple[dict[str, str], bytes] = field(default_factory=lambda: ({}, b""))
    on_call: Callable[[str], None] = lambda operation: None

    def __enter__(self) -> Door:
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                door.handle(self)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST

        self._lock = threading.Lock()
        self.serve(Handler)
        return self

    def made(self, operation: str) -> list[dict[str, Any]]:
        """The documents of all calls of an operation."""
        return [document for name, document in self.calls if name == operation]

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.busy += 1
        try:
            self._answer(request)
        finally:
            with self._lock:
                self.busy -= 1

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        operation = (request.headers.get("X-Amz-Target") or "").rpartition(".")[2] or _action(body)
        if "/invocations" in request.path:
            operation = "InvokeEndpoint"
            self.invoked = dict(request.headers.items()), body
        document = json.loads(body) if request.headers.get("X-Amz-Target") and body else {}
        if self.gone:
            request.close_connection = True
            return
        self.calls.append((operation, document))
        self.on_call(operation)
        refusal = self.refuse.get(operation) or self.refuse.get("*")
        if callable(refusal):
            refusal = refusal(document)
        if refusal is not None and not refusal.then:
            _refuse(request, refusal)
            return
        status, headers, answer = _pass(self.behind, request, body)
        if refusal is not None:
            _refuse(request, refusal)
            return
        if operation in self.answers and status == 200:
            answer = json.dumps(self.answers[operation](json.loads(answer))).encode()
        _send(request, status, headers, answer)


def _action(body: bytes) -> str:
    """Of a form, which older clients of CloudWatch send; "" where it is none."""
    is_form = body.startswith(b"Action=")
    return parse_qs(body.decode())["Action"][0] if is_form else ""


def _pass(behind: str, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection(urlsplit(behind).netloc, timeout=60)
    try:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        connection.request(request.command, request.path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


def _send(request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    request.send_response_only(status)
    for name, value in headers:
        if name.lower() not in HOP:
            request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def _refuse(request: BaseHTTPRequestHandler, refusal: Refusal) -> None:
    body = json.dumps({"__type": refusal.code, "message": refusal.message, "Message": refusal.message}).encode()
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", refusal.code)]
    _send(request, refusal.status, headers, body)
