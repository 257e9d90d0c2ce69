"""What does a page cost: time, memory and size for runs of 5 minutes, 1 hour and 5 hours, and for two hours compared?

Folders of stairs with 500 requests a second, log-normal latencies and some failures. Each is read and its page made in
a process of its own, with the chart library in the cache, as at every run but the first. The bound of seconds is held
against the processor time of both together, which other work on the machine changes least.

    python -m benchmarks.report [--quick] [--rounds N]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import arguments, emit, summary
from loadtest.core.compare.comparison import compare
from loadtest.core.judge.decision import Reason, Stop
from loadtest.core.measure.counts import Counts
from loadtest.core.measure.distribution import Distribution, Latencies
from loadtest.core.measure.health import Health
from loadtest.core.measure.levels import plan_levels
from loadtest.core.measure.schedule import UserChange
from loadtest.core.measure.window import Load, Span, Window
from loadtest.core.request.spec import LatencyThreshold, Stairs, StopConditions
from loadtest.core.result.result import build_result
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.report.comparison import Compared
from loadtest.report.html.library import script
from loadtest.report.html.render import write_page, write_report
from loadtest.report.html.versus import versus_page
from loadtest.report.recovery import read_run
from loadtest.report.whole import whole_folder

QUESTION = "report"
PER_S = 500
# Name -> (length in s, most seconds of reading and page, most MB of memory, most MB of page; None: no bound is set).
RUNS: dict[str, tuple[int, float | None, int | None, float | None]] = {
    "5 min": (300, None, None, None),
    "1 h": (3600, 3.0, None, 1.5),
    "5 h": (18_000, 10.0, 500, None),
    "1 h compared with 1 h": (3600, None, None, 1.5),
}


def folder(length_s: int, parent: Path) -> Path:
    """A run folder of so many windows."""
    steps, rng = 20, np.random.default_rng(1)
    curve = curve_of(Stairs(2, steps, length_s))
    plan = Plan(
        curve, StopConditions(latency=LatencyThreshold(0.95, 500), flat_stops=False), TargetRef("mock:servers=8")
    )
    levels, windows = plan_levels(plan), []
    for i in range(length_s):
        level = next(level for level in levels if level.start_s <= i < level.end_s)
        each_ns = (rng.lognormal(3.6, 0.4, PER_S) * (1 + level.index / 10) * 1e6).astype(np.int64)
        counts = Counts(
            ok=PER_S,
            errors={"timeout": 1} if i % 50 == 0 else {},
            latency_sum_s=float(each_ns.sum()) / 1e9,
            over=int((each_ns > 500_000_000).sum()),
            over_batches=((PER_S, 0),),
        )
        latencies = Latencies(client=Distribution.of_ns(each_ns))
        load = Load(level.users, level.users, float(level.users), float(level.users))
        windows.append(
            Window(Span(i, float(i), i + 1.0, level.index), load, counts, latencies, Health(cpu=0.3, loop_lag_s=0.002))
        )
    changes = [UserChange(k, "start", levels[k // 2].start_s, levels[k // 2].start_s + 0.001) for k in range(2 * steps)]
    result = build_result(plan, windows, Stop(Reason.CURVE_END, {}), starts=changes, stopped_at_s=float(length_s))
    return whole_folder(parent, result, time.time()).path


def page(paths: list[Path]) -> None:
    """In a process of its own: read a folder, or two, make the page, print what it took."""
    begun, began_cpu_s = time.perf_counter(), time.process_time()
    runs = {str(path): read_run(path) for path in paths}
    read, read_cpu_s = time.perf_counter(), time.process_time()
    target = paths[0] / "page.html"
    results = list(runs.values())
    if len(results) > 1:
        compared = Compared((str(paths[0]),), (str(paths[1]),), compare(results[:1], results[1:]))
        write_page(target, versus_page([compared], runs))
    else:
        write_report(target, results)
    made = time.perf_counter()
    values = {
        "read_s": read - begun,
        "page_s": made - read,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "size_mb": target.stat().st_size / 1e6,
        "read_cpu_s": read_cpu_s - began_cpu_s,
        "page_cpu_s": time.process_time() - read_cpu_s,
        "cpu_s": time.process_time() - began_cpu_s,
    }
    print(json.dumps(values))


def measured(name: str, paths: list[Path], rounds: int) -> None:
    _, most_s, most_mb, most_size_mb = RUNS[name]
    command = [sys.executable, "-m", "benchmarks.report", "--page", *map(str, paths)]
    found = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(rounds)
    ]
    values = {key: summary([each[key] for each in found]) for key in found[0]}
    medians = {key: sorted(each[key] for each in found)[rounds // 2] for key in found[0]}
    bounds = ((medians["cpu_s"], most_s), (medians["peak_mb"], most_mb), (medians["size_mb"], most_size_mb))
    reached = all(value <= most for value, most in bounds if most is not None)
    wanted = {"cpu_s": most_s, "peak_mb": most_mb, "size_mb": most_size_mb}
    emit(
        QUESTION,
        what=name,
        **values,
        at_most={key: most for key, most in wanted.items() if most is not None},
        reached=reached,
    )


def main() -> None:
    if sys.argv[1:2] == ["--page"]:
        page([Path(each) for each in sys.argv[2:]])
        return
    given = arguments(__doc__)
    script()
    with tempfile.TemporaryDirectory() as scratch:
        for name, (length_s, *_) in RUNS.items():
            if not given.quick or length_s <= 3600:
                parent = Path(scratch) / name.replace(" ", "-")
                paths = [folder(length_s, parent / str(k)) for k in range(2 if "compared" in name else 1)]
                measured(name, paths, 1 if given.quick else given.rounds or 3)


if __name__ == "__main__":
    main()
