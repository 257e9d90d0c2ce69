"""Whoever gives credentials, as each provider of botocore asks for them, and an endpoint that takes none that expired.

One server: STS (moto's answers, with an end of ours), SSO, a container's address, an instance's metadata, a program's
source. Every answer is of credentials that live `life_s`, to the whole second, as AWS tells it.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from stand import Stand

__all__ = ["Issuer"]

ROLE = "instance-role"
EXPIRED = {"__type": "ExpiredTokenException", "message": "The security token included in the request is expired"}


@dataclass
class Issuer(Stand):
    """A context manager. sts: address of a moto. silent: from now on nobody is given any.

    asked: the paths, or STS's actions, for which credentials were given, in order. served: requests that were answered
    with 200, by access key; late: how many came with expired credentials; unknown: with none of ours.
    """

    life_s: float
    sts: str = ""
    silent: bool = False
    asked: list[str] = field(default_factory=list)
    served: dict[str, int] = field(default_factory=dict)
    late: int = 0
    unknown: int = 0
    ends: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> Issuer:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, kind, answer = issuer.answer(self, body)
                self.send_response_only(status)
                self.send_header("Content-Type", kind)
                if status == 403:
                    self.send_header("x-amzn-ErrorType", "ExpiredTokenException")
                self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_PUT = do_POST

        self._lock = threading.Lock()
        self.serve(Handler)
        return self

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, str, bytes]:
        path = request.path.partition("?")[0]
        if path.endswith("/invocations"):
            return self._invoked(request.headers.get("Authorization", ""))
        if path == "/latest/api/token":
            return 200, "text/plain", b"metadata-token"
        if path == "/latest/meta-data/iam/security-credentials/":
            return 200, "text/plain", ROLE.encode()
        if self.silent:
            return 500, "text/plain", b"nobody is here"
        if path == "/":
            return self._by_sts(request, body)
        given, end_s = self._issue(path)
        if path == "/federation/credentials":
            names = {"accessKeyId": "AccessKeyId", "secretAccessKey": "SecretAccessKey", "sessionToken": "Token"}
            told = {name: given[theirs] for name, theirs in names.items()} | {"expiration": int(end_s * 1000)}
            return 200, "application/json", json.dumps({"roleCredentials": told}).encode()
        return 200, "application/json", json.dumps({**given, "Version": 1, "SessionToken": given["Token"]}).encode()

    def _issue(self, path: str) -> tuple[dict[str, str], float]:
        with self._lock:
            self.asked.append(path)
            key = f"ASIAISSUED{len(self.ends):06d}"
            end_s = self.ends[key] = float(int(time.time() + self.life_s))
        given = {"AccessKeyId": key, "SecretAccessKey": "sekrit-issued", "Token": "tokn-issued"}
        return given | {"Expiration": _iso(end_s)}, end_s

    def _by_sts(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.sts).netloc, timeout=60)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")}
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        key = re.search("<AccessKeyId>(.*?)</AccessKeyId>", text)
        if key is not None:
            with self._lock:
                self.asked.append(body.decode().partition("Action=")[2].partition("&")[0])
                end_s = self.ends[key[1]] = float(int(time.time() + self.life_s))
            text = re.sub("<Expiration>.*?</Expiration>", f"<Expiration>{_iso(end_s)}</Expiration>", text)
        return answer.status, answer.getheader("Content-Type") or "text/xml", text.encode()

    def _invoked(self, authorization: str) -> tuple[int, str, bytes]:
        key = authorization.partition("Credential=")[2].partition("/")[0]
        with self._lock:
            if key not in self.ends:
                self.unknown += 1
            elif time.time() >= self.ends[key]:
                self.late += 1
            else:
                self.served[key] = self.served.get(key, 0) + 1
                return 200, "application/json", b"{}"
        return 403, "application/x-amz-json-1.1", json.dumps(EXPIRED).encode()


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
