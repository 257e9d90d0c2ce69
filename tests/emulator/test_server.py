"""The server itself: what is not emulated, bytes of all kinds, orderly ends."""

from __future__ import annotations

import http.client
import itertools
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from emulator_client import PACKAGE, connect, post, small_job
from service_model import needs_newer_model
from siblings import siblings

from loadtest.cli import main
from loadtest.emulator.fallback import NoBackend
from loadtest.emulator.server import EmulatorOptions, EmulatorServer
from loadtest.errors import EngineError
from loadtest.loopback import is_loopback
from loadtest.testing import recommender

DESCRIBE = "SageMaker.DescribeInferenceRecommendationsJob"


def _post(url: str, body: bytes, target: str = DESCRIBE, path: str = "/") -> tuple[int, dict[str, Any], Any]:
    return post(url, body, target, path)


def _raw(url: str, data: bytes) -> bytes:
    """Send bytes as they are; everything that comes back until the server closes."""
    address = urlsplit(url)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=30) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    return answer


def test_health(emulator: EmulatorServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=30)
    connection.request("GET", "/health")
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["status"]) == (200, "ok")
    connection.close()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "SerializationException"),
        (b"\xff", "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        (b'{"JobName": 1e400}', "SerializationException"),
        (b'{"JobName": ' + b"1" * 10_000 + b"}", "SerializationException"),
        (b'{"JobName": "\\ud800"}', "SerializationException"),
        (b'{"JobName": "' + b"a" * 500_000 + b'"}', "ValidationException"),
        (b'{"JobName": null}', "ValidationException"),
        (b"{}", "ValidationException"),
    ],
)
def test_hostile_bodies(emulator: EmulatorServer, body: bytes, code: str) -> None:
    status, document, headers = _post(emulator.url, body)
    assert (status, document["__type"]) == (400, code)
    assert document["message"]
    assert headers["x-amzn-RequestId"]
    assert headers["Content-Type"] == "application/x-amz-json-1.1"


def test_hostile_unknown_members_of_a_job(emulator: EmulatorServer) -> None:
    target = "SageMaker.CreateInferenceRecommendationsJob"
    body = b'{"JobName": "x", "JobType": "Default", "RoleArn": "arn:aws:iam::123456789012:role/R", "InputConfig": '
    body += b'{"ModelName": "m", "Endpoins": ' + b"[" * 60 + b"]" * 60 + b"}}"
    status, document, _ = _post(emulator.url, body, target)
    assert (status, document["__type"]) == (400, "ValidationException")
    assert "Endpoins" in document["message"]


def test_a_body_over_the_limit(emulator: EmulatorServer) -> None:
    status, document, _ = _post(emulator.url, b" " * (1024 * 1024 + 1))
    assert (status, document["__type"]) == (413, "RequestEntityTooLargeException")


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"nonsense\r\n\r\n",
    ],
    ids=["text-length", "negative-length", "huge-length", "bad-chunk", "no-http"],
)
def test_malformed_http_is_refused_in_the_form_of_aws(emulator: EmulatorServer, data: bytes) -> None:
    head, _, body = _raw(emulator.url, data).partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1\.[01] 4\d\d ", head), head
    assert set(json.loads(body)) == {"__type", "message"}


def test_a_body_shorter_than_announced_disturbs_nobody(emulator: EmulatorServer) -> None:
    assert _raw(emulator.url, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{}") == b""
    assert _post(emulator.url, b"{}")[0] == 400


def test_an_unforeseen_error_is_an_internal_failure_and_the_server_lives_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with recommender() as server:

        def broken(params: Any) -> Any:
            raise ZeroDivisionError(params["JobName"])

        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR, "loadtest.emulator.app"):
            patch.setattr(server.service, "describe_inference_recommendations_job", broken)
            status, document, _ = _post(server.url, b'{"JobName": "secret-name"}')
        assert (status, document["__type"]) == (500, "InternalFailure")
        assert "secret-name" not in document["message"]
        assert "ZeroDivisionError" in caplog.text
        assert _post(server.url, b'{"JobName": "x"}')[1]["__type"] == "ResourceNotFound"


@needs_newer_model
def test_an_unknown_operation_is_not_retried_html(sagemaker: Any) -> None:
    with pytest.raises(ClientError) as caught:
        sagemaker.create_ai_benchmark_job(
            AIBenchmarkJobName="x",
            BenchmarkTarget={"Endpoint": {"Identifier": "e"}},
            OutputConfig={"S3OutputLocation": "s3://b/k"},
            AIWorkloadConfigIdentifier="w",
            RoleArn="arn:aws:iam::123456789012:role/R",
        )
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_moto_answers_the_rest_on_the_same_address(emulator: EmulatorServer, sagemaker: Any) -> None:
    sagemaker.create_model(
        ModelName="beside",
        PrimaryContainer={"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"},
        ExecutionRoleArn="arn:aws:iam::123456789012:role/R",
    )
    assert sagemaker.describe_model(ModelName="beside")["ModelName"] == "beside"
    model_arn = "arn:aws:sagemaker:us-east-1:123456789012:model/beside"
    sagemaker.add_tags(ResourceArn=model_arn, Tags=[{"Key": "k", "Value": "v"}])
    assert sagemaker.list_tags(ResourceArn=model_arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    s3 = connect(emulator.url, "s3")
    s3.create_bucket(Bucket="beside")
    s3.put_object(Bucket="beside", Key="a/b c.bin", Body=b"\x00\xff" * 1000)
    assert s3.get_object(Bucket="beside", Key="a/b c.bin")["Body"].read() == b"\x00\xff" * 1000
    assert connect(emulator.url, "sts").get_caller_identity()["Account"] == "123456789012"


@pytest.mark.parametrize(
    ("flag", "wrong"),
    [
        ("--region", "bad region"),
        ("--region", "xx/yy"),
        ("--region", "EU-WEST-1"),
        ("--account", "abc"),
        ("--allow-origin", "foo"),
        ("--allow-origin", "http://localhost:3000/page"),
        ("--upstream", "foo"),
    ],
)
def test_an_option_that_could_never_do_anything_is_refused(flag: str, wrong: str) -> None:
    found = CliRunner().invoke(main, ["serve", "--port", "0", flag, wrong])
    assert found.exit_code == 2
    assert flag in found.output


def test_all_that_is_wrong_with_the_options_is_said_at_once() -> None:
    wrong = {"--account": "1", "--region": "x", "--upstream": "http://", "--allow-origin": "a", "--allow-host": "b:1"}
    found = CliRunner().invoke(main, ["serve", "--port", "0", *itertools.chain(*wrong.items())])
    assert found.exit_code == 2
    assert all(flag in found.output for flag in wrong), found.output


def test_upstream_answers_the_rest() -> None:
    with recommender() as behind, recommender(upstream=behind.url) as server:
        assert server.fallback.name == "upstream"
        s3, direct = connect(server.url, "s3"), connect(behind.url, "s3")
        s3.create_bucket(Bucket="far")
        s3.put_object(Bucket="far", Key="k", Body=b"x" * 100_000)
        assert direct.get_object(Bucket="far", Key="k")["Body"].read() == b"x" * 100_000


def test_an_upstream_that_is_gone_is_service_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with recommender(upstream=f"http://127.0.0.1:{unused.getsockname()[1]}") as server:
            status, document, _ = _post(server.url, b"{}", "SageMaker.ListModels")
            assert (status, document["__type"]) == (503, "ServiceUnavailable")
            assert _post(server.url, b"{}")[0] == 400
            # What is not known of a model or an endpoint must not be taken for what is not there.
            create = "SageMaker.CreateInferenceRecommendationsJob"
            for config in ({}, {"Endpoints": [{"EndpointName": "e"}]}):
                job = small_job("of-nobody")
                job["InputConfig"].update(config)
                if config:
                    del job["InputConfig"]["ModelPackageVersionArn"], job["InputConfig"]["EndpointConfigurations"]
                status, document, _ = _post(server.url, json.dumps(job).encode(), create)
                assert (status, document["__type"]) == (503, "ServiceUnavailable")
                assert "cannot be looked up" in document["message"]


def test_without_a_fallback_the_rest_is_refused_cleanly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.emulator.server.moto_is_installed", lambda: False)
    with recommender() as server:
        assert isinstance(server.fallback, NoBackend)
        assert set(server.exports()) == {"AWS_ENDPOINT_URL_SAGEMAKER", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"}
        for target, path in (("SageMaker.ListModels", "/"), ("", "/bucket/key")):
            status, document, _ = _post(server.url, b"{}", target, path)
            assert (status, document["__type"]) == (400, "UnknownOperationException")
        assert _post(server.url, b'{"JobName": "x"}')[1]["__type"] == "ResourceNotFound"


def test_a_port_in_use_is_said_plainly(emulator: EmulatorServer) -> None:
    with pytest.raises(EngineError, match="cannot listen on"):
        EmulatorServer(EmulatorOptions(port=int(emulator.url.rsplit(":", 1)[1]), engine="sim"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.live
@pytest.mark.parametrize("number", siblings([signal.SIGTERM, signal.SIGINT]))
def test_serve_prints_the_exports_and_ends_in_order(number: signal.Signals) -> None:
    command = [sys.executable, "-c", "from loadtest.cli import main; main()", "serve", "--port", "0", "--engine", "sim"]
    command.append("--strict-resources")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(3)]
        url = lines[0].partition("=")[2]
        assert lines == [
            f"export AWS_ENDPOINT_URL_SAGEMAKER={url}",
            f"export AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME={url}",
            f"export AWS_ENDPOINT_URL={url}",
        ]
        assert _post(url, b'{"JobName": "x"}')[1]["__type"] == "ResourceNotFound"
        create = "SageMaker.CreateInferenceRecommendationsJob"
        refused = _post(url, json.dumps(small_job("strict")).encode(), create)[1]
        assert refused == {"__type": "ValidationException", "message": f"ModelPackage {PACKAGE} does not exist."}
        unknown = connect(url, "pricing")
        with pytest.raises(ClientError, match="UnknownOperationException"):
            unknown.get_products(ServiceCode="AmazonSageMaker")
        unknown.close()
        process.send_signal(number)
        more, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        assert more == "", "a shell reads it, whatever a library prints"
        assert "find appropriate backend for pricing" in errors
        assert "Traceback" not in errors
    finally:
        process.kill()
        process.wait()


def test_the_serving_process_is_not_patched() -> None:
    script = (
        "import socket, sys\n"
        "before = socket.socket\n"
        "from loadtest.testing import recommender\n"
        "with recommender() as server:\n"
        "    import http.client\n"
        "    connection = http.client.HTTPConnection(server.url[7:])\n"
        "    connection.request('GET', '/health')\n"
        "    assert connection.getresponse().status == 200\n"
        "assert socket.socket is before\n"
        "print(sorted({'gevent', 'locust', 'moto'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
