"""Connections in windows: their figures, their sums, and that waiting for one is waiting for the endpoint."""

from __future__ import annotations

import pytest
from windows import changed, flat_frame

from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.levels import level_results
from loadtest.core.measure.marks import client_limited
from loadtest.core.measure.openings import MAX_ADDRESSES
from loadtest.core.measure.outcome import Kind, Opening, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.measure.totals import Totals, totals_of
from loadtest.core.measure.window import Window, merge_windows
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.report.connections import connection_lines
from loadtest.report.tables import levels_csv

MS = 1_000_000
LEVELS = TrafficCurve((Step(0.0, 4),), 100.0).levels(1.0)


def opened(latency_ms: int, opening: Opening | None, kind: Kind = Kind.OK) -> Outcome:
    return Outcome(kind, 200, 2, 0, latency_ms * MS, latency_ms * MS, kernel_clock=True, opening=opening)


def window_of(*outcomes: Outcome, index: int = 0) -> Window:
    recorder = Recorder()
    for outcome in outcomes:
        recorder.record(outcome)
    return recorder.take(flat_frame(index, float(index), index + 1.0, 0, 4, 4, 4.0))


TLS_50_MS = Opening(1 * MS, 2 * MS, 50 * MS)


def test_a_window_without_new_connections_has_none() -> None:
    window = window_of(opened(5, None))
    assert (
        window.connections.connects,
        window.connections.reconnects,
        window.latencies.connect.encoded,
        window.latencies.connect.p50_ms,
    ) == (0, 0, "", None)
    assert (
        window.connections.lookup_s,
        window.connections.tcp_s,
        window.connections.handshake_s,
        window.connections.dead_addresses,
    ) == (0, 0, 0, {})
    assert list(connection_lines(totals_of([window], Histogram(), Histogram()))) == []


def test_how_long_they_took_stands_beside_the_latency() -> None:
    window = window_of(opened(5, TLS_50_MS), opened(5, None), opened(5, TLS_50_MS, Kind.MODEL_ERROR))
    assert (window.connections.connects, window.connections.reconnects) == (2, 0)
    assert (window.connections.lookup_s, window.connections.tcp_s, window.connections.handshake_s) == pytest.approx(
        (0.002, 0.004, 0.1)
    )
    assert (window.latencies.connect.p50_ms, window.latencies.connect.max_ms) == (53, 53)
    assert window.latencies.client.max_ms == 5


def test_who_waits_for_a_connection_waits_for_the_endpoint() -> None:
    """Four users, a new connection of 53 ms for each request of 5 ms: none of them waits for the generator."""
    window = window_of(*[opened(5, TLS_50_MS)] * 68)  # 68 * 58 ms are 3.94 s of four users' second
    assert window.load.in_flight == pytest.approx(3.944)
    assert client_limited(window) == ()
    (reason,) = client_limited(window_of(*[opened(5, None)] * 68))  # the same gaps, without a word what they were
    assert reason.code == "little"
    slow = window_of(*[opened(5, Opening(0, MS, 0))] * 68)  # and this one takes its time besides
    (reason,) = client_limited(slow)
    assert reason.advice.startswith("100% of the requests needed a new connection: let the endpoint keep them open")


def test_a_request_that_was_sent_again_contains_its_connection_already() -> None:
    again = TLS_50_MS._replace(resent=True)
    window = window_of(opened(100, again), opened(5, TLS_50_MS))
    assert (window.connections.connects, window.connections.reconnects) == (2, 1)
    assert window.load.in_flight == pytest.approx(0.158)


def test_addresses_that_did_not_answer_are_counted_and_bounded() -> None:
    dead = TLS_50_MS._replace(dead=("10.0.0.1:443 refused", "[::1]:443 unreachable"))
    window = window_of(opened(5, dead), opened(5, dead), opened(5, TLS_50_MS))
    assert window.connections.dead_addresses == {"10.0.0.1:443 refused": 2, "[::1]:443 unreachable": 2}
    many = window_of(*(opened(5, TLS_50_MS._replace(dead=(f"10.0.0.{k}:1 refused",))) for k in range(100)))
    assert len(many.connections.dead_addresses) == MAX_ADDRESSES
    assert merge_windows([window, window]).connections.dead_addresses["10.0.0.1:443 refused"] == 4
    why = window_of(opened(5, TLS_50_MS._replace(cause="bytes after the answer")), opened(5, TLS_50_MS))
    assert why.connections.connect_causes == {"bytes after the answer": 1}
    assert totals_of([why, why], Histogram(), Histogram()).connections.connect_causes == {"bytes after the answer": 2}


def test_merging_levels_and_totals_are_the_exact_sum() -> None:
    windows = [
        window_of(opened(5, Opening(k * MS, MS, MS, (), k % 2 == 0)), opened(5, None), index=k) for k in range(1, 21)
    ]
    merged = merge_windows([changed(window, index=0) for window in windows])
    (level,) = level_results(LEVELS, windows)
    totals = totals_of(windows, Histogram(), Histogram())
    for part, made in ((merged, merged.connections), (level, level), (totals, totals.connections)):
        assert (made.connects, made.reconnects, part.latencies.connect.max_ms) == (20, 10, 22)
        assert part.latencies.connect.p50_ms == pytest.approx(12, rel=0.002)
    for whole in (merged, totals):
        assert (whole.connections.lookup_s, whole.connections.tcp_s, whole.connections.handshake_s) == pytest.approx(
            (0.21, 0.02, 0.02)
        )
    assert Window.from_dict(merged.to_dict()) == merged
    assert Totals.from_dict(totals.to_dict()) == totals
    head, row = levels_csv([level]).splitlines()
    assert dict(zip(head.split(","), row.split(","), strict=True))["connects"] == "20"


def test_the_next_window_starts_empty() -> None:
    recorder = Recorder()
    recorder.record(opened(5, TLS_50_MS))
    assert recorder.take(flat_frame(0, 0.0, 1.0, 0, 1, 1, 1.0)).connections.connects == 1
    assert recorder.take(flat_frame(1, 1.0, 2.0, 0, 1, 1, 1.0)).connections.connects == 0


def test_in_words() -> None:
    dead = TLS_50_MS._replace(dead=("127.0.0.2:443 refused",))
    again = TLS_50_MS._replace(resent=True, cause="ended by the server")
    windows = [window_of(opened(5, dead), opened(90, again), *[opened(5, None)] * 8)]
    lines = [line.plain for line in connection_lines(totals_of(windows, Histogram(), Histogram()))]
    assert lines == [
        "Connections: 2 opened, each p50 53.0, p95 53.0, p99 53.0 ms (mean: name 1.0, TCP 2.0, proxy and TLS 50.0)",
        "  - 10.0 % of the requests waited for a new connection first, which is no part of their latency",
        "  - 1 request sent again (reconnects): the connection had ended without a byte of an answer; their latency "
        "counts from the first time",
        "  - why anew: 1 x ended by the server",
        "  - 127.0.0.2:443 refused, 1 time, before another address was tried",
    ]
    few = [window_of(opened(5, TLS_50_MS), *[opened(5, None)] * 99)]
    assert len(list(connection_lines(totals_of(few, Histogram(), Histogram())))) == 1
