"""What people run today, as a locustfile: boto3 inside a Locust user, and Locust's own fast HTTP user, unsigned.

Used by benchmarks/peers.py. Prints one line of JSON at the end, with what Locust itself reports.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import boto3
from botocore.config import Config
from locust import FastHttpUser, LoadTestShape, User, events, task

BODY = '{"instances": [[0.0]]}'
WHICH = os.environ["BENCH_USER"]
SHAPE = os.environ.get("BENCH_SHAPE", "")
PATH = "/endpoints/bench/invocations"
starts: list[float] = []
marks: list[tuple[float, float, int]] = []
spawned_s: list[float] = []
shape_started_at: list[float] = []


class Boto(User):
    """boto3.invoke_endpoint, a client for each user, timed around the call."""

    abstract = WHICH != "boto3"

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.client = boto3.client(
            "sagemaker-runtime",
            endpoint_url=self.host,
            region_name="us-east-1",
            config=Config(retries={"max_attempts": 0}),
        )

    @task
    def invoke(self) -> None:
        started_s = time.perf_counter()
        problem = None
        length = 0
        try:
            answer = self.client.invoke_endpoint(EndpointName="bench", Body=BODY, ContentType="application/json")
            length = len(answer["Body"].read())
        except Exception as raised:
            problem = raised
        self.environment.events.request.fire(
            request_type="boto3",
            name="invoke_endpoint",
            response_time=(time.perf_counter() - started_s) * 1000,
            response_length=length,
            exception=problem,
            context={},
        )


class Fast(FastHttpUser):
    """Locust's fastest user, unsigned."""

    abstract = WHICH != "fast"

    @task
    def invoke(self) -> None:
        self.client.post(PATH, data=BODY, headers={"Content-Type": "application/json"})


class Idle(User):
    """One that only starts."""

    abstract = WHICH != "idle"

    def on_start(self) -> None:
        starts.append(time.time())

    @task
    def wait(self) -> None:
        time.sleep(0.5)


if SHAPE:
    kind, *numbers = SHAPE.split(":")
    every_s, added, total_s = (float(number) for number in numbers)

    class Shape(LoadTestShape):
        """count: the users for now, on each tick. stage: the last count at once, and a spawn rate."""

        def tick(self) -> tuple[int, float] | None:
            now_s = self.get_run_time()
            shape_started_at.append(time.time() - now_s)
            if now_s > total_s + 2:
                return None
            if kind == "stage":
                return int(total_s / every_s * added), added / every_s
            return int(min(now_s, total_s - every_s) / every_s + 1) * int(added), 100.0


@events.test_start.add_listener
def begin(environment: Any, **_: Any) -> None:
    import gevent

    def mark() -> None:
        while True:
            marks.append((time.monotonic(), time.process_time(), environment.stats.total.num_requests))
            gevent.sleep(0.5)

    gevent.spawn(mark)


@events.spawning_complete.add_listener
def spawned(**_: Any) -> None:
    spawned_s.append(time.monotonic())


@events.quitting.add_listener
def report(environment: Any, **_: Any) -> None:
    total = environment.stats.total
    # Steady: from half a second after the last user was made to half a second before the end.
    ready_s = max(spawned_s, default=marks[0][0]) + 0.5
    steady = [mark for mark in marks if ready_s <= mark[0] <= marks[-1][0] - 0.5] or marks
    (from_s, from_cpu_s, from_n), (to_s, to_cpu_s, to_n) = steady[0], steady[-1]
    requests = to_n - from_n
    values = {
        "requests": total.num_requests,
        "failed": total.num_failures,
        "per_s": requests / max(to_s - from_s, 1e-9),
        "cpu_us": 1e6 * (to_cpu_s - from_cpu_s) / max(requests, 1),
        "percentiles_ms": [total.get_response_time_percentile(share) for share in (0.50, 0.95, 0.99)],
        "starts": starts,
        "shape_started_at": min(shape_started_at, default=0.0),
    }
    print("BENCH " + json.dumps(values), flush=True)
