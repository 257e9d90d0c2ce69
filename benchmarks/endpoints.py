"""Endpoints with a known capacity, in virtual time (`endpoints.c`), a window a second: what a search sees of them.

Closed loops of users, or open ones at a rate (`Family.by`). The true capacity is that of a long simulation of every
load near it, which shares nothing with a search but the endpoint: another seed, no change of load, hours of traffic.
"""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from loadtest.core.request.search import By
from loadtest.core.search.reading import Reading

__all__ = ["FAMILIES", "Family", "Loop", "share_over", "truth"]

FIXED, EXPONENTIAL, LOGNORMAL, PARETO, SHARING, LOCK = range(6)
TRUTH_REQUESTS = 20_000_000
TRUTH_SEED = 10**9


@dataclass(frozen=True, slots=True)
class Family:
    """mean_s, shape: of the service time's law. servers: that work at a time; 0: as many as there are requests.

    limit_s, percentile: the objective; limit_s = infinity: a share of 1 - percentile may fail. has: it has a capacity
    that stays. by: users, or rate, with `poisson` arrivals or evenly spaced ones. pause_s, every_s: nothing is begun
    for so long, so often. quota, burst: requests a second that are let in. grows_at_s: twice the servers from then on.
    cold_s, cold_times: so many times slower until then. drift_per_s: the service time grows by this share a second.
    batch, batch_s, batch_each_s: at most so many at a time, which take batch_s and so much for each. fails_at: 1 % fail
    with so many in flight, by the third power.
    """

    law: int = EXPONENTIAL
    mean_s: float = 0.02
    servers: int = 4
    limit_s: float = 0.2
    percentile: float = 0.95
    shape: float = 0.0
    has: bool = True
    by: By = "users"
    poisson: bool = False
    pause_s: float = 0.0
    every_s: float = 10.0
    quota: float = 0.0
    burst: float = 0.0
    grows_at_s: float = math.inf
    cold_s: float = 0.0
    cold_times: float = 1.0
    drift_per_s: float = 0.0
    batch: int = 0
    batch_s: float = 0.0
    batch_each_s: float = 0.0
    fails_at: float = 0.0


FAMILIES: Mapping[str, Family] = {
    "M/D/1": Family(FIXED, 0.005, 1, 0.1513),
    "M/D/4": Family(FIXED, limit_s=0.101),
    "M/D/16": Family(FIXED, 0.04, 16, 0.13),
    "M/D/64": Family(FIXED, 0.04, 64, 0.09),
    "M/M/1": Family(mean_s=0.005, servers=1, limit_s=0.1),
    "M/M/4": Family(),
    "M/M/4 P50": Family(limit_s=0.1, percentile=0.5),
    "M/M/4 P99": Family(limit_s=0.3, percentile=0.99),
    "M/M/16": Family(mean_s=0.04, servers=16, limit_s=0.198),
    "M/M/64": Family(mean_s=0.04, servers=64, limit_s=0.17),
    "log-normal, 4": Family(LOGNORMAL, shape=0.6),
    "Pareto, 4": Family(PARETO, limit_s=0.203, shape=2.5),
    "sharing": Family(SHARING, 0.005, 0, 0.31),
    "lock (USL)": Family(LOCK, servers=0),
    "batches of 32": Family(servers=0, limit_s=0.08, shape=0.1, batch=32, batch_s=0.02, batch_each_s=0.001),
    "errors <= 1 %": Family(limit_s=math.inf, percentile=0.99, fails_at=30.5),
    "pauses": Family(pause_s=0.3),
    "warm-up 20 s": Family(cold_s=20.0, cold_times=3.0),
    "by rate, D/D/4": Family(FIXED, limit_s=0.06, by="rate"),
    "by rate, D/M/1": Family(mean_s=0.005, servers=1, limit_s=0.1, by="rate"),
    "by rate, D/M/4": Family(by="rate"),
    "by rate, D/M/16": Family(mean_s=0.04, servers=16, by="rate"),
    "by rate, log-normal, 4": Family(LOGNORMAL, shape=0.6, by="rate"),
    "by rate, M/D/4": Family(FIXED, limit_s=0.101, by="rate", poisson=True),
    "by rate, M/M/4": Family(by="rate", poisson=True),
    "drift": Family(has=False, drift_per_s=0.004),
    "autoscaler": Family(has=False, grows_at_s=30.0),
    "token bucket": Family(servers=16, has=False, quota=100.0, burst=300.0),
}


class _Family(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("law", "servers", "batch", "poisson")),
        *((name, ctypes.c_double) for name in ("mean_s", "shape", "limit_s", "pause_s", "every_s", "quota", "burst")),
        *((name, ctypes.c_double) for name in ("grows_at_s", "cold_s", "cold_times", "drift_per_s")),
        *((name, ctypes.c_double) for name in ("batch_s", "batch_each_s", "fails_at")),
    )


class _Seen(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_double) for name in ("n", "ok", "over", "throttled", "failed", "sum_s"))


@cache
def _engine() -> Any:
    """`endpoints.c`, compiled. Raises SystemExit without a compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise SystemExit("there is no gcc to compile endpoints.c with")
    with tempfile.TemporaryDirectory(prefix="loadtest-bench-") as folder:
        source, built = Path(__file__).with_suffix(".c"), f"{folder}/endpoints.so"
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", built, str(source), "-lm"], check=True)
        engine = ctypes.CDLL(built)
    engine.loop_new.restype = ctypes.c_void_p
    engine.loop_new.argtypes = (ctypes.POINTER(_Family), ctypes.c_uint64, ctypes.c_double)
    engine.loop_free.argtypes = (ctypes.c_void_p,)
    engine.loop_users.argtypes = (ctypes.c_void_p, ctypes.c_int)
    engine.loop_rate.argtypes = (ctypes.c_void_p, ctypes.c_double)
    engine.loop_window.argtypes = (ctypes.c_void_p, ctypes.c_double, ctypes.POINTER(_Seen))
    return engine


class Loop:
    """Traffic whose load may be changed at whole seconds. requests, time_s: so far."""

    def __init__(self, family: Family, seed: int, start_s: float = 0.0) -> None:
        self._family, self._engine, self._seen = family, _engine(), _Seen()
        values = {name: getattr(family, name) for name, _ in _Family._fields_}
        self._loop = self._engine.loop_new(_Family(**values), seed, start_s)
        self._k = round(start_s)
        self.requests, self.time_s = 0, 0.0

    def __del__(self) -> None:
        self._engine.loop_free(self._loop)

    def set_load(self, load: float) -> None:
        if self._family.by == "users":
            self._engine.loop_users(self._loop, round(load))
        else:
            self._engine.loop_rate(self._loop, load)

    def window(self, length_s: int = 1) -> Reading:
        """The next second, or seconds."""
        self._engine.loop_window(self._loop, length_s, self._seen)
        seen, start_s = self._seen, float(self._k)
        self._k += length_s
        self.requests += int(seen.n)
        self.time_s += length_s
        n, ok, over, throttled = int(seen.n), int(seen.ok), int(seen.over), int(seen.throttled)
        return Reading(self._k - length_s, start_s, float(self._k), n, ok, (over,), throttled, seen.sum_s)


def share_over(family: Family, load: float, requests: int, seed: int = TRUTH_SEED) -> float:
    """Of about so many requests at a load that stays, after a start that is left out."""
    loop = Loop(family, seed, 1000.0)
    loop.set_load(load)
    settle = loop.window(100)
    left = loop.window(max(100, int(100 * requests / max(settle.n, 1))))
    return left.over[0] / left.n


@cache
def truth(name: str) -> float:
    """The largest load that holds the objective: whole users; a rate within about 0.1 %."""
    family = FAMILIES[name]
    allowed = 1 - family.percentile
    low, high = 1.0, 2.0
    while share_over(family, high, 200_000) <= allowed:
        low, high = high, 2 * high
    if family.by == "rate":
        return _rate(family, low, high)
    low, high = _bisected(family, low, high, 200_000, 1.05)
    # What was chosen roughly is open again.
    return _bisected(family, math.floor(0.95 * low), math.ceil(1.05 * high), TRUTH_REQUESTS, 1.0)[0]


def _bisected(family: Family, low: float, high: float, requests: int, least: float) -> tuple[float, float]:
    """Until the loads are `least` times, or one user, apart."""
    users = family.by == "users"
    while high > max(low * least, low + users):
        middle = float((low + high) // 2) if users else math.sqrt(low * high)
        holds = share_over(family, middle, requests) <= 1 - family.percentile
        low, high = (middle, high) if holds else (low, middle)
    return low, high


def _rate(family: Family, low: float, high: float) -> float:
    """Between two rates 1.5 % apart the logarithm of the share is a line; where it is a step, bisected."""
    low, high = _bisected(family, low, high, 2_000_000, 1.005)
    low, high = 0.995 * low, 1.005 * high
    shares = [share_over(family, each, TRUTH_REQUESTS) for each in (low, high)]
    if not 0 < shares[0] < shares[1] < 0.9:
        return math.sqrt(math.prod(_bisected(family, low, high, 2_000_000, 1.0002)))
    part = math.log((1 - family.percentile) / shares[0]) / math.log(shares[1] / shares[0])
    return low + part * (high - low)
