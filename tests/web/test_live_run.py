"""A live page's rows, its readers, and its address."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from windows import flat_window

from loadtest.cli.web import web_of
from loadtest.core.request.spec import Stairs, StopConditions
from loadtest.core.traffic.curve import curve_of
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.errors import EngineError, SpecError
from loadtest.report.html.live import JOINED, RECENT, LiveRun
from loadtest.web.broadcast import WAITING, Broadcast
from loadtest.web.live import LivePage

pytestmark = pytest.mark.live


@pytest.fixture
def plan() -> Plan:
    return Plan(curve_of(Stairs(2, 3, 3600)), StopConditions(), TargetRef("mock:servers=4"))


def test_a_long_run_stays_small_and_loses_nothing(plan: Plan) -> None:
    run, shown = LiveRun(plan), []
    n = 3 * RECENT
    for i in range(n):
        told = run.window(flat_window(i, level=0, users=2, running=2, ok=10 + i % 3, active=2.0), {"time": 0.5})
        for row in told["rows"]:
            shown = [each for each in shown if each["from"] < row["from"] or each["to"] > row["to"]]
            shown.append(row)
    history = run.history({})["rows"]
    assert sorted(shown, key=lambda row: row["from"]) == history, (
        "who was there from the start sees what a late one does"
    )
    assert len(history) < RECENT + JOINED + n / JOINED
    assert sum(row["throughput"] * (row["to"] - row["from"]) for row in history) == pytest.approx(11 * n)
    assert [row["from"] for row in history[1:]] == [row["to"] for row in history[:-1]]


def test_a_window_tells_where_the_run_is(plan: Plan) -> None:
    told = LiveRun(plan).window(
        flat_window(0, level=0, users=2, running=2, ok=10, errors={"timeout": 2}), {"max_invocations": 0.25}
    )
    assert told["totals"] == {"ok": 10, "errors": 2, "kinds": {"timeout": 2}}
    assert told["levels"] == [{"users": 2, "level": "level 0 (2 users)", "throughput": 10.0, "here": True}]
    assert told["progress"] == {"max_invocations": 0.25}
    json.dumps(told, allow_nan=False)


def _events(chunks: list[bytes]) -> list[tuple[str, Any]]:
    found = []
    for chunk in chunks:
        if chunk.startswith(b"event: "):
            name, _, data = chunk.decode().strip().partition("\ndata: ")
            found.append((name.removeprefix("event: "), json.loads(data)))
    return found


def test_a_late_reader_is_told_everything_once() -> None:
    told: list[int] = []
    broadcast = Broadcast(lambda: list(told))

    def tell(i: int) -> None:
        broadcast.send("n", lambda: (told.append(i), i)[1])

    tell(1)
    reader = broadcast.read()
    first = [next(reader), next(reader)]
    tell(2)
    tell(3)
    broadcast.end()
    assert _events([*first, *reader]) == [("history", [1]), ("n", 2), ("n", 3)]
    assert broadcast.readers == 0
    assert _events(list(broadcast.read())) == [("history", [1, 2, 3])], "after the end, too"


def test_a_reader_that_does_not_read_is_let_go_of() -> None:
    broadcast = Broadcast(lambda: [])
    reader = broadcast.read()
    next(reader), next(reader)
    for i in range(WAITING + 50):
        broadcast.send("n", lambda i=i: i)
    assert broadcast.readers == 0
    assert list(reader) == [], "its stream ends, and a browser connects again"


def _asked(page: LivePage, method: str, path: str, query: str = "", host: str = "127.0.0.1:1", origin: str = "") -> str:
    return _answered(page, method, path, query, host, origin)[0]


def _answered(
    page: LivePage, method: str, path: str, query: str = "", host: str = "127.0.0.1:1", origin: str = ""
) -> tuple[str, str]:
    said: list[str] = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "HTTP_HOST": host}
    environ |= {"HTTP_ORIGIN": origin} if origin else {}
    body = b"".join(page.application(environ, lambda status, headers: said.append(status)))
    return said[0], body.decode()


def test_who_may_see_and_who_may_stop(plan: Plan) -> None:
    stopped: list[bool] = []
    with LivePage(plan, "a </script> title") as page:
        token = page.url.partition("?")[2]
        assert _asked(page, "GET", "/") == "200 OK"
        assert _asked(page, "POST", "/stop", token) == "409 Conflict", "nothing runs yet"
        page.started(lambda: stopped.append(True))
        assert _asked(page, "POST", "/stop") == "403 Forbidden"
        assert _asked(page, "POST", "/stop", "token=guess") == "403 Forbidden"
        assert _asked(page, "GET", "/stop", token) == "404 Not Found", "a link or an image cannot press it"
        assert _asked(page, "POST", "/stop", token, host="evil.example:80") == "403 Refused"
        assert _asked(page, "GET", "/", host="evil.example") == "403 Refused"
        assert _asked(page, "POST", "/stop", token, origin="http://evil.example") == "403 Refused"
        assert _asked(page, "GET", "/report.html") == "404 Not Found"
        assert stopped == []
        assert _asked(page, "POST", "/stop", token, host="localhost:9") == "202 Accepted"
        assert stopped == [True]
        html = _answered(page, "GET", "/")[1]
        assert token.partition("=")[2] not in html
        assert "a &lt;/script&gt; title" in html
        page.finish(["done"], None)  # nobody watches: it does not wait
        assert _asked(page, "POST", "/stop", token) == "409 Conflict"


def test_who_reads_the_report_slowly_gets_it_whole(plan: Plan, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_bytes(b"r" * 20_000_000)  # more than sockets hold
    with LivePage(plan, "title") as page:
        host, port = "127.0.0.1", int(page.url.split(":")[2].split("/")[0])
        with socket.create_connection((host, port)) as watching, socket.create_connection((host, port)) as reader:
            watching.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert watching.recv(100)
            ending = threading.Thread(target=page.finish, args=(["done"], report))
            ending.start()
            reader.sendall(b"GET /report.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert reader.recv(100)
            ending.join(3)
            assert ending.is_alive(), "it has not been read"
            got = reader.makefile("rb").read()
            ending.join(60)
    assert got.count(b"r" * 1000) == 20_000


def test_an_address_that_is_taken(plan: Plan) -> None:
    with LivePage(plan, "one") as page:
        port = int(page.url.split(":")[2].split("/")[0])
        with pytest.raises(EngineError, match=f"cannot listen on 127.0.0.1 port {port}"):
            LivePage(plan, "two", port=port)


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:8089", ("127.0.0.1", 8089)), ("[::1]:0", ("::1", 0)), ("0.0.0.0:80", ("0.0.0.0", 80)), (None, None)],
)
def test_addresses(text: str | None, address: tuple[str, int] | None) -> None:
    assert web_of({"web": text}) == address


@pytest.mark.parametrize("text", ["job.json", "8089", ":8089", "host:", "host:70000", "host:x"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(SpecError, match="must be HOST:PORT"):
        web_of({"web": text})


def test_an_open_run_has_no_users(plan: Plan) -> None:
    from loadtest.core.traffic.arrivals import Arrivals
    from loadtest.core.traffic.plan import open_plan
    from loadtest.report.html.live import live_charts

    names: Callable[[Plan], list[str]] = lambda plan: [chart.name for chart in live_charts(plan)]  # noqa: E731
    assert names(plan) == ["curve", "users", "throughput", "errors", "latency"]
    opened = open_plan(plan, Arrivals(10.0, 30.0))
    assert names(opened) == ["users", "throughput", "errors", "latency"]
    assert "running" not in LiveRun(opened).window(flat_window(0, users=100, ok=3), {})["rows"][0]


def test_without_its_server_it_says_what_to_install(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    from loadtest.cli.web import live_page

    for name in [name for name in sys.modules if name.startswith("loadtest.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "waitress", None)
    with pytest.raises(SpecError, match=r"pip install 'loadtest\[report\]'"), live_page(("127.0.0.1", 0), plan, "t"):
        pass
    with live_page(None, plan, "t") as page:
        assert page is None
