"""Windows made by hand: one second each, one level, all that the rules look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from windows import flat_window

from loadtest.core.measure.window import Window

MakeWindows = Callable[..., list[Window]]


@pytest.fixture
def make_windows() -> MakeWindows:
    """make_windows([10, 12, ...], failed=[0, 1, ...], over=[...], users=3): successes a window, and the rest."""

    def make(
        ok: Sequence[int],
        *,
        failed: Sequence[int] | None = None,
        over: Sequence[int] | None = None,
        batch: int = 10,
        first: int = 0,
        length_s: float = 1.0,
        **members: Any,
    ) -> list[Window]:
        windows = []
        for i, count in enumerate(ok):
            lost = failed[i] if failed else 0
            slow = over[i] if over else 0
            index = first + i
            values: dict[str, Any] = {"level": 0, "users": 4, "running": 4, "active": 4.0, "in_flight": 4.0} | members
            windows.append(
                flat_window(
                    index=index,
                    start_s=index * length_s,
                    end_s=(index + 1) * length_s,
                    ok=count,
                    errors={"server_error": lost} if lost else {},
                    over=slow,
                    over_batches=_spread(count + lost, slow, batch) if over else (),
                    **values,
                )
            )
        return windows

    return make


def _spread(n: int, over: int, batch: int) -> tuple[tuple[int, int], ...]:
    """`over` of `n` spread evenly over batches."""
    sizes = [min(batch, n - start) for start in range(0, n, batch)]
    ends = [round(over * min(n, start + batch) / n) for start in range(0, n, batch)]
    return tuple((size, end - begin) for size, begin, end in zip(sizes, [0, *ends], ends, strict=False))
