"""The API's formulas against its own published results, and the best rate as a table."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from places import JOBS
from windows import flat_window

from loadtest.core.measure.window import Window
from loadtest.core.request.spec import LatencyThreshold
from loadtest.core.result.metrics import (
    BestRate,
    best_rate,
    initial_instance_count,
    max_invocations_per_min,
    model_latency_ms,
    sure_per_min,
)

ROWS: list[dict[str, Any]] = json.loads((JOBS / "observed-results.json").read_text())
P95_100 = LatencyThreshold(0.95, 100)


def ids(row: dict[str, Any]) -> str:
    return f"{row['instance']} x {row['count']}, {row['max_invocations']}"


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_published_counts_and_rates(row: dict[str, Any]) -> None:
    per_instance, rest = divmod(row["max_invocations"], row["count"])
    assert not rest, "the published rate is a whole rate per instance times the count"
    count = initial_instance_count(per_instance, row["max_invocations_target"])
    assert count == row["count"]
    assert max_invocations_per_min(per_instance, count) == row["max_invocations"]


@pytest.mark.parametrize("row", [row for row in ROWS if row["job_type"] == "Advanced"], ids=ids)
def test_published_latency_is_the_threshold_that_ended_the_test(row: dict[str, Any]) -> None:
    assert model_latency_ms(63.2, P95_100, latency_ended=True) == row["model_latency"]


@pytest.mark.parametrize(
    ("measured", "threshold", "ended", "reported"),
    [
        (63.2, None, False, 63.2),
        (63.2, P95_100, False, 63.2),
        (120.0, P95_100, False, 120.0),
        (120.0, P95_100, True, 100.0),
        (None, P95_100, True, 100.0),
        (None, P95_100, False, None),
    ],
)
def test_model_latency(
    measured: float | None, threshold: LatencyThreshold | None, ended: bool, reported: float | None
) -> None:
    assert model_latency_ms(measured, threshold, ended) == reported


@pytest.mark.parametrize(
    ("rate", "target", "count"),
    [(129, 300, 3), (150, 300, 2), (300, 300, 1), (301.9, 300, 1), (149.9, 300, 3), (5, None, 1)],
)
def test_instance_count(rate: float, target: int | None, count: int) -> None:
    assert initial_instance_count(rate, target) == count


def test_no_count_follows_from_nothing() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        initial_instance_count(0.9, 300)


def run_of(*parts: tuple[int | None, int, int, int], window_s: float = 1.0) -> list[Window]:
    """(level, windows, ok per window, over per window) after each other."""
    windows: list[Window] = []
    for level, n, ok, over in parts:
        for _ in range(n):
            i = len(windows)
            windows.append(
                flat_window(
                    index=i, start_s=i * window_s, end_s=(i + 1) * window_s, level=level, users=1, ok=ok, over=over
                )
            )
    return windows


@pytest.mark.parametrize(
    ("windows", "options", "expected"),
    [
        pytest.param([], {}, None, id="nothing"),
        pytest.param(run_of((0, 90, 0, 0)), {}, None, id="no success"),
        pytest.param(run_of((0, 60, 2, 0)), {}, BestRate(120, 0, 60, 0, False), id="exactly a minute"),
        pytest.param(run_of((0, 30, 2, 0), (1, 60, 4, 0)), {}, BestRate(240, 30, 90, 1, False), id="highest level"),
        pytest.param(
            run_of((0, 30, 2, 0), (1, 30, 4, 0)), {}, BestRate(180, 0, 60, 1, False), id="a minute over two levels"
        ),
        pytest.param(
            run_of((0, 20, 2, 0), (1, 20, 4, 0)),
            {},
            BestRate(240, 20, 40, 1, True),
            id="too short: best level's estimate",
        ),
        pytest.param(
            run_of((0, 20, 2, 0), (None, 5, 9, 0)), {}, BestRate(120, 0, 20, 0, True), id="no estimate between levels"
        ),
        pytest.param(
            run_of((0, 70, 2, 0), (1, 60, 4, 4)), {"broken": {1}}, BestRate(120, 0, 70, 0, False), id="broken level"
        ),
        pytest.param(
            run_of((0, 70, 2, 0), (1, 60, 4, 1)),
            {"threshold": P95_100},
            BestRate(120, 0, 70, 0, False),
            id="stretch over its share",
        ),
        pytest.param(
            run_of((0, 20, 2, 0), (1, 20, 4, 4)),
            {"threshold": P95_100},
            BestRate(120, 0, 20, 0, True),
            id="estimate within conditions",
        ),
        pytest.param(run_of((0, 60, 2, 2)), {"threshold": P95_100}, None, id="never within conditions"),
        pytest.param(
            run_of((0, 60, 20, 1)),
            {"threshold": P95_100},
            BestRate(1200, 0, 60, 0, False),
            id="exactly its share holds",
        ),
        pytest.param(
            run_of((0, 20, 14, 0), window_s=7.0),
            {},
            BestRate(120, 0, 140, 0, False),
            id="windows that do not divide a minute",
        ),
        pytest.param(
            run_of((0, 10, 2, 0)), {"rate_window_s": 10.0}, BestRate(120, 0, 10, 0, False), id="a shorter rate window"
        ),
    ],
)
def test_best_rate(windows: list[Window], options: dict[str, Any], expected: BestRate | None) -> None:
    found = best_rate(windows, **options)
    assert found is None or found.low_per_min is None or found.low_per_min <= found.per_min
    assert (found and replace(found, low_per_min=None, high_per_min=None, peak_per_min=None)) == expected


def test_the_rate_of_a_level_is_its_mean_and_its_interval_holds() -> None:
    """An M/M/1 endpoint of a second, busy for ten minutes: the highest of all rolling minutes was 1.3 x the truth."""
    rng = np.random.default_rng(1)
    means, covered, peaks = [], 0, []
    for _ in range(60):
        counts = np.bincount(np.floor(np.cumsum(rng.exponential(1.0, 900))).astype(int), minlength=600)[:600]
        found = best_rate(run_of(*((0, 1, int(ok), 0) for ok in counts)))
        assert found is not None
        assert found.low_per_min is not None
        assert found.high_per_min is not None
        assert found.peak_per_min is not None
        means.append(found.per_min)
        peaks.append(found.peak_per_min)
        covered += found.low_per_min <= 60 <= found.high_per_min
    assert np.mean(means) == pytest.approx(60, rel=0.02)
    assert np.mean(peaks) > 70
    assert covered >= 52


def test_the_interval_is_wider_for_the_best_of_many() -> None:
    rng = np.random.default_rng(2)
    levels = [(k, 1, int(ok), 0) for k in range(10) for ok in rng.poisson(5, 60)]
    many, one = best_rate(run_of(*levels)), best_rate(run_of(*levels[:60]))
    assert many is not None
    assert one is not None
    assert many.low_per_min is not None
    assert one.low_per_min is not None
    assert many.per_min - many.low_per_min > 1.2 * (one.per_min - one.low_per_min)
    assert many.low_per_min <= 300


def test_a_ramp_is_cut_from_its_end() -> None:
    windows = run_of(*((k // 20, 1, 2 + k // 20, 0) for k in range(150)))
    found = best_rate(windows)
    assert found is not None
    assert (found.start_s, found.end_s, found.level, found.estimated) == (90.0, 150.0, 7, False)
    assert found.peak_per_min == found.per_min


def rising(*levels: tuple[int, float], level_s: int = 60) -> list[Window]:
    """(users, successes a second) of levels after each other."""
    windows: list[Window] = []
    for level, (users, per_s) in enumerate(levels):
        for i in range(level_s):
            index, ok = len(windows), int((i + 1) * per_s) - int(i * per_s)
            windows.append(
                flat_window(
                    index=index,
                    level=level,
                    users=users,
                    active=users,
                    ok=ok,
                )
            )
    return windows


PLATEAU = ((1, 10.0), (2, 20.0), (4, 40.0), (8, 40.2), (16, 40.4), (32, 40.3))


@pytest.mark.parametrize(
    ("levels", "options", "level", "per_min"),
    [
        pytest.param(PLATEAU, {}, 2, 2400, id="its beginning"),
        pytest.param(PLATEAU, {"target_per_min": 2410}, 3, 2412, id="where the target is reached"),
        pytest.param(PLATEAU, {"target_per_min": 5000}, 2, 2400, id="a target that is never reached"),
        pytest.param(PLATEAU[:3], {}, 2, 2400, id="none yet"),
        pytest.param(((4, 40.0), (5, 49.0), (6, 57.0), (7, 64.0)), {}, 3, 3840, id="it bends"),
        pytest.param(((50, 500.0), (51, 509.0)), {}, 1, 30540, id="rising by a little"),
        pytest.param(((16, 40.4), (8, 40.3), (4, 40.2)), {}, 2, 2412, id="users that fall"),
        pytest.param(((4, 40.0), (8, 46.0), (16, 46.2)), {}, 1, 2760, id="not before it"),
    ],
)
def test_on_a_plateau_the_best_rate_is_its_beginning(
    levels: tuple[tuple[int, float], ...], options: dict[str, Any], level: int, per_min: float
) -> None:
    """More users bring no more there, but wait longer: only the beginning's latency belongs to the rate."""
    full = best_rate(rising(*levels), **options)
    assert full is not None
    assert (full.level, full.estimated) == (level, False)
    assert full.per_min == pytest.approx(per_min, rel=0.02)


def test_an_estimate_is_of_a_plateau_s_beginning_too() -> None:
    short = best_rate(rising(*PLATEAU, level_s=10), rate_window_s=600.0)
    assert short is not None
    assert (short.per_min, short.level, short.estimated) == (2400, 2, True)


@pytest.mark.parametrize(
    ("best", "reached", "sure"),
    [
        (BestRate(300, 0, 60, 0, False, 280.0, 320.0), None, 280),
        (BestRate(300, 0, 60, 0, False, 280.0, 320.0), 310, 310),
        (BestRate(300, 0, 60, 0, False), None, 300),
        (BestRate(2, 0, 60, 0, False, 0.0, 5.0), None, 1),
    ],
    ids=["the lower end", "one instance served the target", "an earlier version's", "at least one"],
)
def test_a_fleet_is_sized_by_what_one_instance_is_sure_to_serve(best, reached, sure) -> None:
    assert sure_per_min(best, reached) == sure
