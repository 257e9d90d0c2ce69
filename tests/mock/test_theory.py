"""The mock endpoint as a queueing system, live: the same figures that its model has in virtual time."""

from __future__ import annotations

import os
import selectors
import time
from pathlib import Path
from typing import Any

import pytest
from mock_wire import Wire, post

from loadtest.endpoint.latency import MockSettings
from loadtest.mock.process import MockProcess


def drive(process: MockProcess, users: int, length_s: float) -> dict[str, Any]:
    """Closed-loop users without think time; the change of the server's own statistics between two instants."""
    process.statistics()  # the first time takes longer, and the users below wait for it
    clients = [Wire(process.url) for _ in range(users)]
    request = post()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ)
            client.send(request)

        def turn(until_s: float) -> None:
            while (left_s := until_s - time.monotonic()) > 0:
                for key, _ in selector.select(left_s):
                    sock: Any = key.fileobj
                    assert sock.recv(65536).startswith(b"HTTP/1.1 200")
                    sock.send(request)

        turn(time.monotonic() + 0.3)
        before = process.statistics()
        turn(time.monotonic() + length_s)
        after = process.statistics()
    for client in clients:
        client.reset()
    return {name: after[name] - before[name] for name in ("ok", "busy_s", "uptime_s")} | {"p50_ms": after["p50_ms"]}


@pytest.mark.parametrize(("users", "servers"), [(2, 4), (20, 4)])
def test_closed_loop_users_get_what_theory_says(users: int, servers: int) -> None:
    service_s = 0.1
    with MockProcess(MockSettings(servers=servers, service_ms=service_s * 1000)) as process:
        found = drive(process, users, 1.0)
    # On the server's own clock, so that a late statistics request does not matter. A user's turn on a loaded machine
    # only ever lowers the rate of those who do not queue, so there the lower bound is a loose one.
    rate_per_s = found["ok"] / found["uptime_s"]
    limit_per_s = min(users, servers) / service_s
    one_request = users / found["uptime_s"]
    assert rate_per_s <= limit_per_s * 1.02 + one_request
    if users > servers:
        assert rate_per_s >= limit_per_s * 0.98 - one_request
        assert found["busy_s"] / found["uptime_s"] / servers == pytest.approx(1, abs=0.02)
    else:
        assert rate_per_s >= limit_per_s * 0.5 - one_request
    # Little's law would have it be users / rate, less what the clients themselves take from answer to request.
    assert found["p50_ms"] >= service_s * 1000 * (2 if users > servers else 1)


def drive_alone(settings: MockSettings, users: int, length_s: float) -> dict[str, Any]:
    """`drive`, skipping the test if others used more than a sixth of a core in the meantime."""
    with MockProcess(settings) as process:
        started_s, before_s = time.monotonic(), _others_s(process.pid)
        found = drive(process, users, length_s)
        others = (_others_s(process.pid) - before_s) / (time.monotonic() - started_s)
    if others > 1 / 6:
        pytest.skip(f"the machine is not idle: others use {others:.0%} of a core")
    return found


def _others_s(pid: int) -> float:
    """CPU time that neither this process nor `pid` used, stolen time included."""
    tick = os.sysconf("SC_CLK_TCK")
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    mock = sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return (user + nice + system + irq + softirq + steal - mock) / tick - time.process_time()


@pytest.mark.slow
@pytest.mark.parametrize(("users", "servers"), [(1, 4), (4, 4), (40, 4)])
def test_throughput_is_within_two_percent_on_an_idle_machine(users: int, servers: int) -> None:
    found = drive_alone(MockSettings(servers=servers, service_ms=100), users, 4.0)
    limit_per_s = min(users, servers) / 0.1
    # Besides the 2 %, one answer a server may fall on either side of the interval's ends.
    allowed_per_s = 0.02 * limit_per_s + min(users, servers) / found["uptime_s"]
    assert found["ok"] / found["uptime_s"] == pytest.approx(limit_per_s, abs=allowed_per_s)


@pytest.mark.slow
def test_a_fixed_service_time_is_kept_to_half_a_millisecond_on_an_idle_machine() -> None:
    found = drive_alone(MockSettings(servers=50, service_ms=20), 50, 4.0)
    assert found["p50_ms"] == pytest.approx(20, abs=0.5)
