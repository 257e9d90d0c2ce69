"""One slice of a run: the only measurement that crosses a process border, and the exact sum of several generators'.

    Window = Span + Load + Counts + Latencies + Health + Sends + Connects

Rules take the part that they need. Files and pipes have the same values flat, with a unit in each name. No clock, no
I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from loadtest.core.measure.counts import Counts
from loadtest.core.measure.distribution import Latencies
from loadtest.core.measure.health import Health
from loadtest.core.measure.openings import Connects
from loadtest.core.measure.sampled import Sampled
from loadtest.core.plain import known, summed
from loadtest.core.traffic.arrivals import Sends

__all__ = ["Load", "Span", "Window", "merge_windows"]

# The order of a file's members, which readers of old files may rely on.
_MEMBERS = """
index start_s end_s level users running active in_flight ok errors details bytes_in latency model_latency latency_sum_s
p50_ms p95_ms p99_ms max_ms model_p50_ms model_p95_ms model_p99_ms over over_batches clamped user_clock spawned
spawn_lag_sum_s spawn_lag_max_s loop_lag_s cpu steal clock_step_s workers lost_workers intended late very_late dropped
response response_p50_ms response_p95_ms response_p99_ms response_max_ms
ttfb ttfb_p50_ms ttfb_p95_ms ttfb_p99_ms ttfb_max_ms
inter_chunk inter_chunk_p50_ms inter_chunk_p95_ms inter_chunk_p99_ms inter_chunk_max_ms
connects reconnects lookup_s tcp_s handshake_s dead_addresses connect_causes
connect connect_p50_ms connect_p95_ms connect_p99_ms connect_max_ms
suspended_s
""".split()


@dataclass(frozen=True, slots=True)
class Span:
    """[start_s, end_s) since run start. level: index of the curve's level that it lies in; None: it straddles two."""

    index: int
    start_s: float
    end_s: float
    level: int | None = None

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Load:
    """The users of a window.

    users: planned at the window's start. running: users that were running at its end.

    active: mean number of running users; in_flight: mean number of requests in flight (both integral / length).
        In a closed loop without think time the two agree, unless the generator itself makes users wait. A request that
        waits for its connection is in flight.
    """

    users: int = 0
    running: int = 0
    active: float = 0.0
    in_flight: float = 0.0

    @classmethod
    def sum(cls, parts: Sequence[Load]) -> Load:
        """Of several generators at the same time."""
        return summed(cls, parts)


@dataclass(frozen=True, slots=True)
class Window:
    """One slice of a run. A window whose `level` is None counts in no level.

    requests: some of them one by one, on their way to `requests.csv`; no other file has them.
    The properties are short names of what nearly everybody asks of a window.
    """

    span: Span
    load: Load = Load()
    counts: Counts = Counts()
    latencies: Latencies = Latencies()
    health: Health = Health()
    sends: Sends = Sends()
    connections: Connects = Connects()
    requests: tuple[Sampled, ...] = ()

    @property
    def index(self) -> int:
        return self.span.index

    @property
    def start_s(self) -> float:
        return self.span.start_s

    @property
    def end_s(self) -> float:
        return self.span.end_s

    @property
    def length_s(self) -> float:
        return self.span.length_s

    @property
    def level(self) -> int | None:
        return self.span.level

    @property
    def users(self) -> int:
        return self.load.users

    @property
    def ok(self) -> int:
        return self.counts.ok

    @property
    def failed(self) -> int:
        return self.counts.failed

    @property
    def completed(self) -> int:
        """Successes and failures."""
        return self.counts.completed

    def light(self) -> Window:
        """Without the histograms and batches, which are most of a window."""
        return replace(
            self,
            counts=replace(self.counts, over_batches=()),
            latencies=self.latencies.without_histograms(),
            requests=(),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, flat."""
        parts = (self.span, self.load, self.counts, self.health, self.sends, self.connections)
        flat = {name: value for part in parts for name, value in asdict(part).items()}
        flat |= self.latencies.histograms() | self.latencies.figures()
        values = {name: flat[name] for name in _MEMBERS}
        return {**values, "requests": self.requests} if self.requests else values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Window:
        """The inverse of `to_dict`; unknown members of a newer writer are dropped."""
        counts = known(Counts, values)
        counts["over_batches"] = tuple((n, over) for n, over in counts.get("over_batches", ()))
        return cls(
            Span(**known(Span, values)),
            Load(**known(Load, values)),
            Counts(**counts),
            Latencies.from_flat(values),
            Health(**known(Health, values)),
            Sends(**known(Sends, values)),
            Connects(**known(Connects, values)),
            tuple((place, latency_us, model_us) for place, latency_us, model_us in values.get("requests", ())),
        )


def merge_windows(parts: Sequence[Window]) -> Window:
    """One window from the same window of several generators: every count and every counter is the exact sum.

    Bounds are the parts' mean (each generator closes its windows by its own clock, a millisecond apart); the rest
    follows the meaning of each part. Raises ValueError on no parts or parts of different windows.
    """
    if len({part.index for part in parts}) != 1:
        raise ValueError("only parts of one window can be merged")
    if len(parts) == 1:
        return parts[0]
    span = Span(
        index=parts[0].index,
        start_s=sum(part.start_s for part in parts) / len(parts),
        end_s=sum(part.end_s for part in parts) / len(parts),
        level=parts[0].level if len({part.level for part in parts}) == 1 else None,
    )
    return Window(
        span,
        Load.sum([part.load for part in parts]),
        Counts.sum(part.counts for part in parts),
        Latencies.merged([part.latencies for part in parts]),
        Health.merged([part.health for part in parts]),
        Sends.sum(part.sends for part in parts),
        Connects.sum(part.connections for part in parts),
        tuple(request for part in parts for request in part.requests),
    )
