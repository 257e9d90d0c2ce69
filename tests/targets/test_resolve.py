"""Where requests go and what they carry: by botocore's rules, asked of botocore without a request."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials as Permanent

from loadtest.errors import TargetError
from loadtest.targets.credentials import CredentialSource
from loadtest.targets.resolve import resolve_endpoint
from loadtest.wire.sigv4 import Credentials

KEYS = {"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "secret"}
EU = {**KEYS, "AWS_DEFAULT_REGION": "eu-west-1"}
CONFIG = """
[default]
region = eu-north-1
[profile work]
region = ap-southeast-2
aws_access_key_id = AKWORK
aws_secret_access_key = secret
aws_session_token = token
ca_bundle = /work.pem
[profile local]
region = us-east-2
aws_access_key_id = AKLOCAL
aws_secret_access_key = secret
services = local
[services local]
sagemaker_runtime =
  endpoint_url = http://127.0.0.1:9001
"""
HOST = "runtime.sagemaker.{}.amazonaws.com"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    (tmp_path / "config").write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def refuse(*_: Any) -> None:
        raise AssertionError("resolving an endpoint opens no connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize(
    ("environment", "options", "base", "region"),
    [
        (EU, {}, f"https://{HOST.format('eu-west-1')}", "eu-west-1"),
        (KEYS, {}, f"https://{HOST.format('eu-north-1')}", "eu-north-1"),
        (EU, {"region": "us-east-1"}, f"https://{HOST.format('us-east-1')}", "us-east-1"),
        (EU, {"region": "cn-north-1"}, f"https://{HOST.format('cn-north-1')}.cn", "cn-north-1"),
        (EU, {"region": "us-east-1", "use_fips": True}, "https://runtime-fips.sagemaker.us-east-1.amazonaws.com",
         "us-east-1"),
        (EU, {"use_dualstack": True}, "https://runtime.sagemaker.eu-west-1.api.aws", "eu-west-1"),
        ({}, {"profile": "work"}, f"https://{HOST.format('ap-southeast-2')}", "ap-southeast-2"),
        ({}, {"profile": "local"}, "http://127.0.0.1:9001", "us-east-2"),
        (EU, {"endpoint_url": "http://127.0.0.1:9000"}, "http://127.0.0.1:9000", "eu-west-1"),
        (EU, {"endpoint_url": "https://h.test/base/"}, "https://h.test/base", "eu-west-1"),
        ({**EU, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, {}, "http://127.0.0.1:1", "eu-west-1"),
        ({**EU, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": "http://127.0.0.1:2"},
         {}, "http://127.0.0.1:2", "eu-west-1"),
        ({**EU, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, {"endpoint_url": "http://127.0.0.1:3"},
         "http://127.0.0.1:3", "eu-west-1"),
    ],
)  # fmt: skip
def test_the_url_is_the_one_boto3_takes(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], options: dict[str, Any], base: str, region: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = resolve_endpoint("my-endpoint", options)
    assert (found.url, found.region, found.service) == (
        f"{base}/endpoints/my-endpoint/invocations",
        region,
        "sagemaker",
    )


def test_every_parameter_becomes_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in EU.items():
        monkeypatch.setenv(name, value)
    options = {
        "accept": "text/csv",
        "custom_attributes": "a=1",
        "enable_explanations": "`true`",
        "inference_component_name": "component",
        "inference_id": "id",
        "session_id": "NEW_SESSION",
        "target_container_hostname": "second",
        "target_model": "m.tar.gz",
        "target_variant": "blue",
    }
    prefix = "X-Amzn-SageMaker-"
    common = {
        f"{prefix}Custom-Attributes": "a=1",
        f"{prefix}Inference-Component": "component",
        f"{prefix}Inference-Id": "id",
        f"{prefix}Session-Id": "NEW_SESSION",
        f"{prefix}Target-Container-Hostname": "second",
        f"{prefix}Target-Variant": "blue",
    }
    only = {f"{prefix}Target-Model": "m.tar.gz", f"{prefix}Enable-Explanations": "`true`", "Accept": "text/csv"}
    assert dict(resolve_endpoint("e", options).headers) == {**common, **only}
    for name in ("target_model", "enable_explanations"):  # the streaming operation knows neither
        with pytest.raises(TargetError, match="Unknown parameter"):
            resolve_endpoint("e", {"stream": True, name: options[name]})
        del options[name]
    streamed = resolve_endpoint("e", {**options, "stream": True})
    assert streamed.url.endswith("/endpoints/e/invocations-response-stream")
    assert dict(streamed.headers) == {**common, f"{prefix}Accept": "text/csv"}


def test_credentials_and_authorities_come_from_the_profile_or_are_given() -> None:
    work = resolve_endpoint("e", {"profile": "work"})
    assert work.credentials.current == Credentials("AKWORK", "secret", "token")
    assert work.ca_file == "/work.pem"
    given = CredentialSource(Permanent("AKGIVEN", "other"))
    assert resolve_endpoint("e", {}, given).credentials is given


@pytest.mark.parametrize(
    ("environment", "options", "sentence"),
    [
        ({**KEYS, "AWS_CONFIG_FILE": "/dev/null"}, {}, "no AWS region: give --region"),
        ({}, {}, "no AWS credentials: set AWS_ACCESS_KEY_ID"),
        (EU, {"profile": "none"}, r"The config profile \(none\) could not be found"),
        (EU, {"region": "us east 1"}, "cannot be resolved"),
    ],
)
def test_what_cannot_be_resolved_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], options: dict[str, Any], sentence: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TargetError, match=sentence):
        resolve_endpoint("e", options)
