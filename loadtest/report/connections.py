"""The connections of a run, in words: how many were opened, how long that took, and what was odd about it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from loadtest.core.measure.totals import Totals
from loadtest.report.words import milliseconds, percent, plural

__all__ = ["connection_lines"]

OFTEN = 0.1  # connections a request, from which on they are a part of what users wait for


def connection_lines(totals: Totals) -> Iterator[Text]:
    """Nothing if no connection is known to have been opened."""
    made = totals.connections
    if not made.connects:
        return
    each = ", ".join(
        f"{name} {milliseconds(value)}"
        for name, value in (
            ("p50", totals.latencies.connect.p50_ms),
            ("p95", totals.latencies.connect.p95_ms),
            ("p99", totals.latencies.connect.p99_ms),
        )
    )
    parts = (
        ("name", made.lookup_s),
        ("TCP", made.tcp_s),
        ("proxy and TLS", made.handshake_s),
    )
    means = [f"{name} {milliseconds(1000 * sum_s / made.connects)}" for name, sum_s in parts if sum_s]
    mean = f" (mean: {', '.join(means)})" if means else ""
    often = totals.completed and made.connects >= OFTEN * totals.completed
    yield Text(f"Connections: {made.connects:,} opened, each {each} ms{mean}", style="yellow" if often else "")
    before = made.connects - made.reconnects
    if totals.completed and before >= OFTEN * totals.completed:
        share = percent(min(before / totals.completed, 1.0))
        yield Text(f"  - {share} of the requests waited for a new connection first, which is no part of their latency")
    if made.reconnects:
        yield Text(
            f"  - {plural(made.reconnects, 'request')} sent again (reconnects): the connection had ended without a "
            "byte of an answer; their latency counts from the first time",
            style="yellow",
        )
    if often and made.connect_causes:
        causes = ", ".join(f"{times:,} x {cause}" for cause, times in made.connect_causes.items())
        yield Text(f"  - why anew: {causes}")
    for address, times in made.dead_addresses.items():
        yield Text(f"  - {address}, {plural(times, 'time')}, before another address was tried", style="yellow")
