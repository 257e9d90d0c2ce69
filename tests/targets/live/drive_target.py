"""Opens targets as the generator does, in a gevent-patched process, and prints their outcomes: JSON lines in and out.

A job: {"target": "sagemaker" | "http" | "boto3", "ref", "options", "env", "invokes", "bodies", "users", "pause_s",
"kill_s", "close_s", "clock_off_ns", "no_stamps"}. Its answer: {"outcomes": [[kind, status, ...], ...]} in the order of
completion, or {"error": "..."}. clock_off_ns: how far the target's wall clock is from the kernel's; no_stamps: the
kernel has no receive times to give; kill_s, close_s: kill or close a user that waits that long.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402

from loadtest.errors import LoadtestError  # noqa: E402
from loadtest.targets import connection, timestamps  # noqa: E402
from loadtest.targets.base import Payload, PerUserTarget, Target  # noqa: E402


def main() -> None:
    anchor = timestamps.anchor()  # else the first answer after each target's opening might have no time yet
    for line in sys.stdin:
        job = json.loads(line)
        before = dict(os.environ)
        os.environ.update(job.get("env", {}))
        try:
            answer = run(job)
        except LoadtestError as problem:
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        os.environ.clear()
        os.environ.update(before)
        print(json.dumps(answer), flush=True)
    anchor.close()


def run(job: dict[str, Any]) -> dict[str, Any]:
    off_ns = job.get("clock_off_ns", 0)
    connection.clock_gettime_ns = lambda clock: time.clock_gettime_ns(clock) + off_ns  # type: ignore[assignment]
    timestamps._SO_TIMESTAMPNS = 35 if not job.get("no_stamps") else 32767
    target = open_target(job)
    outcomes: list[Any] = []
    try:
        if "kill_s" in job:
            killed = gevent.spawn(target.invoke, Payload(b"killed"))
            killed.join(job["kill_s"])
            killed.kill()
        if "close_s" in job:
            user = target.for_user() if isinstance(target, PerUserTarget) else target
            cut = gevent.spawn(user.invoke, Payload(b"closed"))
            cut.join(job["close_s"])
            user.close()
            outcomes.append([*cut.get(timeout=10)])
        users = [gevent.spawn(use, target, job, outcomes, k) for k in range(job.get("users", 1))]
        gevent.joinall(users, timeout=30, raise_error=True)
        assert all(user.ready() for user in users), "a user hangs"
    finally:
        target.close()
    return {"outcomes": outcomes}


def use(target: Target, job: dict[str, Any], outcomes: list[Any], k: int) -> None:
    mine = target.for_user() if isinstance(target, PerUserTarget) and job.get("users") else target
    bodies = job.get("bodies", ["{}"])
    for i in range(job.get("invokes", 1)):
        if i:
            gevent.sleep(job.get("pause_s", 0))
        body = bodies[(k + i) % len(bodies)]
        payload = Payload(b"x" * body if isinstance(body, int) else body.encode(), job.get("type", "application/json"))
        outcomes.append([*mine.invoke(payload)])
    if mine is not target:
        mine.close()


def open_target(job: dict[str, Any]) -> Target:
    ref, options = job["ref"], job.get("options", {})
    if job["target"] == "http":
        from loadtest.targets.http import HttpTarget

        return HttpTarget(ref, options)
    if job["target"] == "sagemaker":
        from loadtest.targets.sagemaker import SageMakerTarget

        return SageMakerTarget(ref, options)
    from loadtest.targets.boto import BotoTarget

    return BotoTarget(ref, options)


if __name__ == "__main__":
    main()
