"""A window: its flat form for files and pipes, and the exact sum of several generators' windows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from windows import flat_window

from loadtest.core.measure.distribution import Distribution, Latencies
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.window import Load, Span, Window, merge_windows

MS = st.lists(st.integers(1, 5000), max_size=20)


def measured(ms: list[int], index: int = 3, **members: Any) -> Window:
    """A window of so many successes, with these latencies."""
    client = Distribution.of_ns(np.array(ms, np.int64) * 1_000_000)
    flat = flat_window(index, ok=len(ms), latency_sum_s=sum(ms) / 1000, **members)
    return Window(flat.span, flat.load, flat.counts, Latencies(client=client), flat.health, flat.sends)


def test_the_properties_are_those_of_its_values() -> None:
    window = flat_window(2, level=1, users=5, ok=3, errors={"timeout": 2})
    assert (window.index, window.start_s, window.end_s, window.length_s, window.level) == (2, 2.0, 3.0, 1.0, 1)
    assert (window.users, window.ok, window.failed, window.completed) == (5, 3, 2, 5)


@given(MS, st.dictionaries(st.sampled_from(["timeout", "throttled"]), st.integers(1, 9)))
def test_it_comes_back_from_json_as_it_was(ms: list[int], errors: dict[str, int]) -> None:
    window = measured(ms, level=None, errors=errors, over_batches=[[5, 1], [3, 0]], cpu=0.5)
    assert Window.from_dict(json.loads(json.dumps(window.to_dict()))) == window


def test_what_a_newer_writer_added_is_dropped_and_what_an_older_one_lacks_is_nothing() -> None:
    assert Window.from_dict({"index": 0, "start_s": 0.0, "end_s": 1.0, "weather": "fine"}) == Window(Span(0, 0.0, 1.0))


@given(st.lists(MS, min_size=1, max_size=4))
def test_the_sum_of_generators_is_exact(parts: list[list[int]]) -> None:
    whole = merge_windows([measured(ms, users=2, running=1, active=1.5) for ms in parts])
    together = [each for ms in parts for each in ms]
    assert whole.ok == len(together)
    assert whole.load == Load(2 * len(parts), len(parts), 1.5 * len(parts))
    assert whole.counts.latency_sum_s == pytest.approx(sum(together) / 1000)
    expected = Histogram()
    expected.record(np.array(together, np.int64) * 1000)
    assert whole.latencies.client.row == Distribution.of(expected, max(together, default=None)).row


def test_bounds_are_the_mean_and_a_level_must_be_everybodys() -> None:
    one = flat_window(0, 0.0, 1.0, level=2)
    whole = merge_windows([one, flat_window(0, 0.2, 1.4, level=2)])
    assert (whole.start_s, whole.end_s, whole.level) == (0.1, 1.2, 2)
    assert merge_windows([one, flat_window(0, level=3)]).level is None


@pytest.mark.parametrize("parts", [[], [flat_window(0), flat_window(1)]])
def test_only_parts_of_one_window_are_merged(parts: list[Window]) -> None:
    with pytest.raises(ValueError, match="one window"):
        merge_windows(parts)


def test_light_leaves_out_what_is_heavy() -> None:
    window = measured([5, 7], over_batches=[[2, 0]])
    light = window.light()
    assert (light.counts.over_batches, light.latencies.client.encoded) == ((), "")
    assert light.latencies.client.row == window.latencies.client.row
