"""What does a user cost, do many of them start on time and get fair shares, and does a long run grow?

10,000 users on one core against an endpoint that takes 10 s; 1,000 users at full speed, counted one by one; five hours
of windows through one recorder.

    python -m benchmarks.memory [--quick] [--rounds N]
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import arguments, cores, emit, pinned, skip
from benchmarks.ours import constant, plan_of, run, stop_rules
from benchmarks.server import NoServer, fast_server, latency_server
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Frame, Recorder
from loadtest.core.measure.window import Load, Span, Window
from loadtest.core.traffic.curve import Step, TrafficCurve

QUESTION = "memory"


def many(users: int, answer_s: float, long_s: float) -> None:
    """Start `users` over one answer's time, so that answers come evenly, and go on for `long_s`."""
    quiet_s, per_s = 2.0, users / answer_s
    # At least a hundredth of a second apart: what is asked for is 1,000 a second, in bunches of 10.
    each = max(1, round(per_s / 100))
    steps = [Step(0.0, 0)]
    steps += [Step(quiet_s + k * each / per_s, min(users, (k + 1) * each)) for k in range(-(-users // each))]
    curve = TrafficCurve(tuple(steps), quiet_s + answer_s + long_s)
    resident: list[tuple[float, int]] = []

    def look(window: Window, _: object) -> None:
        if size := _resident_bytes("loadtest.engine.generator.child"):
            resident.append((window.end_s, size))

    with latency_server("fixed", str(1000 * answer_s), log=False) as server, pinned(cores()[1]):
        result = run(plan_of(server, curve, stop=stop_rules()), on_window=look)
    lags_ms = [change.lag_ms for change in result.changes if change.action == "start"]
    full_s = quiet_s + 2 * answer_s  # from here on every user has had its first answer
    windows = [w for w in result.windows if full_s <= w.start_s and w.end_s <= curve.end_s + 0.1]
    ok_per_s = sum(w.ok for w in windows) / sum(w.length_s for w in windows)
    before = max(size for at_s, size in resident if at_s <= quiet_s)
    after = max(size for at_s, size in resident if at_s <= curve.end_s)
    per_user = (after - before) / users
    p50, p95, worst = np.percentile(lags_ms, [50, 95, 100])
    emit(
        QUESTION,
        what=f"{users} users, answers take {answer_s:g} s",
        started=len(lags_ms),
        started_per_s=per_s,
        lag_ms={"p50": round(float(p50), 2), "p95": round(float(p95), 2), "max": round(float(worst), 2)},
        bytes_per_user=round(per_user),
        bytes_at_most=20_000,
        ok_per_s=round(ok_per_s, 2),
        of_ideal=round(ok_per_s / per_s, 4),
        cpu=round(sum(w.health.cpu for w in windows) / len(windows), 3),
        failed=sum(w.failed for w in result.windows),
        schedule=result.schedule.verdict,
        reason=result.reason.value,
        reached=per_user < 20_000 and abs(ok_per_s / per_s - 1) < 0.02 and result.schedule.verdict == "kept",
    )


def shares(users: int, seconds: float) -> None:
    """Requests of each user from 2 s on."""
    with tempfile.TemporaryDirectory(prefix="loadtest-bench-") as folder, fast_server() as server:
        counts_path = Path(folder) / "counts"
        more = {"counts_path": str(counts_path), "after_s": 3.0}
        plan = plan_of(server, constant(users, seconds + 3), ref="benchmarks.targets:CountingTarget", more=more)
        with pinned(cores()[1]):
            result = run(plan)
        counts = np.array(json.loads(counts_path.read_text(encoding="ascii")))
    spread = float(counts.max() / max(counts.min(), 1))
    emit(
        QUESTION,
        what=f"fair shares of {users} users at full speed",
        seconds=seconds,
        requests=int(counts.sum()),
        per_user={"min": int(counts.min()), "median": float(np.median(counts)), "max": int(counts.max())},
        max_over_min=round(spread, 3),
        at_most=1.5,
        failed=sum(w.failed for w in result.windows),
        reached=len(counts) == users and spread < 1.5,
    )


def long_run(windows: int, per_window: int) -> None:
    """Resident memory of this process after a tenth of the windows, and after all of them."""
    recorder = Recorder(40_000_000)
    rng = np.random.default_rng(5)
    latencies = (20e6 * np.exp(0.4 * rng.standard_normal(per_window))).astype(np.int64).tolist()
    outcomes = [Outcome(Kind.OK, 200, 21, 0, latency, latency, None, "", True) for latency in latencies]
    sizes = []
    started_s = time.thread_time()
    for index in range(windows):
        for outcome in outcomes:
            recorder.record(outcome)
        recorder.take(Frame(Span(index, float(index), index + 1.0), Load(10, running=10, active=10.0)))
        if index in (windows // 10, windows - 1):
            sizes.append(_resident_bytes())
    emit(
        QUESTION,
        what=f"{windows} windows of {per_window} requests",
        resident_mb=[round(size / 1e6, 2) for size in sizes],
        grown_kb=round((sizes[1] - sizes[0]) / 1e3, 1),
        cpu_s=round(time.thread_time() - started_s, 1),
        reached=sizes[1] - sizes[0] < 1_000_000,
    )


def _resident_bytes(child: str = "") -> int:
    """Of this process, or of its child that runs the module `child`; 0 if that has ended."""
    pid = "self"
    if child:
        tasks = Path("/proc/self/task").glob("*/children")
        pids = [pid for task in tasks for pid in task.read_text(encoding="ascii").split()]
        found = [p for p in pids if child in Path(f"/proc/{p}/cmdline").read_text(encoding="ascii")]
        if not found:
            return 0
        pid = found[0]
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return 1024 * int(status.partition("VmRSS:")[2].split()[0])


def main() -> None:
    chosen = arguments(__doc__)
    try:
        many(1000 if chosen.quick else 10_000, 2.0 if chosen.quick else 10.0, 4.0 if chosen.quick else 40.0)
    except NoServer as problem:
        skip(QUESTION, "many users", str(problem))
    try:
        shares(100 if chosen.quick else 1000, 2.0 if chosen.quick else 10.0)
    except NoServer as problem:
        skip(QUESTION, "fair shares", str(problem))
    long_run(600 if chosen.quick else 18_000, 200)


if __name__ == "__main__":
    main()
