"""SamplePayloadUrl from a real moto server over HTTP, as `loadtest run` fetches it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from loadtest.core.traffic.plan import PayloadSource
from loadtest.errors import TargetError
from loadtest.payload.payload import load_payloads
from loadtest.payload.remote import PayloadCache


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "t")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "t")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.client("s3").create_bucket(Bucket="samples")
    yield "samples"
    server.stop()


def test_an_archive_becomes_payloads(bucket: str, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in ("a.csv", "b.csv"):
            entry = tarfile.TarInfo(name)
            entry.size = 5
            archive.addfile(entry, io.BytesIO(b"1,2,3"))
    boto3.client("s3").put_object(Bucket=bucket, Key="in/payload.tar.gz", Body=packed.getvalue())
    path = PayloadCache({}, tmp_path).path(f"s3://{bucket}/in/payload.tar.gz")
    payloads = load_payloads(PayloadSource(str(path), "text/csv"))
    assert [payload.name for payload in payloads.items] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://samples/missing", "cannot be read"),
        ("https://s3.host/samples/missing", "cannot be read"),
        ("https://s3.x/", "not s3://"),
    ],
)
def test_what_cannot_be_read_is_said(bucket: str, tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(TargetError, match=words):
        PayloadCache({}, tmp_path).path(url)
