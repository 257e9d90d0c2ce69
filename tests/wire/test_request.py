"""Heads of unsigned requests."""

from __future__ import annotations

import httptools
import pytest

from loadtest.wire.request import RequestTemplate


class Seen:
    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


@pytest.mark.parametrize("body", [b"", b"{}", b"\r\n\r\n" * 100])
@pytest.mark.parametrize("target", ["/invocations", "/invocations?a=b", "http://host:8080/invocations"])
def test_a_server_reads_what_was_meant(target: str, body: bytes) -> None:
    sent = [("Host", "localhost:8080"), ("Content-Type", "text/csv; charset=utf-8")]
    seen = Seen()
    parser = httptools.HttpRequestParser(seen)
    parser.feed_data(RequestTemplate(target, sent).head(body) + body)
    assert seen.complete
    assert parser.get_method() == b"POST"
    assert (seen.url, seen.body) == (target.encode(), body)
    length = (b"Content-Length", str(len(body)).encode())
    assert seen.headers == [*((name.encode(), value.encode()) for name, value in sent), length]


@pytest.mark.parametrize("header", [("X", "a\r\nb"), ("Bad name", "x"), ("Host", "twice")])
def test_a_header_that_would_break_the_request_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="header"):
        RequestTemplate("/", [("Host", "localhost"), header])


@pytest.mark.parametrize("target", ["/a b", "/a\nb", "/ä"])
def test_a_target_that_would_break_the_request_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="request line"):
        RequestTemplate(target, [])
