"""Who is let in: programs without any flag, web pages and foreign names only if allowed."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from emulator_client import connect

from loadtest.emulator.server import EmulatorServer
from loadtest.testing import recommender
from loadtest.wire.access import Access

LIST = {"X-Amz-Target": "SageMaker.ListInferenceRecommendationsJobs", "Content-Type": "application/x-amz-json-1.1"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
USER = b"Action=CreateUser&UserName=mallory&Version=2010-05-08"
PAGE = "http://evil.example"


def ask(url: str, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("POST", "/", {**LIST, "Origin": PAGE}, b"{}"),
        ("POST", "/", {**LIST, "Origin": "null"}, b"{}"),
        ("POST", "/", {**LIST, "Host": "evil.example:4599"}, b"{}"),
        ("POST", "/", {**LIST, "Host": "127.0.0.1.evil.example"}, b"{}"),
        ("POST", "/", {**LIST, "Host": "localhost@evil.example"}, b"{}"),
        ("POST", "/", {**LIST, "Host": "169.254.169.254"}, b"{}"),
        ("POST", "/", {**FORM, "Origin": PAGE}, USER),
        ("GET", "/?" + USER.decode(), {"Sec-Fetch-Site": "cross-site"}, None),
        ("GET", "/?" + USER.decode(), {"Referer": f"{PAGE}/page"}, None),
        ("GET", "/moto-api/data.json", {"Sec-Fetch-Site": "cross-site"}, None),
        ("POST", "/moto-api/reset", {"Origin": PAGE}, b""),
        ("POST", "/endpoints/e/invocations", {"Origin": PAGE, "Content-Type": "text/plain"}, b"1"),
        ("GET", "/health", {"Origin": PAGE}, None),
        ("GET", "/bucket/key", {"Origin": PAGE}, None),
        ("OPTIONS", "/", {"Origin": PAGE, "Access-Control-Request-Method": "POST"}, None),
        ("OPTIONS", "/moto-api/reset", {}, None),
    ],
)
def test_web_pages_and_foreign_names_are_refused(
    emulator: EmulatorServer, method: str, path: str, headers: dict[str, str], body: bytes | None
) -> None:
    status, answered, text = ask(emulator.url, method, path, headers, body)
    assert status == 403
    assert json.loads(text)["__type"] == "AccessDeniedException"
    assert not [name for name in answered if name.lower().startswith("access-control-")]


def test_what_was_refused_had_no_effect(emulator: EmulatorServer) -> None:
    assert ask(emulator.url, "POST", "/", {**FORM, "Origin": PAGE}, USER)[0] == 403
    users = connect(emulator.url, "iam").list_users()["Users"]
    assert "mallory" not in [user["UserName"] for user in users]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.:1", "127.0.0.1", "127.1", "[::1]:4599", "bucket.localhost"])
def test_every_name_of_loopback_is_answered(emulator: EmulatorServer, host: str) -> None:
    assert ask(emulator.url, "POST", "/", {**LIST, "Host": host}, b"{}")[0] == 200


def test_a_page_of_the_server_itself_is_answered(emulator: EmulatorServer) -> None:
    headers = {"Origin": emulator.url, "Referer": f"{emulator.url}/moto-api/", "Sec-Fetch-Site": "same-origin"}
    status, answered, _ = ask(emulator.url, "GET", "/moto-api/", headers)
    assert (status, answered["Access-Control-Allow-Origin"]) == (200, None)
    assert ask(emulator.url, "GET", "/moto-api/", {"Sec-Fetch-Site": "none"})[0] == 200


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/json"])
def test_json_operations_come_with_their_type(emulator: EmulatorServer, content_type: str) -> None:
    status, _, text = ask(emulator.url, "POST", "/", {**LIST, "Content-Type": content_type}, b"{}")
    assert status == 415
    assert "application/x-amz-json-1.1" in json.loads(text)["message"]


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["two", "twice", "none", "absolute"],
)
def test_ambiguous_hosts_are_refused(emulator: EmulatorServer, head: bytes) -> None:
    address = urlsplit(emulator.url)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=60) as sock:
        sock.sendall(head)
        assert sock.recv(65536).startswith((b"HTTP/1.1 400", b"HTTP/1.1 403"))


def test_allowed_origins_and_hosts() -> None:
    with recommender(allow_origins=("http://localhost:3000",), allow_hosts=("aws.test",)) as server:
        page = {"Origin": "http://localhost:3000"}
        wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-amz-target"}
        status, answered, _ = ask(server.url, "OPTIONS", "/", {**page, **wanted})
        assert (status, answered["Access-Control-Allow-Origin"]) == (204, page["Origin"])
        assert answered["Access-Control-Allow-Headers"] == "x-amz-target"
        status, answered, _ = ask(server.url, "POST", "/", {**LIST, **page, "Sec-Fetch-Site": "cross-site"}, b"{}")
        assert (status, answered.get_all("Access-Control-Allow-Origin")) == (200, [page["Origin"]])
        assert ask(server.url, "POST", "/", {**LIST, "Origin": "http://localhost:3001"}, b"{}")[0] == 403
        for host, status in (("aws.test:80", 200), ("bucket.aws.test", 200), ("notaws.test", 403)):
            assert ask(server.url, "POST", "/", {**LIST, "Host": host}, b"{}")[0] == status


def test_a_server_on_every_address_goes_by_numbers_not_by_names() -> None:
    access = Access("0.0.0.0")
    assert access.knows("192.168.1.7:4599")
    assert not access.knows("rebound.example:4599")
    assert Access("build-host").knows("Build-Host.:80")
