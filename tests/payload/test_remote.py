"""Archives behind https, on a real server of this machine: cached by ETag, checked, fetched again when they change."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from authorities import make_authority

from loadtest.core.request.s3 import is_web_object
from loadtest.core.request.spec import StopConditions
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import PayloadSource, Plan, TargetRef
from loadtest.errors import TargetError
from loadtest.payload.payload import load_payloads
from loadtest.payload.remote import PayloadCache


def _archive(text: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("a.csv")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return packed.getvalue()


@dataclass
class Shop:
    """What it serves, and the status of each answer that it gave."""

    url: str = ""
    ca_file: str = ""
    body: bytes = b""
    etag: str = '"1"'
    length: int | None = None
    answers: list[int] = field(default_factory=list)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    it = Shop()
    (tmp_path / "ca").mkdir()
    authority = make_authority(tmp_path / "ca")
    it.ca_file = authority.ca_file

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = 304 if self.headers["If-None-Match"] == it.etag else 200
            status = 404 if "gone" in self.path else status
            it.answers.append(status)
            self.send_response(status)
            self.send_header("ETag", it.etag)
            body = it.body if status == 200 else b""
            self.send_header("Content-Length", str(len(body) if it.length is None else it.length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = authority.good.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that does not trust it leaves
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    it.url = f"https://localhost:{server.server_port}/in/payload.tar.gz?token=secret"
    yield it
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_kept_and_fetched_again_when_it_changed_or_the_copy_did(shop: Shop, tmp_path: Path) -> None:
    cache = PayloadCache({"ca_file": shop.ca_file}, tmp_path / "kept")
    shop.body = _archive(b"first")
    path = cache.path(shop.url)
    assert load_payloads(PayloadSource(str(path))).items[0].body == b"first"
    assert cache.path(shop.url) == path
    assert shop.answers == [200, 304]
    path.write_bytes(b"damaged")
    cache.path(shop.url)
    assert path.read_bytes() == shop.body
    shop.body, shop.etag = _archive(b"other"), '"2"'
    assert load_payloads(PayloadSource(str(cache.path(shop.url)))).items[0].body == b"other"
    assert shop.answers == [200, 304, 200, 200]


@pytest.mark.parametrize(
    ("body", "length", "path", "words"),
    [
        (b"no archive at all", None, "", "no archive"),
        (_archive(b"x")[:-20], None, "", "archive"),
        (_archive(b"x"), 300 << 20, "", "over"),
        (_archive(b"x"), None, "gone", "HTTP 404"),
    ],
    ids=["no archive", "cut", "too large", "gone"],  # an archive holds the time it was made at
)
def test_what_is_wrong_with_it_is_said_and_not_kept(
    shop: Shop, tmp_path: Path, body: bytes, length: int | None, path: str, words: str
) -> None:
    shop.body, shop.length = body, length
    with pytest.raises(TargetError, match=words) as told:
        PayloadCache({"ca_file": shop.ca_file}, tmp_path / "kept").path(shop.url.replace("/in/", f"/in{path}/"))
    assert "secret" not in str(told.value)
    assert not list((tmp_path / "kept").rglob("*.gz"))


def test_an_unknown_authority_is_refused(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="certificate verify failed"):
        PayloadCache({}, tmp_path / "kept").path(shop.url)


@pytest.mark.parametrize(
    ("url", "is_web"),
    [
        ("https://example.com/a.tar.gz", True),
        ("https://bucket.s3.eu-west-1.amazonaws.com/a.tar.gz", False),
        ("https://s3.amazonaws.com/bucket/a.tar.gz", False),
        ("https://s3-eu-west-1.amazonaws.com/bucket/a.tar.gz", False),
        ("s3://bucket/a.tar.gz", False),
        ("https://[::1/a", False),
    ],
)
def test_which_address_is_fetched_as_it_stands(url: str, is_web: bool) -> None:
    assert is_web_object(url) is is_web


def test_what_gives_access_is_not_shown() -> None:
    curve = TrafficCurve((Step(0.0, 1),), 1.0)
    plan = Plan(curve, StopConditions(), TargetRef("null:"), PayloadSource("https://example.com/a.tgz?sig=secret"))
    assert plan.payload.is_remote
    assert "secret" not in str(plan.shown())
