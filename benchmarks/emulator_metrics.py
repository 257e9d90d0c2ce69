"""CloudWatch of the emulator against moto's own server: the same metrics in both, the same questions to both.

    python -m benchmarks.emulator_metrics --jobs 20

Two endpoints a job, five minutes of what a job puts. Prints a JSON line a question and server: the median of --rounds,
asked of one server and the other in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from benchmarks.emulator_api import SERVERS, running

NAMES = ("Invocations", "InvocationsPerInstance", "ModelLatency", "OverheadLatency", "Invocation4XXErrors", "Users")
MINUTES = 5


def client(port: int) -> Any:
    session = boto3.Session(aws_access_key_id="t", aws_secret_access_key="t", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, read_timeout=600)
    return session.client("cloudwatch", endpoint_url=f"http://127.0.0.1:{port}", config=config)


def dimensions(job: int, endpoint: int) -> list[dict[str, str]]:
    return [{"Name": "EndpointName", "Value": f"e{job}-{endpoint}"}, {"Name": "VariantName", "Value": "v"}]


def put(cloudwatch: Any, jobs: int, start: datetime) -> None:
    sums = {"SampleCount": 100.0, "Sum": 2000.0, "Minimum": 10.0, "Maximum": 90.0}
    for job in range(jobs):
        data = [
            {"MetricName": name, "Dimensions": dimensions(job, endpoint), "StatisticValues": sums, "Timestamp": time}
            for endpoint in range(2)
            for time in (start + timedelta(minutes=minute) for minute in range(MINUTES))
            for name in NAMES
        ]
        cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=data)


def questions(cloudwatch: Any, start: datetime) -> dict[str, Callable[[], object]]:
    metric = {"Namespace": "AWS/SageMaker", "MetricName": "ModelLatency", "Dimensions": dimensions(1, 0)}
    span = {"StartTime": start, "EndTime": start + timedelta(hours=5)}
    queries = [
        {"Id": f"q{number}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}
        for number, stat in enumerate(("Average", "Maximum", "Sum"))
    ]
    return {
        "ListMetrics": lambda: list(cloudwatch.get_paginator("list_metrics").paginate()),
        "GetMetricStatistics": lambda: cloudwatch.get_metric_statistics(
            **metric, **span, Period=60, Statistics=["Average"]
        ),
        "GetMetricData": lambda: cloudwatch.get_metric_data(MetricDataQueries=queries, **span),
    }


def timed_ms(ask: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    ask()
    return 1000 * (time.perf_counter() - began_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20, help="jobs whose metrics there are")
    parser.add_argument("--rounds", type=int, default=5, help="how often each question is asked")
    options = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    about = {"commit": commit.stdout.strip(), "python": platform.python_version(), "cores": os.cpu_count()}
    start = datetime.fromtimestamp(time.time() // 60 * 60, UTC)
    with running(*SERVERS["emulator"][0]) as ours, running(*SERVERS["moto"][0]) as moto:
        asked = {}
        for server, port in (("emulator", ours), ("moto", moto)):
            cloudwatch = client(port)
            put(cloudwatch, options.jobs, start)
            asked[server] = questions(cloudwatch, start)
        for question in asked["moto"]:
            times: dict[str, list[float]] = {server: [] for server in asked}
            for _ in range(options.rounds):
                for server, asks in asked.items():
                    times[server].append(timed_ms(asks[question]))
            for server, found in times.items():
                result = {"server": server, "question": question, "jobs": options.jobs, "rounds": options.rounds}
                print(json.dumps({**about, **result, "median_ms": round(statistics.median(found), 1)}), flush=True)


if __name__ == "__main__":
    main()
