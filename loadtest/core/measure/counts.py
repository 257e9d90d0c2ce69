"""What came of the requests of some stretch of a run, in numbers that add up. No clock, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from loadtest.core.measure.outcome import NOT_THE_ENDPOINT

__all__ = ["MAX_DETAILS", "SLICES", "Counts", "sliced", "truncated"]

Pairs = tuple[tuple[int, int], ...]

SLICES = 10  # of a window's time, in which requests over the limit are counted
OTHERS = "(others)"
MAX_DETAILS = 100  # an endpoint that puts an id into each error must not make a window, or the result, grow with them


@dataclass(frozen=True, slots=True)
class Counts:
    """Completions, and the sum of two of them.

    ok: successes. errors: failures by kind; details: failures by what distinguishes them, the rarest of many as
        "(others)".
    latency_sum_s: of the successes, by the client's clock.
    over, over_batches: requests over the latency threshold on the threshold's clock, the endpoint's failures included
        (S2, S5), and (n, over) of each of the SLICES equal parts of the window's time, from which is seen how slow
        requests come together; 0 and () without a threshold. Windows of old files have batches of consecutive requests
        instead.
    clamped: latencies outside 1 us .. 1 h, counted at the border. user_clock: successes without kernel timestamp.
    """

    ok: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, int] = field(default_factory=dict)
    bytes_in: int = 0
    latency_sum_s: float = 0.0
    over: int = 0
    over_batches: Pairs = ()
    clamped: int = 0
    user_clock: int = 0

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    @property
    def own(self) -> int:
        """Failures that are the sender's, not the endpoint's."""
        return sum(self.errors.get(kind.value, 0) for kind in NOT_THE_ENDPOINT) if self.errors else 0

    @property
    def completed(self) -> int:
        """Successes and failures."""
        return self.ok + self.failed

    @property
    def judged(self) -> int:
        """Completions that the endpoint had to do with: what a threshold and an error budget are about."""
        return self.completed - self.own

    @property
    def error_ratio(self) -> float:
        """Failures / completed; 0 if nothing completed."""
        return self.failed / self.completed if self.completed else 0.0

    @property
    def mean_ms(self) -> float | None:
        """Of the successes; None without one."""
        return 1000 * self.latency_sum_s / self.ok if self.ok else None

    def __add__(self, other: Counts) -> Counts:
        return Counts.sum((self, other))

    @classmethod
    def sum(cls, parts: Iterable[Counts], *, batches: bool = True) -> Counts:
        """Of many at once: a five-hour run has 18,000 windows.

        batches: False leaves out `over_batches`, which are most of the work. Their k-th slices of time are added to
        each other: several generators at the same time give exactly what one that sent all their requests would give.
        """
        every = list(parts)
        return cls(
            ok=sum(part.ok for part in every),
            errors=_total(part.errors for part in every),
            details=truncated(_total(part.details for part in every)),
            bytes_in=sum(part.bytes_in for part in every),
            latency_sum_s=sum(part.latency_sum_s for part in every),
            over=sum(part.over for part in every),
            over_batches=_summed([part.over_batches for part in every if part.over_batches]) if batches else (),
            clamped=sum(part.clamped for part in every),
            user_clock=sum(part.user_clock for part in every),
        )


def sliced(batches: Pairs) -> Pairs:
    """`batches`, in the order of time, as SLICES slices; those of old files are dealt out evenly. () stays ()."""
    if len(batches) in (0, SLICES):
        return batches
    found = [[0, 0] for _ in range(SLICES)]
    for i, (n, over) in enumerate(batches):
        part = found[i * SLICES // len(batches)]
        part[0] += n
        part[1] += over
    return tuple((n, over) for n, over in found)


def _summed(parts: Sequence[Pairs]) -> Pairs:
    if len(parts) < 2:
        return parts[0] if parts else ()
    slices = zip(*map(sliced, parts), strict=True)
    return tuple((sum(n for n, _ in each), sum(over for _, over in each)) for each in slices)


def truncated(details: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first, at most MAX_DETAILS; what is left of them counts as "(others)"."""
    most = Counter(details).most_common()
    kept = dict(most[:MAX_DETAILS])
    others = sum(n for _, n in most[MAX_DETAILS:])
    return {**kept, OTHERS: kept.get(OTHERS, 0) + others} if others else kept


def _total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return dict(total)
