"""How does it bear input that means harm? Counts that must be 0, and the longest that any text holds a pattern up.

python -m benchmarks.hostile [--quick] [--only jobs,bytes,patterns,kills] [--seed N]

jobs      published job requests with members replaced, removed, renamed and nested anew: a SpecError or a JobSpec
bytes     random, and broken, job files, answers of servers in random pieces, event streams, tar and zip archives: words
patterns  every pattern of SageMaker's service model against texts made to send it back and forth
kills     `loadtest serve` killed with SIGKILL at random moments among jobs: lost and doubled jobs, orphans, files left

Bounded in count and time; all traffic is to loopback; exit code 1 if a count that must be 0 is not.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import io
import json
import random
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.kills import kills
from benchmarks.machine import ROOT, emit

JOBS = sorted((ROOT / "tests" / "data" / "jobs").rglob("*.json"))
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1e308, 2**70, -0.0, "", "x" * 5000, "\0", "\ud800", "ml.c5.large", "P95"),
    *([], {}, [[]], {"a": {}}),
)
PARTS = ("jobs", "bytes", "patterns", "kills")
MOST_SECONDS = 600.0  # of any part


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the counts")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    scale = 100 if chosen.quick else 1
    parts: dict[str, Callable[[], bool]] = {
        "jobs": lambda: _jobs(40_000 // scale, rng),
        "bytes": lambda: _bytes(40_000 // scale, rng),
        "patterns": lambda: _patterns(60_000 // scale, rng),
        "kills": lambda: kills(18 if scale == 1 else 1, rng),
    }
    kept = [parts[name]() for name in chosen.only.split(",")]  # all of them, whatever the first says
    return 0 if all(kept) else 1


def _count(question: str, cases: Iterator[Callable[[], object]], expected: tuple[type[Exception], ...]) -> bool:
    """Call every case; those that raise anything else than `expected` are counted, and the first is shown."""
    refused = accepted = crashed = 0
    first, longest_s, begun_s = "", 0.0, time.monotonic()
    for case in cases:
        started_s = time.monotonic()
        try:
            case()
            accepted += 1
        except expected:
            refused += 1
        except Exception as problem:
            crashed += 1
            where = traceback.extract_tb(problem.__traceback__)[-1]
            first = first or f"{type(problem).__name__}: {problem} ({where.filename}:{where.lineno})"[:500]
        longest_s = max(longest_s, time.monotonic() - started_s)
        if time.monotonic() - begun_s > MOST_SECONDS:
            break
    emit(
        question,
        cases=accepted + refused + crashed,
        accepted=accepted,
        refused=refused,
        crashed=crashed,
        longest_ms=round(1000 * longest_s, 1),
        first_crash=first,
        claim="none crashes",
        kept=not crashed,
    )
    return not crashed


def _jobs(count: int, rng: random.Random) -> bool:
    from loadtest import SpecError
    from loadtest import parse as parse_job

    requests = [json.loads(path.read_text()) for path in JOBS]

    def cases() -> Iterator[Callable[[], object]]:
        for i in range(count):
            request = copy.deepcopy(rng.choice(requests))
            for _ in range(rng.randint(1, 4)):
                _mutate(request, rng)
            profile: Any = ("aws", "relaxed")[i % 2]
            yield lambda request=request, profile=profile: parse_job(request, profile=profile)

    return _count("mutated job requests", cases(), (SpecError,))


def _mutate(value: Any, rng: random.Random) -> None:
    """Change one thing somewhere inside a dict or a list."""
    while True:
        keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(value[key], (dict, list)) and value[key] and rng.random() < 0.7:
            value = value[key]
            continue
        act = rng.randrange(4)
        if act == 0:
            value[key] = copy.deepcopy(rng.choice(ODD))
        elif act == 1:
            del value[key]
        elif act == 2 and isinstance(value, dict):
            value[rng.choice(("", "x", str(key).lower(), f"{key}s", "\u00e9"))] = value.pop(key)
        else:
            value[key] = [copy.deepcopy(value[key])] * rng.randint(1, 30)
        return


def _bytes(count: int, rng: random.Random) -> bool:
    from loadtest.errors import SpecError
    from loadtest.wire.eventstream import FrameDecoder, encode_event

    texts = [path.read_bytes() for path in JOBS]
    event = encode_event({":event-type": "PayloadPart", ":message-type": "event"}, b"body" * 20)

    def answers() -> None:
        data = _broken(rng.choice(_ANSWERS), rng)
        one, other = _heard(data, rng), _heard(data, rng)
        assert one == other, f"{data[:200]!r}: {one} when cut one way, {other} when cut another"

    def events() -> None:
        decoder, data = FrameDecoder(), _broken(event * 3, rng)
        for piece in _pieces(data, rng):
            decoder.feed(piece)

    with tempfile.TemporaryDirectory(prefix="loadtest-hostile-") as folder:
        place = Path(folder)
        makers: tuple[Callable[[], object], ...] = (
            lambda: _job_file(place / "a.json", _broken(rng.choice(texts), rng)),
            lambda: _job_file(place / "a.yaml", _broken(rng.choice(texts), rng)),
            lambda: _job_file(place / "a", rng.randbytes(rng.randint(0, 300))),
            answers,
            events,
            lambda: _payload(place / "a.tar.gz", gzip.compress(_broken(_tar(), rng), 1)),
            lambda: _payload(place / "a.zip", _broken(_zip(), rng)),
        )
        cases = (rng.choice(makers) for _ in range(count))
        return _count("broken bytes", cases, (SpecError, ValueError))


_ANSWERS = (
    b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Type: application/json\r\n\r\n{"a": [1.0]}',
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0;x=y\r\nTrailer: 1\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 424 Failed\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end",
)


def _heard(data: bytes, rng: random.Random) -> tuple[object, ...]:
    """What a parser makes of an answer that comes in random pieces and then ends."""
    from loadtest.wire.http1 import ResponseParser

    parser = ResponseParser(keep=True)
    parser.reset()
    for piece in _pieces(data, rng):
        if parser.feed(piece):
            break
    else:
        parser.eof()
    return (bool(parser.fault), parser.head.status if not parser.fault else 0, parser.fault)


def _pieces(data: bytes, rng: random.Random) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        end = at + rng.choice((1, 2, 7, 100, len(data)))
        yield data[at:end]
        at = end


def _broken(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, taken out, doubled or cut off."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(changed) + 1)
        act = rng.randrange(4)
        if act == 0:
            changed[at : at + 1] = bytes([rng.randrange(256)])
        elif act == 1:
            del changed[at : at + rng.randint(1, 9)]
        elif act == 2:
            changed[at:at] = changed[at : at + rng.randint(1, 30)]
        elif rng.random() < 0.3:
            del changed[at:]
    return bytes(changed)


def _job_file(path: Path, data: bytes) -> object:
    from loadtest.jobfile.jobfile import load_job

    path.write_bytes(data)
    return load_job(path, "relaxed")


def _payload(path: Path, data: bytes) -> object:
    from loadtest.core.traffic.plan import PayloadSource
    from loadtest.payload.payload import load_payloads

    path.write_bytes(data)
    return load_payloads(PayloadSource(str(path)))


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, size in (("a.json", 3), ("d" * 120, 700)):
            info = tarfile.TarInfo(name)
            info.size = size
            tar.addfile(info, io.BytesIO(b"x" * size))
    return out.getvalue()


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b"abc" * 50)
        archive.writestr("b/c.json", b"x" * 700)
    return out.getvalue()


def _patterns(count: int, rng: random.Random) -> bool:
    """The longest that one text took, over every pattern of the service model."""
    from loadtest.emulator.model import JOB_OPERATIONS, operation
    from loadtest.emulator.validate import violations

    found: dict[str, Any] = {}
    for name in JOB_OPERATIONS:
        _strings(operation(name).input_shape, found)
    shapes = [shape for shape in found.values() if shape.metadata.get("pattern")]
    longest_s, worst, tried, begun_s = 0.0, "", 0, time.monotonic()
    for i in range(count):
        shape = shapes[i % len(shapes)]
        pattern = shape.metadata["pattern"]
        unit = "".join(rng.choice(f"a0-/:._+=@ {pattern}") for _ in range(rng.randint(1, 4)))
        size = min(shape.metadata.get("max", 1024), 20_000)
        text = rng.choice(("", "arn:aws:", "https://", "s3://")) + unit * (size // len(unit))
        text = text[: size - 1] + rng.choice("!\n\0a")
        started_s = time.monotonic()
        violations(text, shape)  # type: ignore[arg-type] - any shape has them
        took_s = time.monotonic() - started_s
        tried += 1
        if took_s > longest_s:
            longest_s, worst = took_s, pattern
        if time.monotonic() - begun_s > MOST_SECONDS:
            break
    emit(
        "patterns", texts=tried, patterns=len(shapes), longest_ms=round(1000 * longest_s, 1), worst_pattern=worst[:120]
    )
    return True


def _strings(shape: Any, found: dict[str, Any]) -> None:
    """Every string shape in a request, by name."""
    if shape.type_name == "string":
        found[shape.name] = shape
    for inner in [*getattr(shape, "members", {}).values(), *[getattr(shape, "member", None)]]:
        if inner is not None:
            _strings(inner, found)


if __name__ == "__main__":
    sys.exit(main())
