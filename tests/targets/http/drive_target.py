"""Opens targets as the generator does, in a gevent-patched process, and prints their outcomes: JSON lines in and out.

A job: {"target": "sagemaker" | "http" | "boto3", "ref", "options", "env", "invokes", "bodies", "users", "pause_s",
"kill_s", "close_s", "clock_off_ns", "set_back", "no_stamps", "repeat", "raise_at", "no_epoll", "expired", "renewed",
"close_pending", "first_address"}. Its answer: {"outcomes": [[kind, status, ...], ...]} in the order of completion, or
{"error": "..."}.

clock_off_ns: how far the target's wall clock is from the kernel's. set_back: [n, s]: after n outcomes it goes back s.
no_stamps: the kernel has no receive times to give. no_epoll: as on a system without it. expired: the credentials are. renewed:
they live three seconds, and others are had then.
kill_s, close_s: kill or close a user that waits that long. close_pending: close a user whose request is to leave at the
end of a turn. repeat: by the target's `invoke_repeatedly`, which is called again after each pause. raise_at: the
callback raises at this outcome. first_address: what a name resolves to before 127.0.0.1.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import gevent
from botocore.credentials import RefreshableCredentials

from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.errors import LoadtestError
from loadtest.targets.base import Payload, PerUserTarget, RepeatingTarget, Target
from loadtest.targets.credentials import CredentialSource
from loadtest.targets.http import poller, sagemaker, timestamps
from loadtest.targets.http.system import SYSTEM, System

CLOCK = {"off_ns": 0}


def main() -> None:
    anchor = timestamps.anchor()  # else the first answer after each target's opening might have no time yet
    for line in sys.stdin:
        job = json.loads(line)
        before = dict(os.environ)
        os.environ.update(job.get("env", {}))
        try:
            answer = run(job)
        except (LoadtestError, ValueError) as problem:
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        os.environ.clear()
        os.environ.update(before)
        print(json.dumps(answer), flush=True)
    anchor.close()


def run(job: dict[str, Any]) -> dict[str, Any]:
    CLOCK["off_ns"] = job.get("clock_off_ns", 0)
    target = open_target(job, system_of(job))
    outcomes: list[Any] = []
    try:
        if "kill_s" in job:
            user = target.for_user() if isinstance(target, PerUserTarget) else target
            killed = gevent.spawn(invoke, user, Payload(b"killed"), job)
            killed.join(job["kill_s"])
            killed.kill()
        if "close_s" in job:
            user = target.for_user() if isinstance(target, PerUserTarget) else target
            cut = gevent.spawn(invoke, user, Payload(b"closed"), job)
            cut.join(job["close_s"])
            user.close()
            outcomes.append(cut.get(timeout=10))
        if job.get("close_pending"):
            outcomes.append(close_pending(target))
        users = [gevent.spawn(use, target, job, outcomes, k) for k in range(job.get("users", 1))]
        gevent.joinall(users, timeout=30, raise_error=True)
        assert all(user.ready() for user in users), "a user hangs"
    finally:
        target.close()
    return {"outcomes": outcomes}


def system_of(job: dict[str, Any]) -> System:
    """A system with another clock, without receive times or epoll, or whose names are this machine, after another one."""

    def resolve(*asked: Any) -> list[Any]:
        found = SYSTEM.resolve("127.0.0.1", *asked[1:])
        return [(*found[0][:4], (job["first_address"], found[0][4][1])), *found]

    return System(
        time_ns=lambda: time.time_ns() + CLOCK["off_ns"],
        resolve=resolve if "first_address" in job else SYSTEM.resolve,
        epoll=None if job.get("no_epoll") else SYSTEM.epoll,
        stamps=32767 if job.get("no_stamps") else SYSTEM.stamps,
    )


def expiring() -> CredentialSource:
    """Credentials that are good when the target is opened, expire then, and cannot be had anew."""
    ends, seen = datetime(2030, 1, 1, tzinfo=UTC), 0

    def now() -> datetime:
        nonlocal seen
        seen += 1
        return ends + timedelta(hours=-2 if seen == 1 else 2)

    def refused() -> Any:
        raise OSError("the issuer is down")

    return CredentialSource(RefreshableCredentials("AK", "s", "t", ends, refused, "test", time_fetcher=now))


def renewing() -> CredentialSource:
    """Credentials that live three seconds, and others then: AK1, AK2, ..."""
    issued = 0

    def issue() -> dict[str, Any]:
        nonlocal issued
        issued += 1
        ends = datetime.now(UTC) + timedelta(seconds=3)
        return {"access_key": f"AK{issued}", "secret_key": "s", "token": "t", "expiry_time": ends.isoformat()}

    return CredentialSource(RefreshableCredentials.create_from_metadata(issue(), issue, "test"))


def close_pending(target: Target) -> list[Any]:
    """The outcome of a request that was to leave when the turn ended, and whose connection somebody closed in it."""
    assert isinstance(target, PerUserTarget)
    user = target.for_user()
    user.invoke(Payload(b"first"))
    gevent.sleep(0.01)  # out of the turn that brought the answer
    here = poller.poller_here()
    here.serving = True
    waiting = gevent.spawn(user.invoke, Payload(b"pending"))
    gevent.sleep(0.01)
    user.close()
    gevent.get_hub().loop.run_callback(here.serve, [])
    return [*waiting.get(timeout=10)]


class Heard:
    """Keeps the outcomes; enough says when there are enough of them."""

    def __init__(self, outcomes: list[Any], enough: Callable[[], bool]) -> None:
        self.outcomes, self.enough = outcomes, enough

    def answered(
        self, status: int, bytes_in: int, sent_ns: int, done_ns: int, model_latency_us: int | None, kernel_clock: bool
    ) -> bool:
        return self.ended(
            Outcome(Kind.OK, status, bytes_in, sent_ns, done_ns, done_ns, model_latency_us, "", kernel_clock)
        )

    def ended(self, outcome: Outcome) -> bool:
        self.outcomes.append([*outcome])
        return not self.enough()


def invoke(user: Target, payload: Payload, job: dict[str, Any]) -> list[Any]:
    """The outcome of `payload`; repeating: after another one, so that it is the relay's."""
    if not (job.get("repeat") and isinstance(user, RepeatingTarget)):
        return [*user.invoke(payload)]
    outcomes: list[Any] = []
    user.invoke_repeatedly(iter([Payload(b"{}"), payload]).__next__, Heard(outcomes, lambda: len(outcomes) == 2))
    return list(outcomes[-1])


def use(target: Target, job: dict[str, Any], outcomes: list[Any], k: int) -> None:
    mine = (
        target.for_user() if isinstance(target, PerUserTarget) and (job.get("users") or job.get("repeat")) else target
    )
    bodies = job.get("bodies", ["{}"])
    wanted = [bodies[(k + i) % len(bodies)] for i in range(job.get("invokes", 1))]
    kind = job.get("type", "application/json")
    known = {body: Payload(b"x" * body if isinstance(body, int) else body.encode(), kind) for body in wanted}
    payloads = iter([known[body] for body in wanted])
    pause_s = job.get("pause_s")
    left = len(wanted)

    def enough() -> bool:
        nonlocal left
        left -= 1
        if len(outcomes) == job.get("set_back", [None])[0]:
            CLOCK["off_ns"] = -job["set_back"][1] * 10**9
        if len(outcomes) == job.get("raise_at"):
            raise ValueError("raised by the callback")
        return left == 0 or pause_s is not None

    heard = Heard(outcomes, enough)
    while left:
        if job.get("repeat") and isinstance(mine, RepeatingTarget):
            mine.invoke_repeatedly(payloads.__next__, heard)
        else:
            heard.ended(mine.invoke(next(payloads)))
        if left:
            gevent.sleep(pause_s or 0)
    if mine is not target:
        mine.close()


def open_target(job: dict[str, Any], system: System) -> Target:
    ref, options = job["ref"], job.get("options", {})
    if job["target"] == "http":
        from loadtest.targets.http.http import HttpTarget

        return HttpTarget(ref, options, system=system)
    if job["target"] == "sagemaker":
        credentials = expiring() if job.get("expired") else renewing() if job.get("renewed") else None
        return sagemaker.SageMakerTarget(ref, options, credentials, system=system)
    from loadtest.targets.boto import BotoTarget

    return BotoTarget(ref, options)


if __name__ == "__main__":
    main()
