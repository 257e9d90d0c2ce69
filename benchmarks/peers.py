"""The other load generators: each run as a process on the client's core, and what it reports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.ours import CREDENTIALS
from benchmarks.server import Server

__all__ = ["PEERS", "Peer", "PeerFailed", "h2load", "hey", "locust", "wrk"]

BODY = '{"instances": [[0.0]]}'
PATH = "/endpoints/bench/invocations"
SLACK_S = 60


class PeerFailed(Exception):
    """It ended with an error, or said nothing that can be read."""


@dataclass(frozen=True)
class Peer:
    """per_s and percentiles_ms: as it reports them. cpu_us: per request. failed: requests."""

    per_s: float
    cpu_us: float
    failed: int
    percentiles_ms: tuple[float, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


def wrk(server: Server, users: int, seconds: float) -> Peer:
    script = Path(__file__).with_name("wrk.lua")
    command = ["wrk", "-t1", f"-c{users}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(script)]
    text, cpu_s = _run([*command, server.url + PATH], seconds)
    requests, p50, p95, p99, failed = _found(r"BENCH (\d+) ([\d.]+) ([\d.]+) ([\d.]+) (\d+)", text).groups()
    rate = float(_found(r"Requests/sec:\s+([\d.]+)", text)[1])
    return Peer(rate, 1e6 * cpu_s / max(int(requests), 1), int(failed), (float(p50), float(p95), float(p99)))


def hey(server: Server, users: int, seconds: float) -> Peer:
    command = ["hey", "-z", f"{seconds:g}s", "-c", str(users), "-cpus", "1", "-t", "30", "-m", "POST"]
    text, cpu_s = _run([*command, "-T", "application/json", "-d", BODY, server.url + PATH], seconds)
    rate = float(_found(r"Requests/sec:\s+([\d.]+)", text)[1])
    answers = {int(status): int(n) for status, n in re.findall(r"\[(\d{3})\]\s+(\d+) responses", text)}
    lost = sum(int(n) for n in re.findall(r"^\s+\[(\d+)\]\s+(?:Post|read|dial)", text, re.MULTILINE))
    tail = (1000 * float(s) for s in re.findall(r"(?:50|95|99)% in ([\d.]+) secs", text))
    failed = sum(n for status, n in answers.items() if status != 200) + lost
    return Peer(rate, 1e6 * cpu_s / max(answers.get(200, 0), 1), failed, tuple(tail))


def h2load(server: Server, users: int, seconds: float) -> Peer:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        body.write(BODY)
        body.flush()
        command = ["h2load", "--h1", "-t1", f"-c{users}", "-D", str(max(1, round(seconds))), "-d", body.name]
        text, cpu_s = _run([*command, "-H", "content-type: application/json", server.url + PATH], seconds)
    rate = float(_found(r"finished in [\d.]+\w+, ([\d.]+) req/s", text)[1])
    done, failed = (int(n) for n in _found(r"(\d+) done, \d+ succeeded, (\d+) failed", text).groups())
    return Peer(rate, 1e6 * cpu_s / max(done, 1), failed)


def locust(which: str, server: Server | None, users: int, seconds: float, shape: str = "") -> Peer:
    """which: a user of benchmarks/locust_users.py. The time until all have started is not in its rate."""
    command = [sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("locust_users.py"))]
    command += ["--headless", "--only-summary", "--reset-stats" if shape else "--stop-timeout=5"]
    command += ["--host", server.url if server else "http://127.0.0.1:1"]
    if not shape:
        command += ["-u", str(users), "-r", str(users), "-t", f"{round(seconds + (4 if which == 'boto3' else 2))}s"]
    env = {"BENCH_USER": which, "BENCH_SHAPE": shape}
    if server is not None and server.ca_file is not None:
        env["AWS_CA_BUNDLE"] = server.ca_file
    text, _ = _run(command, seconds + 30, env)
    told = json.loads(_found(r"^BENCH (\{.*\})$", text)[1])
    if not shape and not told["per_s"]:
        raise PeerFailed("no request was answered between the start of the last user and the end")
    return Peer(told["per_s"], told["cpu_us"], told["failed"], tuple(told["percentiles_ms"]), told)


def boto3(server: Server, users: int, seconds: float) -> Peer:
    return locust("boto3", server, users, seconds)


def fast(server: Server, users: int, seconds: float) -> Peer:
    return locust("fast", server, users, seconds)


# name -> (what runs it, the program that must be installed)
PEERS = {
    "wrk": (wrk, "wrk"),
    "hey": (hey, "hey"),
    "h2load": (h2load, "h2load"),
    "FastHttpUser": (fast, None),
    "boto3 in Locust": (boto3, None),
}


def _run(command: list[str], seconds: float, env: Mapping[str, str] | None = None) -> tuple[str, float]:
    """(what it printed, its CPU time in s). Raises PeerFailed."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **CREDENTIALS, **(env or {})}
        )
        before = os.times()
        try:
            code = process.wait(seconds + SLACK_S)
        except BaseException:
            process.kill()
            process.wait()
            raise
        after = os.times()
        output.seek(0)
        text = output.read()
    # Locust's exit code is 1 if a request failed; its report says so too.
    if code and "BENCH" not in text:
        raise PeerFailed(f"{command[0]} ended with code {code}: {text[-500:]}")
    cpu_s = after.children_user - before.children_user + after.children_system - before.children_system
    return text, cpu_s


def _found(pattern: str, text: str) -> re.Match[str]:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise PeerFailed(f"{pattern} is not in: {text[-500:]}")
    return found
