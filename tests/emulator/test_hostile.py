"""Hostile input and bad days: full disks, damaged databases, forged tokens, slow clients, secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import resource
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from emulator_client import connect, post, small_job, wait_for_end

from loadtest.cli import main
from loadtest.emulator.server import EmulatorServer
from loadtest.testing import recommender

LIST = "SageMaker.ListInferenceRecommendationsJobs"
CREATE = "SageMaker.CreateInferenceRecommendationsJob"


class _Recorder(BaseHTTPRequestHandler):
    """Answers 200 once `gate` is set and keeps what it was sent."""

    gate: threading.Event
    seen: list[dict[str, str]]

    def do_POST(self) -> None:
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.gate.wait(60)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def stand_in() -> Iterator[tuple[str, type[_Recorder]]]:
    kind = type("Recorder", (_Recorder,), {"gate": threading.Event(), "seen": []})
    server = type("Server", (ThreadingHTTPServer,), {"request_queue_size": 256})(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/x", kind
    kind.gate.set()
    server.shutdown()
    server.server_close()


def _fleet(tmp_path: Path, url: str) -> Path:
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps({"endpoints": {"ep": {"target": url}}}))
    return path


def test_a_stand_in_does_not_learn_who_the_caller_is(tmp_path: Path, stand_in: tuple[str, type[_Recorder]]) -> None:
    url, kind = stand_in
    kind.gate.set()
    with recommender(fleet_file=_fleet(tmp_path, url)) as server:
        connect(server.url, "sagemaker-runtime").invoke_endpoint(EndpointName="ep", Body=b"1", ContentType="text/csv")
    (seen,) = kind.seen
    assert seen["content-type"] == "text/csv"
    assert not {"authorization", "x-amz-security-token", "x-amz-date", "cookie"} & set(seen)


def test_slow_invocations_hold_up_nothing_else(tmp_path: Path, stand_in: tuple[str, type[_Recorder]]) -> None:
    url, kind = stand_in
    with recommender(fleet_file=_fleet(tmp_path, url)) as server:
        address = (str(urlsplit(server.url).hostname), urlsplit(server.url).port or 80)
        call = b"POST /endpoints/ep/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1"
        socks = [socket.create_connection(address, timeout=60) for _ in range(100)]
        try:
            for sock in socks:
                sock.sendall(call)
            while len(kind.seen) < 60:  # the endpoint has so many; it answers none
                threading.Event().wait(0.01)
            status, document, _ = post(server.url, b"{}", LIST)
            assert (status, document["InferenceRecommendationsJobs"]) == (200, [])
            assert connect(server.url, "sts").get_caller_identity()["Account"]
            kind.gate.set()
            assert all(sock.recv(20).startswith(b"HTTP/1.1 200") for sock in socks)
        finally:
            kind.gate.set()
            for sock in socks:
                sock.close()


def test_unfinished_requests_make_room_for_others() -> None:
    with recommender(connections=40) as server:
        address = (str(urlsplit(server.url).hostname), urlsplit(server.url).port or 80)
        slow = [socket.create_connection(address, timeout=60) for _ in range(60)]
        for sock in slow:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: local")
        assert post(server.url, b"{}", LIST)[0] == 200
        for sock in slow:
            sock.close()


def test_moto_posts_to_nobody(emulator: EmulatorServer, stand_in: tuple[str, type[_Recorder]]) -> None:
    url, kind = stand_in
    kind.gate.set()
    sns = connect(emulator.url, "sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
    sns.publish(TopicArn=topic, Message="hello")
    assert kind.seen == []


def _token(query: dict[str, Any], body: bytes) -> str:
    text = json.dumps(query, sort_keys=True, separators=(",", ":"), default=str)
    check = hashlib.blake2b(text.encode() + b"\0" + body, digest_size=12).digest()
    return base64.urlsafe_b64encode(check + body).decode()


@pytest.mark.parametrize(
    "body", [b"", b"5", b"{}", b"nonsense", b"[" * 5000, b"[1e999,1]", b"[99999999999999999999999,1]", b"null", b"\xff"]
)
def test_a_forged_token_is_the_callers_mistake(emulator: EmulatorServer, body: bytes) -> None:
    status, document, _ = post(emulator.url, json.dumps({"NextToken": _token({}, body)}).encode(), LIST)
    assert (status, document["__type"]) == (400, "ValidationException")


def test_a_surrogate_in_a_forged_token(emulator: EmulatorServer) -> None:
    token = _token({"SortBy": "Name"}, b'["\\ud800",1]')
    status, _, _ = post(emulator.url, json.dumps({"SortBy": "Name", "NextToken": token}).encode(), LIST)
    assert status == 400


def test_the_answer_to_very_many_mistakes_is_short(emulator: EmulatorServer) -> None:
    request = small_job("many")
    request["InputConfig"]["EndpointConfigurations"] = [{"InstanceType": "x" * 20}] * 20_000
    status, document, _ = post(emulator.url, json.dumps(request).encode(), CREATE)
    assert (status, document["__type"]) == (400, "ValidationException")
    assert document["message"].startswith("2000")
    assert document["message"].endswith("more")
    assert len(json.dumps(document)) < 500_000


@contextmanager
def full_disk(file: Path) -> Iterator[None]:
    """No file of this process gets longer than `file` is now: the system refuses to write there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_jobs_end_once_a_full_disk_is_free_again(tmp_path: Path) -> None:
    with recommender(state=tmp_path / "state") as server:
        sagemaker = connect(server.url)
        sagemaker.create_inference_recommendations_job(**small_job("before"))
        wait_for_end(sagemaker, "before")
        sagemaker.create_inference_recommendations_job(**small_job("during"))
        tags = [{"Key": f"{n}", "Value": "v" * 256} for n in range(50)]
        jobs = (small_job(f"later-{i}", Tags=tags) for i in range(20))
        with full_disk(tmp_path / "state" / "jobs.db-wal"), pytest.raises(ClientError) as caught:
            all(sagemaker.create_inference_recommendations_job(**job) for job in jobs)
        assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
        names = [f"later-{n}" for n in range(20) if server.service.store.get(f"later-{n}")]
        for name in ("during", *names):
            wait_for_end(sagemaker, name)
        assert server.service.store.active() == 0
        sagemaker.create_inference_recommendations_job(**small_job("after"))
        assert wait_for_end(sagemaker, "after")["Status"] == "COMPLETED"


@pytest.mark.parametrize("damage", ["garbage", "truncated", "older", "folder"])
def test_a_database_that_is_none_of_ours_is_said_in_words(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "jobs.db"
    if damage == "folder":
        path.mkdir()
    elif damage == "older":
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE jobs (seq INTEGER PRIMARY KEY, name TEXT, created_ms, status)")
    else:
        with recommender(state=tmp_path) as server:
            connect(server.url).create_inference_recommendations_job(**small_job("one"))
        data = path.read_bytes()
        path.write_bytes(b"garbage!" * 2000 if damage == "garbage" else data[: len(data) // 2 + 100])
    found = CliRunner().invoke(main, ["serve", "--port", "0", "--state", str(tmp_path)])
    assert found.exit_code == 1
    assert str(path) in found.output
    assert "--state" in found.output
    assert "Traceback" not in found.output


def test_two_servers_on_one_state(tmp_path: Path) -> None:
    with recommender(state=tmp_path):
        found = CliRunner().invoke(main, ["serve", "--port", "0", "--state", str(tmp_path)])
    assert found.exit_code == 1
    assert "another server" in found.output


@pytest.mark.parametrize("column", ["request", "facts", "status", "created_ms"])
def test_a_bad_row_is_left_out_and_named(tmp_path: Path, column: str, caplog: pytest.LogCaptureFixture) -> None:
    with recommender(state=tmp_path) as server:
        sagemaker = connect(server.url)
        for name in ("good-1", "bad", "good-2"):
            sagemaker.create_inference_recommendations_job(**small_job(name))
            wait_for_end(sagemaker, name)
    db = sqlite3.connect(tmp_path / "jobs.db")
    db.execute(
        f"UPDATE jobs SET {column} = 'x', status = iif('{column}' = 'status', 'x', 'PENDING') WHERE name = 'bad'"
    )
    db.commit()
    db.close()
    with caplog.at_level(logging.ERROR), recommender(state=tmp_path, quota=1) as server:
        sagemaker = connect(server.url)
        page = sagemaker.list_inference_recommendations_jobs(MaxResults=2)
        assert [job["JobName"] for job in page["InferenceRecommendationsJobs"]] == ["good-2", "good-1"]
        assert "'bad'" in caplog.text
        sagemaker.create_inference_recommendations_job(**small_job("next"))  # the bad one holds no quota
        with pytest.raises(ClientError, match="ResourceInUse"):
            sagemaker.create_inference_recommendations_job(**small_job("bad"))


def test_a_presigned_urls_secrets_are_kept_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = "https://b.s3.amazonaws.com/k.tar.gz?X-Amz-Security-Token=SECRET%2B1&X-Amz-Signature=SECRET2&part=k.tar.gz"
    with caplog.at_level(logging.DEBUG), recommender(state=tmp_path, engine="live") as server:
        sagemaker = connect(server.url)
        job = small_job("signed")
        job["InputConfig"]["ContainerConfig"]["PayloadConfig"] = {"SamplePayloadUrl": url}
        sagemaker.create_inference_recommendations_job(**job)
        ended = wait_for_end(sagemaker, "signed")
        assert "PayloadError" in ended["FailureReason"]
        assert "SECRET" not in json.dumps(ended, default=str)
    assert "SECRET" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("loadtest")
    )
    for path in tmp_path.iterdir():
        assert b"SECRET" not in path.read_bytes()


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "169.254.169.254", "[::1]", "2130706433"])
def test_a_payload_url_of_this_machine_is_refused(emulator: EmulatorServer, host: str) -> None:
    from loadtest.emulator.catalogue import ModelCatalogue
    from loadtest.emulator.clients import InProcessClients
    from loadtest.errors import SpecError

    catalogue = ModelCatalogue(InProcessClients(emulator.fallback, region="us-east-1"))
    with pytest.raises(SpecError, match="names this machine"):
        catalogue.payload(f"https://{host}/bucket/key")
    allowed = ModelCatalogue(InProcessClients(emulator.fallback, region="us-east-1"), allow_local_payloads=True)
    with pytest.raises(SpecError, match="NoSuchBucket"):
        allowed.payload(f"https://{host}/bucket/key")
