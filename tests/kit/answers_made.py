"""Responses of HTTP/1.1, valid ones with what they must come to, and damaged ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from places import DATA

CORPUS = json.loads((DATA / "http1_responses.json").read_text())


@dataclass(frozen=True)
class Verdict:
    """What a response came to. complete: before the stream's end; ended: only with it."""

    complete: bool
    ended: bool = False
    malformed: bool = False
    fault: str = ""
    status: int = 0
    body: bytes = b""
    reusable: bool = False
    model_latency_us: int | None = None


def text(case: dict[str, Any]) -> bytes:
    return str(case["response"]).encode("latin-1")


TOKENS = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True)
FRAMING = {"content-length", "transfer-encoding", "connection", "x-loadtest-model-latency-us", "upgrade", "trailer"}
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)
FIELDS = st.lists(st.tuples(TOKENS.filter(lambda name: name.lower() not in FRAMING), TEXTS), max_size=6)


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, Verdict]:
    """A valid response and what it must come to."""
    status = draw(st.sampled_from([200, 201, 204, 304, 400, 404, 424, 429, 500, 503, 530]))
    fields = list(draw(FIELDS))
    body = draw(st.binary(max_size=200)) if status not in (204, 304) else b""
    close = draw(st.booleans())
    latency = draw(st.none() | st.integers(0, 10**9))
    framing = draw(st.sampled_from(["length", "chunked", "close"])) if status not in (204, 304) else "none"
    if close:
        fields.append(("Connection", draw(st.sampled_from(["close", "Close", "x, close"]))))
    if latency is not None:
        fields.append(("X-Loadtest-Model-Latency-Us", str(latency)))
    payload = body
    if framing == "length":
        fields.append((draw(st.sampled_from(["Content-Length", "content-length"])), str(len(body))))
    elif framing == "chunked":
        fields.append(("Transfer-Encoding", "chunked"))
        sizes = draw(st.lists(st.integers(1, 60), max_size=20))
        payload = b""
        rest = body
        while rest:
            size = min(sizes.pop() if sizes else len(rest), len(rest))
            payload += f"{size:{draw(st.sampled_from(['x', 'X', '04x']))}}".encode()
            payload += draw(st.sampled_from([b"", b";a=b", b' ;n="v"'])) + b"\r\n" + rest[:size] + b"\r\n"
            rest = rest[size:]
        payload += b"0\r\n" + draw(st.sampled_from([b"", b"X-Sum: 1\r\n", b"A: b\r\nC: d\r\n"])) + b"\r\n"
    order = draw(st.permutations(fields))
    interim = draw(
        st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"])
    )
    reason = draw(st.sampled_from([b" OK", b" ", b"", b" Model Error"]))
    head = b"HTTP/1.1 %d%b\r\n" % (status, reason)
    head += b"".join(f"{name}:{draw(st.sampled_from(['', ' ', '  ']))}{value}\r\n".encode() for name, value in order)
    until_close = framing == "close"
    reusable = not close and not until_close
    verdict = Verdict(not until_close, until_close, False, "", status, body, reusable, latency)
    return interim + head + b"\r\n" + payload, verdict


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid response with a few bytes changed, dropped, doubled or put in."""
    data = bytearray(draw(responses())[0])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        how = draw(st.sampled_from(["set", "drop", "put", "cut"]))
        if how == "set" and data:
            data[at] = draw(st.integers(0, 255))
        elif how == "drop":
            del data[at : at + draw(st.integers(1, 10))]
        elif how == "put":
            data[at:at] = draw(
                st.sampled_from([b"\r\n", b"\n", b"\x00", b"HTTP/1.1 200\r\n", b":", b" ", b"\r", b"ff"])
            )
        else:
            del data[at:]
    return bytes(data)
