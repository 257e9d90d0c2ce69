"""Did a change cost or save anything? Two commits' own benchmarks, one round of each in turn, and the medians' ratio.

The commit before is checked out under /tmp, as a worktree that is removed again. Only figures of CPU time are compared
(`ms`, `us`, `cpu_us`): they bear other work on the machine better than rates do, and still not well. The line says how
high the load was; above the number of cores it means little.

    python -m benchmarks.before_after COMMIT [--rounds 5] [--quick] [QUESTION ...]      (recorder, invoke_throughput)
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.machine import ROOT, emit, load, ratio, summary

QUESTION = "before_after"
LIMIT_S = 600
QUESTIONS = {"recorder": (), "invoke_throughput": ("--users", "50")}


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A worktree of `commit`."""
    with TemporaryDirectory(prefix="loadtest-before-") as folder:
        place = Path(folder, "tree")
        subprocess.run(["git", "worktree", "add", "--detach", str(place), commit], cwd=ROOT, check=True)
        try:
            yield place
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(place)], cwd=ROOT, check=True)


def measured(tree: Path, question: str, quick: bool) -> dict[str, float]:
    """CPU times of one round, by what they are of."""
    command = [sys.executable, "-m", f"benchmarks.{question}", "--rounds", "1", *QUESTIONS[question]]
    command += ["--quick"] if quick else []
    # Children import a target of the benchmarks, which must be the tree's own.
    env = {**os.environ, "PYTHONPATH": str(tree)}
    ran = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if ran.returncode:
        raise SystemExit(f"{' '.join(command)} in {tree}: {ran.stderr[-2000:]}")
    found: dict[str, float] = {}
    for line in map(json.loads, ran.stdout.splitlines()):
        if line.get("unit") in ("ms", "us") and "median" in line:
            found[f"{line['what']}, {line['unit']}"] = line["median"]
        elif "cpu_us" in line:
            found[f"{line['client']} on {line['server']}, cpu us a request"] = line["cpu_us"]["median"]
    return found


def compare(before: Path, question: str, rounds: int, quick: bool) -> None:
    """One line for each figure that both commits have."""
    costs: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    loads = []
    for _ in range(rounds):
        for which, tree in enumerate((before, ROOT)):
            loads.append(load())
            for what, cost in measured(tree, question, quick).items():
                costs[what][which].append(cost)
    for what, (old, new) in costs.items():
        if old and new:
            figures: dict[str, Any] = {
                "before": summary(old),
                "after": summary(new),
                "after_over_before": ratio(new, old),
            }
            emit(QUESTION, of=question, what=what, **figures, loads=[min(loads), max(loads)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("questions", nargs="*", metavar="QUESTION")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="short rounds")
    chosen = parser.parse_args()
    if unknown := set(chosen.questions) - set(QUESTIONS):
        parser.error(f"there is no question {', '.join(sorted(unknown))}; there are {', '.join(QUESTIONS)}")
    if load() > (os.cpu_count() or 1):
        print(f"the load is {load()}: other work decides what is measured now", file=sys.stderr)
    with checked_out(chosen.commit) as before:
        for question in chosen.questions or QUESTIONS:
            compare(before, question, chosen.rounds, chosen.quick)


if __name__ == "__main__":
    main()
