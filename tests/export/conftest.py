"""Receivers of OTLP on loopback, and a real run to feed them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as service
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from requests_made import stairs_request


class Receiver:
    """What an OTLP receiver at `url` was sent, and took. refuses: all, for good."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.url = ""
        self.requests: list[ExportMetricsServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.refuses = False


@contextmanager
def over_http(receiver: Receiver) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.refuses:
                self.send_response(400)
                self.end_headers()
                return
            receiver.requests.append(ExportMetricsServiceRequest.FromString(body))
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200 if self.path == "/v1/metrics" else 404)
            self.end_headers()
            self.wfile.write(ExportMetricsServiceResponse().SerializeToString())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield
        server.shutdown()


@contextmanager
def over_grpc(receiver: Receiver) -> Iterator[None]:
    class Servicer(service.MetricsServiceServicer):
        def Export(self, request: ExportMetricsServiceRequest, context: Any) -> ExportMetricsServiceResponse:
            if receiver.refuses:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "refused")
            receiver.requests.append(request)
            receiver.headers.append({name: str(value) for name, value in context.invocation_metadata()})
            return ExportMetricsServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    service.add_MetricsServiceServicer_to_server(Servicer(), server)
    receiver.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield
    server.stop(None).wait()


PROTOCOLS = {"http/protobuf": over_http, "grpc": over_grpc}


@pytest.fixture(params=PROTOCOLS)
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    made = Receiver(request.param)
    with PROTOCOLS[request.param](made):
        yield made


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """Two levels of 1 s on a mock whose model fails on a tenth of the requests."""
    limit = {"Percentile": "P95", "ValueInMilliseconds": 500}
    request = stairs_request("exported", users=1, steps=2, seconds=2, ModelLatencyThresholds=[limit])
    request["Loadtest"] = {
        "target": "mock:servers=4,service_ms=10,error_ratio=0.1",
        "options": {"window_s": 0.25, "drain_s": 5},
    }
    path = tmp_path / "exported.json"
    path.write_text(json.dumps(request))
    return path
