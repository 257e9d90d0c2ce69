"""What a scrape gets, read by prometheus_client's own parsers; and who gets none."""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_classic

from loadtest import simulate
from loadtest.core.request.spec import LatencyThreshold
from loadtest.errors import SpecError
from loadtest.export.buckets import exponential
from loadtest.export.metrics import FAMILIES, Labels, Metrics
from loadtest.export.prometheus import write_textfile
from loadtest.export.server import ScrapeServer

DURATION = "loadtest_request_duration_seconds"
TWO = "application/openmetrics-text; version=2.0.0"
ONE = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(scope="module")
def runs() -> list[Metrics]:
    """A run, and a replay that has not measured anything yet."""
    found = [Metrics(Labels('a "run"\\', "bert", "v1"), LatencyThreshold(0.95, 100))]

    def on_window(window) -> None:
        found[0] = found[0].after(window, {"latency": {"verdict": "met"}}, trusted=True)

    simulate("scenarios/short.json", target="mock:servers=2,service_ms=20,error_ratio=0.1", on_window=on_window)
    return [*found, Metrics(Labels("replay"))]


@pytest.fixture
def server(runs) -> Iterator[ScrapeServer]:
    made = ScrapeServer(lambda: runs, "127.0.0.1", 0)
    made.start()
    yield made
    made.close()


def scrape(server: ScrapeServer, method: str = "GET", **headers: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request(method, "/metrics", headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
    connection.close()
    return found


def test_the_classic_format(server, runs) -> None:
    status, kind, text = scrape(server)
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    families = {family.name: family for family in read_classic(text)}
    assert {*families} == {family.flat.removesuffix("_total") for family in FAMILIES}
    run = runs[0]
    ours = [sample for sample in families[DURATION].samples if sample.labels["testid"] == 'a "run"\\']
    values = {sample.labels.get("le", sample.name): sample.value for sample in ours}
    assert values[f"{DURATION}_count"] == values["+Inf"] == run.counts.ok
    assert values[f"{DURATION}_sum"] == pytest.approx(run.counts.latency_sum_s)
    assert values["70.0"] == run.counts.ok
    assert values["0.01"] == 0
    assert {sample.name for sample in ours} == {f"{DURATION}_{part}" for part in ("bucket", "count", "sum")}
    requests = families["loadtest_requests"].samples
    assert sum(sample.value for sample in requests) == run.counts.completed
    (failed,) = [sample for sample in requests if sample.labels["error_type"] == "model_error" and sample.value]
    assert failed.labels == {
        **run.labels.named(),
        "outcome": "error",
        "error_type": "model_error",
    }
    verdicts = {sample.labels["state"]: sample.value for sample in families["loadtest_verdict"].samples}
    assert verdicts == {"met": 1, "not met": 0, "undecided": 0}
    assert families["loadtest_verdict"].samples[0].labels["threshold"] == "P95 100 ms"


@pytest.mark.parametrize("accept", [ONE, TWO])
def test_open_metrics(server, runs, accept: str) -> None:
    _, kind, text = scrape(server, Accept=accept)
    assert accept.split(";")[1].strip() in kind
    names = {family.name for family in read_open(text)}
    assert names == {family.flat.removesuffix("_total") for family in FAMILIES}
    native = re.findall(rf"^{DURATION}{{.*testid=\"a .*}} ({{count:.*}})$", text, re.MULTILINE)
    if accept == ONE:
        assert native == [], "it has no such thing"
        return
    # The parser reads no spans below 0, so they are read here.
    (found,) = native
    run = runs[0]
    assert f"count:{run.counts.ok}," in found
    (offset, length), *_ = re.findall(r"positive_spans:\[(-?\d+):(\d+)\]", found)
    deltas = [int(text) for text in re.findall(r"positive_deltas:\[([-\d,]+)\]", found)[0].split(",")]
    counts = [sum(deltas[: i + 1]) for i in range(len(deltas))]
    expected = exponential(run.duration)
    assert (int(offset) - 1, int(length), tuple(counts)) == (expected.offset, len(counts), expected.counts)
    assert f"schema:{expected.scale}," in found


def test_a_page_of_somebody_else_gets_nothing(server) -> None:
    assert scrape(server, Host=f"127.0.0.1:{server.port}")[0] == 200
    assert scrape(server, Host="localhost:1")[0] == 200
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        status, kind, text = scrape(server, **headers)
        assert (status, kind.split(";")[0]) == (403, "text/plain")
        assert "loadtest_" not in text
    assert scrape(server, "POST")[0] == 405


def test_who_listens_for_others_is_called_by_any_name(runs) -> None:
    server = ScrapeServer(lambda: runs, "0.0.0.0", 0)
    server.start()
    assert scrape(server, Host="loadtest.monitoring.svc:9464")[0] == 200
    assert scrape(server, Host="loadtest.monitoring.svc:9464", Origin="http://evil.example")[0] == 403
    server.close()


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", None), ("192.0.2.1", 0), ("no.such.host.invalid", 0)])
def test_an_address_that_cannot_be_had(host: str, port: int | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1] if port is None else port
        with pytest.raises(SpecError, match=f"--prometheus: cannot be listened on: .*{re.escape(host)}:{port}"):
            ScrapeServer(lambda: (), host, port)


def test_an_open_connection_does_not_delay_the_end(server) -> None:
    with (
        socket.create_connection(("127.0.0.1", server.port)) as idle,
        socket.create_connection(("127.0.0.1", server.port)) as half,
    ):
        half.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127")
        assert scrape(server)[0] == 200
        server.close()
        assert not any(thread.name == "loadtest-prometheus" for thread in threading.enumerate())
        assert idle.recv(1) == b""


def test_a_textfile_is_whole_and_leaves_nothing_beside_it(runs, tmp_path: Path) -> None:
    path = tmp_path / "loadtest.prom"
    write_textfile(str(path), lambda: runs)
    assert {family.name for family in read_classic(path.read_text())} >= {DURATION}
    write_textfile(str(path), lambda: ())
    assert DURATION in path.read_text()
    assert [*tmp_path.iterdir()] == [path]
    with pytest.raises(OSError, match="No such file"):
        write_textfile(str(tmp_path / "none" / "x.prom"), lambda: runs)
