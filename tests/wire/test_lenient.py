"""What real servers send and botocore's client reads: the same here, against http.client; strict on request."""

from __future__ import annotations

import http.client
import io
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.wire.head import HeadReader
from loadtest.wire.http1 import ResponseParser
from loadtest.wire.lines import shown

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n"

# id -> an answer that http.client reads and RFC 9112 does not, how strict reading names it ("": reads it too).
ODD: dict[str, tuple[bytes, str]] = {
    "identity": (OK + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}", ""),
    "gzip and a length": (OK + b"Transfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nzz", ""),
    "bare line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", r"bad status line: 'HTTP/1.1 200 OK\n'"),
    "one bare line feed": (OK + b"X: y\nContent-Length: 2\r\n\r\n{}", r"bad header, line 2: 'X: y\n'"),
    "an empty line of a bare line feed": (OK + b"Content-Length: 2\r\n\n{}", r"bad header, line 3: '\n'"),
    "chunked twice": (CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                      "bad transfer-encoding: 'chunked, chunked'"),
    "a stray line": (OK + b"Content-Length: 2\r\ngarbage\r\n\r\n{}", "bad header, line 3: 'garbage'"),
    "a stray line first": (OK + b"garbage here\r\nContent-Length: 2\r\n\r\n{}", "bad header, line 2: 'garbage here'"),
    "no name": (OK + b": x\r\nContent-Length: 2\r\n\r\n{}", "bad header, line 2: ': x'"),
    "a space before the colon": (OK + b"X : y\r\nContent-Length: 2\r\n\r\n{}", "bad header, line 2: 'X : y'"),
    "nul in a value": (OK + b"X: a\0b\r\nContent-Length: 2\r\n\r\n{}", r"bad header, line 2: 'X: a\x00b'"),
    "bytes in a value": (OK + b"X: \xff\x01\r\nContent-Length: 2\r\n\r\n{}", r"bad header, line 2: 'X: \xff\x01'"),
    "spaces in the status line": (b"HTTP/1.1  200   OK\r\nContent-Length: 2\r\n\r\n{}",
                                  "bad status line: 'HTTP/1.1  200   OK'"),
    "version 1.10": (b"HTTP/1.10 200 OK\r\nContent-Length: 2\r\n\r\n{}", "bad status line: 'HTTP/1.10 200 OK'"),
    "a control character in the reason": (b"HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\n{}",
                                          r"bad status line: 'HTTP/1.1 200 O\x01K'"),
    "length with a sign": (OK + b"Content-Length: +2\r\n\r\n{}", "bad content-length: '+2'"),
    "length with zeros": (OK + b"Content-Length: 0002\r\n\r\n{}", ""),
    "length of nothing": (OK + b"Content-Length:\r\n\r\n{}", "bad content-length: ''"),
    "length below 0": (OK + b"Content-Length: -1\r\n\r\n{}", "bad content-length: '-1'"),
    "length in hex": (OK + b"Content-Length: 0x2\r\n\r\n{}", "bad content-length: '0x2'"),
    "chunk size with line feed": (CHUNKED + b"\r\n2\n{}\r\n0\r\n\r\n", r"bad chunk size at byte 0 of the body: '2\n'"),
    "chunk size with 0x": (CHUNKED + b"\r\n2\r\n{}\r\n0x2\r\n{}\r\n0\r\n\r\n",
                           "bad chunk size at byte 7 of the body: '0x2'"),
    "chunk size with spaces": (CHUNKED + b"\r\n 2 \r\n{}\r\n0\r\n\r\n", "bad chunk size at byte 0 of the body: ' 2 '"),
    "a trailer without a colon": (CHUNKED + b"\r\n2\r\n{}\r\n0\r\ngarbage\r\n\r\n", "bad trailer, line 1: 'garbage'"),
    "no line after the last chunk": (CHUNKED + b"\r\n2\r\n{}\r\n0\r\n", ""),
    "a trailer of line feeds": (CHUNKED + b"\r\n2\r\n{}\r\n0\r\nX: y\n\n", r"bad trailer, line 1: 'X: y\n'"),
}  # fmt: skip


class _Socket:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self.data)


def stdlib(data: bytes) -> tuple[int, bytes]:
    """What http.client reads."""
    answer = http.client.HTTPResponse(_Socket(data), method="POST")  # type: ignore[arg-type]
    answer.begin()
    return answer.status, answer.read()


def read(data: bytes, at: Sequence[int] = (), *, strict: bool = False) -> tuple[int, bytes, str]:
    """(status, body, fault) of an answer that is cut at these places, and then the stream ends."""
    parser = ResponseParser(HeadReader(strict=strict), keep=True)
    points = sorted({point % (len(data) + 1) for point in at})
    done = False
    for start, end in zip([0, *points], [*points, len(data)], strict=True):
        done = done or (start < end and parser.feed(data[start:end]))
    if not (done or parser.eof()):
        return 0, b"", "truncated"
    return parser.head.status, parser.take(), parser.fault


@pytest.mark.parametrize(("data", "strict_fault"), ODD.values(), ids=ODD)
def test_what_http_client_reads_is_read(data: bytes, strict_fault: str) -> None:
    status, body = stdlib(data)
    everywhere = range(len(data))
    for at in ((), everywhere, *([i] for i in everywhere)):
        assert read(data, at) == (status, body, "")
        told = read(data, at, strict=True)
        assert told[2] == (strict_fault or told[2])
        if not strict_fault:
            assert told[2] in ("", "truncated")


@pytest.mark.parametrize(
    "head",
    [OK + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n", b"HTTP/1.1 200 OK\nContent-Length: 2\n\n",
     OK + b"stray\r\nContent-Length: 2\r\n\r\n", OK + b"Content-Length: 2\r\nContent-Length : 2\r\n\r\n"],
)  # fmt: skip
def test_the_connection_goes_on(head: bytes) -> None:
    """At once, without waiting for its end: answer after answer."""
    parser = ResponseParser()
    for _ in range(3):
        assert parser.feed(head + b"{}")
        assert (parser.head.status, parser.body_bytes, parser.fault, parser.reusable) == (200, 2, "", True)
        parser.reset()


@pytest.mark.parametrize("noise", [b"\r\n", b"\n", b"\r\n\r\n", b"\r"])
def test_an_empty_line_after_the_body_is_no_answer(noise: bytes) -> None:
    plain = OK + b"Content-Length: 2\r\n\r\n{}"
    parser = ResponseParser()
    assert parser.feed(plain + noise)
    assert parser.reusable
    parser.reset()
    assert not parser.feed(noise)
    assert not parser.started
    assert not parser.eof()
    assert parser.feed(plain)
    assert (parser.head.status, parser.body_bytes, parser.fault, parser.reusable) == (200, 2, "", True)
    parser.reset()
    assert parser.feed(noise + plain)
    assert parser.fault == ""
    strict = ResponseParser(HeadReader(strict=True))
    assert strict.feed(plain + noise)
    assert not strict.reusable


def test_what_is_no_answer_stays_none() -> None:
    for data, fault in (
        (b"SSH-2.0-OpenSSH_9.2\r\n", "bad status line: 'SSH-2.0-OpenSSH_9.2'"),
        (b"HTTP/2 200\r\n\r\n", "bad status line: 'HTTP/2 200'"),
        (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "bad content-length: '2, 3'"),
        (CHUNKED + b"\r\nzz\r\n", "bad chunk size at byte 0 of the body: 'zz'"),
        (CHUNKED + b"\r\n2\r\n{}!\r\n0\r\n\r\n", "bad end of chunk at byte 5 of the body: '!'"),
        (b"\x15\x03\x01\x00\x02\x02F", r"bad status line: '\x15\x03\x01\x00\x02\x02F'"),
        (OK + b"Content-Le", "truncated"),  # http.client takes this for a whole answer
    ):
        for at in ((), range(len(data))):
            assert read(data, at)[2] == fault


def test_what_is_shown_of_a_server_is_short_and_printable() -> None:
    assert shown(b"a\x1b[31m\xff'\"\r\n") == "'a\\x1b[31m\\xff\\'\"\\r\\n'"
    assert len(shown(b"\0" * 100_000)) <= 60 * 4 + 5
    assert shown(b"x" * 61) == f"'{'x' * 60}'..."


def test_a_header_line_that_looks_like_the_status_line_is_no_length() -> None:
    data = OK + OK + b"\r\n" + b"x" * 200
    assert read(data, strict=True)[2] == "bad header, line 2: 'HTTP/1.1 200 OK'"
    assert read(data + b"x") == (200, b"x" * 201, "")


PIECES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 ", b"\r\n", b"\n", b"\r", b" ", b"\t", b"Content-Length: 3", b"Content-Length: ",
     b"Transfer-Encoding: chunked", b"Transfer-Encoding: ", b"3", b"0", b"zz", b";x", b"abc", b": ", b"\0", b"\r\n\r\n",
     b"HTTP/1.1 100 Continue\r\n\r\n", b"x" * 300]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(PIECES, max_size=12).map(b"".join) | st.lists(PIECES, max_size=12).map(lambda x: OK + b"".join(x)),
    st.lists(st.integers(0, 10_000), max_size=8),
    st.booleans(),
)
def test_a_fault_has_the_same_name_however_the_bytes_come(data: bytes, cuts: list[int], strict: bool) -> None:
    assert read(data, cuts, strict=strict) == read(data, strict=strict)
    assert read(data, range(len(data)), strict=strict) == read(data, strict=strict)
