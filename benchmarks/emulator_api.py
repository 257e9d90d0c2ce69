"""How fast does the emulator's API answer, side by side with moto's own server?

Describe against DescribeEndpoint and Create against CreateEndpointConfig, over kept-alive loopback connections with
hand-made requests (a boto3 client would cost more than the server). Both servers are processes of their own. The jobs
that Create makes name an instance type without facts, so each fails as soon as it starts: what is measured is the API
and the store, not load tests.

    python benchmarks/emulator_api.py [--seconds 3] [--clients 1 4]

One JSON line per measurement.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

ROLE = "arn:aws:iam::123456789012:role/R"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"
SCOPE = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sagemaker/aws4_request, SignedHeaders=host, Signature=0"
Request = tuple[str, dict[str, Any]]


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def call(self, operation: str, params: dict[str, Any]) -> None:
        headers = {
            "X-Amz-Target": f"SageMaker.{operation}",
            "Content-Type": "application/x-amz-json-1.1",
            "Authorization": SCOPE,
        }
        self._connection.request("POST", "/", json.dumps(params), headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{operation} answered {answer.status}: {body[:500]!r}")


def measure(port: int, request: Callable[[int], Request], clients: int, seconds: float) -> tuple[int, list[float]]:
    """(calls, latency of each in ms) of so many clients that call one after the other for so many seconds."""
    numbers = itertools.count()
    latencies: list[list[float]] = [[] for _ in range(clients)]
    until_s = time.perf_counter() + seconds

    def work(mine: list[float]) -> None:
        client = Client(port)
        while (started_s := time.perf_counter()) < until_s:
            client.call(*request(next(numbers)))
            mine.append((time.perf_counter() - started_s) * 1000)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in latencies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [value for mine in latencies for value in mine]
    return len(every), every


def create_job(number: int) -> Request:
    config = {
        "ModelName": "m",
        "TrafficPattern": {
            "TrafficType": "PHASES",
            "Phases": [{"InitialNumberOfUsers": 1, "SpawnRate": 1, "DurationInSeconds": 120}],
        },
        "ContainerConfig": {"Domain": "MACHINE_LEARNING", "Task": "OTHER", "Framework": "XGBOOST"},
        "EndpointConfigurations": [{"InstanceType": "ml.g7e.48xlarge"}],
    }
    params = {"JobName": f"bench-{number}", "JobType": "Advanced", "RoleArn": ROLE, "InputConfig": config}
    return "CreateInferenceRecommendationsJob", params


def describe_job(_: int) -> Request:
    return "DescribeInferenceRecommendationsJob", {"JobName": "described"}


def create_configuration(number: int) -> Request:
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.c5.xlarge", "InitialInstanceCount": 1}
    return "CreateEndpointConfig", {"EndpointConfigName": f"bench-{number}", "ProductionVariants": [variant]}


def describe_endpoint(_: int) -> Request:
    return "DescribeEndpoint", {"EndpointName": "e"}


def prepare_emulator(client: Client) -> None:
    operation, params = create_job(0)
    client.call(operation, {**params, "JobName": "described"})


def prepare_moto(client: Client) -> None:
    client.call("CreateModel", {"ModelName": "m", "PrimaryContainer": {"Image": IMAGE}, "ExecutionRoleArn": ROLE})
    operation, params = create_configuration(0)
    client.call(operation, {**params, "EndpointConfigName": "c"})
    client.call("CreateEndpoint", {"EndpointName": "e", "EndpointConfigName": "c"})


@contextlib.contextmanager
def running(*command: str) -> Iterator[int]:
    """A server process that listens on the port given in the command as PORT."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    words = [word.replace("PORT", str(port)) for word in command]
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


SERVERS = {
    "emulator": (
        ("-c", "from loadtest.cli import main; main()", "serve", "--port", "PORT", "--engine", "sim"),
        prepare_emulator,
        {"Describe": describe_job, "Create": create_job},
    ),
    "moto": (
        ("-m", "moto.server", "-p", "PORT"),
        prepare_moto,
        {"DescribeEndpoint": describe_endpoint, "CreateEndpointConfig": create_configuration},
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one measurement")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4], help="clients at the same time")
    options = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    about = {"commit": commit.stdout.strip(), "python": platform.python_version(), "cores": os.cpu_count()}
    for server, (command, prepare, requests) in SERVERS.items():
        for clients in options.clients:
            with running(*command) as port:
                prepare(Client(port))
                for operation, request in requests.items():
                    calls, latencies = measure(port, request, clients, options.seconds)
                    result = {
                        "server": server,
                        "operation": operation,
                        "clients": clients,
                        "calls": calls,
                        "per_s": round(calls / options.seconds, 1),
                        "median_ms": round(statistics.median(latencies), 3),
                        "p95_ms": round(statistics.quantiles(latencies, n=20)[-1], 3),
                    }
                    print(json.dumps({**about, **result}), flush=True)


if __name__ == "__main__":
    main()
