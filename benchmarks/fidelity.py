"""How far is the reported latency from the truth, which the server's own log knows?

The server answers after a log-normal delay (p50 20 ms, p95 39 ms, p99 51 ms) and logs for each request the time from
the kernel's receive time to the send of the answer. Percentiles of the same requests are compared: error_ms is reported
minus log, the median of the rounds. Every client has one core, idle or with a process on it that burns
90 %; at 1,000 users one core cannot keep up. within_ms: the limit that ours is held to, at p99.

    python -m benchmarks.fidelity [--quick] [--rounds N] [--users N ...]
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np

from benchmarks.invoke_throughput import Client
from benchmarks.machine import arguments, cores, emit, pinned, skip, tool_version
from benchmarks.ours import invoke
from benchmarks.peers import PeerFailed, boto3, fast, hey, wrk
from benchmarks.server import NoServer, latency_server

QUESTION = "fidelity"
SHARES = (0.50, 0.95, 0.99)
# Burns 9 ms of every 10, wherever it is put.
HOG = "import time\nwhile True:\n u = time.monotonic() + 0.009\n while time.monotonic() < u: pass\n time.sleep(0.001)"


def limit_ms(users: int, burnt: bool, truth_ms: float) -> float:
    """How far the reported p99 may be off."""
    return 0.3 + 0.01 * truth_ms if burnt or users >= 1000 else 0.1 + 0.005 * truth_ms


@contextmanager
def hog(on: set[int]) -> Iterator[None]:
    """A process that burns 90 % of a core, as far as others leave it that."""
    with pinned(on):
        process = subprocess.Popen([sys.executable, "-c", HOG])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def measure(name: str, client: Client, users: int, seconds: float, burnt: bool) -> tuple[list[float], list[float], int]:
    """(error at each percentile in ms, the log's percentiles in ms, requests in the log)."""
    with latency_server() as server, hog(cores()[1]) if burnt else nullcontext(), pinned(cores()[1]):
        reported_ms = client(server, users, seconds).percentiles_ms
    latency_ns = np.sort(server.log()[:, 1])
    os.unlink(server.log_path)
    if len(reported_ms) != len(SHARES) or None in reported_ms:
        raise PeerFailed(f"{name} reports no percentiles")
    truth_ms = [float(latency_ns[math.ceil(share * latency_ns.size) - 1]) / 1e6 for share in SHARES]
    return [a - b for a, b in zip(reported_ms, truth_ms, strict=True)], truth_ms, latency_ns.size


def report(name: str, users: int, burnt: bool, rounds: list[tuple[list[float], list[float], int]]) -> None:
    """One line: the worst error of the rounds at each percentile."""
    errors = [max((errors[i] for errors, _, _ in rounds), key=abs) for i in range(len(SHARES))]
    medians = [float(np.median([errors[i] for errors, _, _ in rounds])) for i in range(len(SHARES))]
    truth_ms = [round(float(np.median([truth[i] for _, truth, _ in rounds])), 2) for i in range(len(SHARES))]
    line = {
        "client": name,
        "users": users,
        "core": "90 % burnt" if burnt else "idle",
        "n": len(rounds),
        "requests": sum(requests for _, _, requests in rounds),
        "log_ms": dict(zip(("p50", "p95", "p99"), truth_ms, strict=True)),
        "error_ms": dict(zip(("p50", "p95", "p99"), (round(error, 3) for error in medians), strict=True)),
        "worst_error_ms": dict(zip(("p50", "p95", "p99"), (round(error, 3) for error in errors), strict=True)),
    }
    if name == "loadtest":
        limits = [limit_ms(users, burnt, truth[2]) for _, truth, _ in rounds]
        line["within_ms"] = round(min(limits), 3)
        line["reached"] = all(abs(e[2]) <= limit for (e, _, _), limit in zip(rounds, limits, strict=True))
    emit(QUESTION, **line)


def main() -> None:
    chosen = arguments(__doc__)
    rounds, seconds = chosen.rounds or (1 if chosen.quick else 2), 1.0 if chosen.quick else 5.0
    peers: dict[str, Client] = {"loadtest": invoke}
    for name, client in (("wrk", wrk), ("hey", hey)):
        if tool_version(name):
            peers[name] = client
        else:
            skip(QUESTION, name, f"{name} is not installed (benchmarks/install_peers.sh)")
    peers["FastHttpUser"] = fast
    for users in chosen.users or ((50,) if chosen.quick else (1, 50, 200, 1000)):
        clients = {**peers, "boto3 in Locust": boto3} if users == 50 else peers
        for burnt in (False, True):
            found: dict[str, list[tuple[list[float], list[float], int]]] = defaultdict(list)
            for _ in range(rounds):
                for name, each in clients.items():
                    try:
                        found[name].append(measure(name, each, users, seconds, burnt))
                    except PeerFailed as problem:
                        skip(QUESTION, name, str(problem))
                    except NoServer as problem:
                        skip(QUESTION, "everything", str(problem))
                        return
            for name, results in found.items():
                report(name, users, burnt, results)


if __name__ == "__main__":
    main()
