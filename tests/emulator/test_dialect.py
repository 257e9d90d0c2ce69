"""What nobody answers here is refused so that the client of any protocol can read it, and asks only once."""

from __future__ import annotations

import functools
import gzip
import http.client
import http.server
import io
import json
import logging
import re
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore
import botocore.parsers
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from emulator_client import connect, post, small_job
from service_model import needs_newer_model

from loadtest.emulator import dialect
from loadtest.emulator.fallback import Moto
from loadtest.emulator.server import EmulatorServer
from loadtest.testing import recommender

SCOPE = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
# (service, operation, parameters): none of them is in moto 5; a service of each protocol, and services moto lacks.
LACKING: list[tuple[str, str, dict[str, Any]]] = [
    (
        "iam",
        "simulate_principal_policy",
        {"PolicySourceArn": "arn:aws:iam::123456789012:user/u", "ActionNames": ["a:b"]},
    ),
    ("sns", "list_sms_sandbox_phone_numbers", {}),
    ("importexport", "list_jobs", {}),
    ("ec2", "describe_fpga_images", {}),
    ("cloudwatch", "get_metric_widget_image", {"MetricWidget": "{}"}),
    ("sqs", "list_message_move_tasks", {"SourceArn": "arn:aws:sqs:us-east-1:123456789012:q"}),
    ("dynamodb", "list_imports", {}),
    ("logs", "test_metric_filter", {"filterPattern": "x", "logEventMessages": ["a"]}),
    ("gamelift", "list_fleets", {}),
    ("sagemaker", "list_devices", {}),
    ("lambda", "get_account_settings", {}),
    ("sagemaker-featurestore-runtime", "get_record", {"FeatureGroupName": "x", "RecordIdentifierValueAsString": "1"}),
    ("arc-zonal-shift", "list_managed_resources", {}),
    ("route53", "list_geo_locations", {}),
    ("cloudfront", "list_field_level_encryption_configs", {}),
]


@functools.cache
def _session() -> boto3.Session:
    """One for all, which reads each service's description once."""
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")


def _refusal(
    url: str, service: str, operation: str, parameters: dict[str, Any], attempts: int = 3
) -> tuple[str, int, str, int]:
    """(code, HTTP status, message, requests sent) by a client that would try so many times."""
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
    client = _session().client(service, endpoint_url=url, config=config)
    sent: list[str] = []
    client.meta.events.register("before-send", lambda request, **_: sent.append(request.url))
    try:
        with pytest.raises(ClientError) as caught:
            getattr(client, operation)(**parameters)
    finally:
        client.close()
    told = caught.value.response
    return told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"], told["Error"]["Message"], len(sent)


@pytest.mark.parametrize(
    ("service", "operation", "parameters"), LACKING, ids=[f"{service}-{name}" for service, name, _ in LACKING]
)
def test_what_moto_lacks_is_refused_once_in_the_protocol_of_the_service(
    service: str,
    operation: str,
    parameters: dict[str, Any],
    emulator: EmulatorServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        code, status, message, sent = _refusal(emulator.url, service, operation, parameters)
    assert (code, status, sent) == ("UnknownOperationException", 400, 1)
    assert "neither emulated here nor by moto" in message
    assert not [record for record in caplog.records if record.exc_info], "a trace for what is only missing"


@pytest.mark.parametrize("service", ["iam", "ec2", "cloudwatch", "lambda", "route53", "s3"])
def test_a_fault_of_moto_is_told_in_the_protocol_of_the_service(
    service: str, emulator: EmulatorServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError

    calls = {
        "iam": ("list_users", {}),
        "ec2": ("describe_instances", {}),
        "cloudwatch": ("list_metrics", {}),
        "lambda": ("list_functions", {}),
        "route53": ("list_hosted_zones", {}),
        "s3": ("list_buckets", {}),
    }
    monkeypatch.setattr(Moto, "__call__", broken)
    code, status, message, _ = _refusal(emulator.url, service, *calls[service], attempts=1)
    assert (code, status) == ("InternalFailure", 500)
    assert "emulator's log" in message
    assert "ZeroDivisionError" in caplog.text


MISSING = {
    "ListTags": (b'{"ResourceArn": "x"}', "ValueError"),
    "AddTags": (b'{"ResourceArn": "x", "Tags": []}', "ValueError"),
    "DeleteTags": (b'{"ResourceArn": "x", "TagKeys": ["a"]}', "ValueError"),
}


@pytest.mark.parametrize("operation", MISSING)
def test_what_moto_breaks_on_each_time_is_not_to_be_sent_again(operation: str, emulator: EmulatorServer) -> None:
    body, problem = MISSING[operation]
    status, document, _ = post(emulator.url, body, f"SageMaker.{operation}")
    assert (status, document["__type"]) == (400, "UnknownOperationException")
    assert problem in document["message"]


def test_an_unsigned_operation_is_answered_if_its_target_says_it_all(emulator: EmulatorServer) -> None:
    assert post(emulator.url, b"{}", "SageMaker.ListEndpoints")[:2] == (200, {"Endpoints": []})
    for target in ("Logs_20140328.DescribeLogGroups", "Foo.Bar", "SageMaker", "."):
        status, document, _ = post(emulator.url, b"{}", target)
        assert (status, document["__type"]) == (400, "MissingAuthenticationToken"), target


@pytest.mark.parametrize(("path", "body"), [("/", b"Action=ListUsers"), ("/?Action=ListUsers", b"")])
def test_an_unsigned_query_is_no_question_about_buckets(path: str, body: bytes, emulator: EmulatorServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=30)
    connection.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    assert (answer.status, b"<Code>MissingAuthenticationToken</Code>" in answer.read()) == (400, True)
    connection.close()


def test_a_name_of_any_length_is_not_echoed_whole(emulator: EmulatorServer) -> None:
    name, runtime, sagemaker = "n" * 5000, connect(emulator.url, "sagemaker-runtime"), connect(emulator.url)
    calls = [
        lambda: runtime.invoke_endpoint(EndpointName=name, Body=b"{}"),
        lambda: sagemaker.describe_endpoint(EndpointName=name),
        lambda: sagemaker.delete_endpoint(EndpointName=name),
        lambda: sagemaker.describe_inference_recommendations_job(JobName=name),
        lambda: sagemaker.create_inference_recommendations_job(**small_job(name)),
    ]
    for call in calls:
        with pytest.raises(ClientError) as caught:
            call()
        message = caught.value.response["Error"]["Message"]
        assert "characters)" in message
        assert len(message) < 1000, message


def test_without_moto_every_service_is_refused_in_its_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.emulator.server.moto_is_installed", lambda: False)
    with recommender() as server:
        for service, operation, parameters in LACKING:
            if service != "sagemaker":
                code, status, message, sent = _refusal(server.url, service, operation, parameters)
                assert (code, status, sent) == ("UnknownOperationException", 400, 1), service
                assert "--upstream" in message


def test_an_upstream_that_is_away_is_told_in_the_protocol_of_the_service() -> None:
    with recommender(upstream="http://127.0.0.1:9") as server:
        for service, operation in (("iam", "list_users"), ("s3", "list_buckets"), ("ec2", "describe_instances")):
            code, status, message, _ = _refusal(server.url, service, operation, {}, attempts=1)
            assert (code, status) == ("ServiceUnavailable", 503), service
            assert "upstream" in message


class _Pages(http.server.BaseHTTPRequestHandler):
    """Answers as a web framework does that knows nothing of AWS: the status that the server has, and a page."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"<!doctype html>\n<title>Error</title>"
        self.send_response(int(self.server.status))  # type: ignore[attr-defined]
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_page_of_html_from_an_upstream_is_told_in_the_protocol_of_the_service() -> None:
    calls = (("iam", "list_users"), ("ec2", "describe_instances"), ("logs", "describe_log_groups"))
    expected = {
        404: ("UnknownOperationException", 400),
        405: ("UnknownOperationException", 400),
        403: ("Forbidden", 403),
        500: ("InternalFailure", 500),
        502: ("InternalFailure", 502),
    }
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as pages:
        thread = threading.Thread(target=pages.serve_forever)
        thread.start()
        try:
            with recommender(upstream=f"http://127.0.0.1:{pages.server_port}") as server:
                for pages.status, told in expected.items():  # type: ignore[attr-defined]
                    for service, operation in calls:
                        assert _refusal(server.url, service, operation, {}, attempts=1)[:2] == told, service
        finally:
            pages.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "protocol",
    ["query", "ec2", "json", "rest-json", "rest-xml", pytest.param("smithy-rpc-v2-cbor", marks=needs_newer_model)],
)
@pytest.mark.parametrize("status", [400, 500])
def test_botocores_parser_of_every_protocol_reads_our_errors(protocol: str, status: int) -> None:
    text = 'a <b> & "c" ü\x00\ud800' + "x" * 300
    name: Any = "rpc-v2-cbor" if protocol == "smithy-rpc-v2-cbor" else protocol
    for service in ("", "s3", "route53"):
        answer = dialect.error(dialect.Operation(name, service, "X"), "SomeCode", text, status, "id-1")
        given = {"status_code": status, "headers": dict(answer.headers), "body": answer.body}
        told = botocore.parsers.create_parser(protocol).parse(given, None)["Error"]
        assert told["Code"] == "SomeCode"
        assert told["Message"].startswith('a <b> & "c" ü')
        assert told["Message"].endswith("x" * 300)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Authorization": "AWS4-HMAC-SHA256 "}, b""),
        ({"Authorization": "AWS4-HMAC-SHA256 Credential=A"}, b"{}"),
        ({"Authorization": "nonsense"}, b"{}"),
        ({"Authorization": SCOPE.format("dynamodb")}, b"{}"),
        ({"X-Amz-Target": "NoDot"}, b"{}"),
        ({"Content-Type": "application/x-amz-json-1.1"}, b"{}"),
        ({"Authorization": SCOPE.format("monitoring"), "X-Amz-Target": "A.B"}, b"{}"),
        ({"Authorization": SCOPE.format("logs"), "X-Amz-Target": "Logs_20140328.NoSuch"}, b"{}"),
        ({"Authorization": SCOPE.format("iam"), "Content-Type": "application/x-www-form-urlencoded"}, b"Action=NoSuch"),
        ({"Authorization": SCOPE.format("ec2"), "Content-Type": "application/x-www-form-urlencoded"}, b"Action=NoSuch"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/odd/path", "/%00", "//"])
def test_a_request_that_asks_for_nothing_known_is_the_clients_fault(
    headers: dict[str, str], body: bytes, path: str, emulator: EmulatorServer, caplog: pytest.LogCaptureFixture
) -> None:
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=30)
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    told = answer.read()
    connection.close()
    assert 400 <= answer.status < 500, told
    assert not [record for record in caplog.records if record.exc_info]


def _environ(**members: Any) -> dict[str, Any]:
    base = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "QUERY_STRING": "", "CONTENT_TYPE": ""}
    return {**base, "wsgi.input": io.BytesIO(b""), **members}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (_environ(), ("rest-json", "", "POST /")),
        (
            _environ(HTTP_SMITHY_PROTOCOL="rpc-v2-cbor", PATH_INFO="/service/Granite/operation/ListMetrics"),
            ("rpc-v2-cbor", "", "ListMetrics"),
        ),
        (_environ(HTTP_X_AMZ_TARGET="A.B"), ("json", "", "A.B")),
        (
            _environ(CONTENT_TYPE="application/x-www-form-urlencoded; charset=utf-8", HTTP_AUTHORIZATION="Bearer x"),
            ("query", "", "/"),
        ),
        (
            _environ(
                CONTENT_TYPE="application/x-www-form-urlencoded",
                HTTP_AUTHORIZATION=SCOPE.format("ec2"),
                **{"wsgi.input": io.BytesIO(b"Action=RunInstances&Version=1")},
            ),
            ("ec2", "ec2", "RunInstances"),
        ),
        (
            _environ(REQUEST_METHOD="GET", QUERY_STRING="Action=ListUsers&Version=1"),
            ("query", "", "ListUsers"),
        ),
        (
            _environ(
                REQUEST_METHOD="GET",
                PATH_INFO="/b/k",
                QUERY_STRING="X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fs3%2Faws4_request",
            ),
            ("rest-xml", "s3", "GET /b/k"),
        ),
        (_environ(HTTP_AUTHORIZATION="Credential=" + "/" * 100_000), ("rest-json", "", "POST /")),
    ],
)
def test_what_a_request_asks_for(environ: dict[str, Any], expected: tuple[str, str, str]) -> None:
    found = dialect.operation_of(environ)
    assert (found.dialect, found.service, found.name) == expected
    assert environ["wsgi.input"].tell() == 0


def test_the_table_of_services_is_that_of_botocore() -> None:
    """By signing name; S3 Control is signed as S3."""
    names = set()
    for path in (Path(botocore.__file__).parent / "data").glob("*/*/service-2.json.gz"):
        with gzip.open(path) as packed:
            metadata = packed.read(4000).decode("utf-8", "replace").split('"operations"')[0]
        if re.search(r'"protocol"\s*:\s*"rest-xml"', metadata):
            told = re.search(r'"signingName"\s*:\s*"([^"]+)"', metadata)
            told = told or re.search(r'"endpointPrefix"\s*:\s*"([^"]+)"', metadata)
            assert told is not None
            names.add(told[1])
    assert names == dialect.REST_XML_SERVICES - {"s3express"}


@needs_newer_model
def test_a_client_of_rpc_v2_cbor_reads_the_refusal(emulator: EmulatorServer) -> None:
    """boto3 does not speak it to any service that moto has, other SDKs do; the parser is botocore's."""
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=30)
    headers = {
        "Smithy-Protocol": "rpc-v2-cbor",
        "Content-Type": "application/cbor",
        "Authorization": SCOPE.format("monitoring"),
    }
    path = "/service/GraniteServiceVersion20100801/operation/GetMetricWidgetImage"
    connection.request("POST", path, b"\xa0", headers)
    answer = connection.getresponse()
    given = {"status_code": answer.status, "headers": dict(answer.headers), "body": answer.read()}
    connection.close()
    assert (answer.status, answer.headers["smithy-protocol"]) == (400, "rpc-v2-cbor")
    told = botocore.parsers.create_parser("smithy-rpc-v2-cbor").parse(given, None)["Error"]
    assert told["Code"] == "UnknownOperationException"
    assert "GetMetricWidgetImage" in told["Message"]


def test_a_head_request_is_refused_without_a_body(emulator: EmulatorServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=30)
    headers = {"Authorization": SCOPE.format("arc-zonal-shift")}
    connection.request("HEAD", "/managedresources", headers=headers)
    answer = connection.getresponse()
    assert (answer.status, answer.read(), answer.headers["x-amzn-ErrorType"]) == (400, b"", "UnknownOperationException")
    connection.request("GET", "/managedresources", headers=headers)
    assert json.loads(connection.getresponse().read())["__type"] == "UnknownOperationException"
    connection.close()
