"""Outcomes to windows: counts, the histograms behind them, the threshold's count, and exact merging."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from windows import changed, flat_frame, framed

from loadtest.core.measure.counts import MAX_DETAILS, SLICES, sliced
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.measure.totals import totals_of
from loadtest.core.measure.window import Window, merge_windows

MS = 1_000_000
FRAME = flat_frame(index=3, start_s=3.0, end_s=4.0, level=1, users=5, running=4, active=4.5)


def success(ms, model_us=None, kernel=True, bytes_in=10):
    sent_ns = 7_000_000_000
    return Outcome(Kind.OK, 200, bytes_in, sent_ns, sent_ns, sent_ns + round(ms * MS), model_us, "", kernel)


def failure(kind=Kind.TIMEOUT, detail="", ms=1.0):
    return Outcome(kind, 0, 0, 0, 0, round(ms * MS), None, detail, True)


def window(outcomes, frame=FRAME, threshold_ms=None, clock="auto"):
    recorder = Recorder(None if threshold_ms is None else threshold_ms * MS, clock)
    for outcome in outcomes:
        recorder.record(outcome)
    return recorder.take(frame)


def test_a_window_counts_what_was_recorded():
    taken = window(
        [
            success(10),
            success(20, kernel=False),
            success(40, model_us=30_000),
            failure(Kind.THROTTLED, "ThrottlingException"),
            failure(Kind.MODEL_ERROR, "424/500"),
            failure(Kind.MODEL_ERROR, "424/500"),
            failure(Kind.TIMEOUT)._replace(kernel_clock=False),
        ]
    )
    assert (taken.ok, taken.failed, taken.completed, taken.counts.bytes_in) == (3, 4, 7, 30)
    assert taken.counts.errors == {"throttled": 1, "model_error": 2, "timeout": 1}
    assert taken.counts.details == {"throttled ThrottlingException": 1, "model_error 424/500": 2, "timeout": 1}
    assert taken.counts.user_clock == 1
    assert Histogram.decode(taken.latencies.client.encoded).recorded() == [(10_007, 1), (20_015, 1), (40_031, 1)]
    assert Histogram.decode(taken.latencies.model.encoded).recorded() == [(30_015, 1)]
    assert (
        taken.latencies.client.p50_ms,
        taken.latencies.client.p95_ms,
        taken.latencies.client.max_ms,
        taken.latencies.model.p99_ms,
    ) == (20.015, 40.0, 40.0, 30.015)
    assert taken.counts.latency_sum_s == pytest.approx(0.070)
    assert (taken.index, taken.level, taken.users, taken.load.running, taken.load.active) == (3, 1, 5, 4, 4.5)
    assert taken.length_s == 1.0


def test_a_window_without_success_has_no_latency():
    taken = window([failure()])
    assert (
        taken.latencies.client.encoded,
        taken.latencies.model.encoded,
        taken.latencies.client.p50_ms,
        taken.latencies.client.max_ms,
        taken.ok,
    ) == ("", "", None, None, 0)
    empty = window([], threshold_ms=10)
    assert (
        empty.completed,
        empty.counts.errors,
        empty.load.in_flight,
        empty.counts.over,
        empty.counts.over_batches,
    ) == (0, {}, 0.0, 0, ())


def test_take_starts_the_next_window():
    recorder = Recorder(5 * MS)
    recorder.record(success(10))
    recorder.record(failure())
    recorder.take(FRAME)
    after = recorder.take(framed(FRAME, index=4, start_s=4.0, end_s=5.0))
    assert (
        after.completed,
        after.counts.bytes_in,
        after.counts.over,
        after.counts.details,
        after.counts.user_clock,
    ) == (0, 0, 0, {}, 0)


def test_in_flight_is_little_s_integral_across_windows():
    """One request sent at 0.5 s and answered at 2.5 s: half a window, a whole one, half a window."""
    recorder = Recorder()
    shares = []
    for index, (age_sum_s, done) in enumerate([(0.5, False), (1.5, False), (0.0, True)]):
        if done:
            recorder.record(success(2000))
        frame = framed(FRAME, index=index, start_s=index, end_s=index + 1, age_sum_s=age_sum_s)
        shares.append(recorder.take(frame).load.in_flight)
    assert shares == pytest.approx([0.5, 1.0, 0.5])


def test_failures_count_as_in_flight_while_they_lasted():
    assert window([failure(ms=250), success(250)]).load.in_flight == pytest.approx(0.5)


def test_latencies_are_rounded_to_the_nearest_microsecond():
    recorded = [
        value
        for value, _ in Histogram.decode(window([success(0.0014), success(0.0016)]).latencies.client.encoded).recorded()
    ]
    assert recorded == [1, 2]


def test_out_of_range_latencies_are_clamped_and_counted():
    taken = window([success(0), success(4_000_000), success(5)])
    assert (taken.ok, taken.counts.clamped) == (3, 2)
    assert Histogram.decode(taken.latencies.client.encoded).total == 3


@pytest.mark.parametrize(
    ("clock", "over"),
    [
        ("client", 4),  # 10 is at the threshold and not over it; 10.000001, 20, 30 and the failure are
        ("model", 3),  # 30 took 5 by the endpoint's own time; where it is silent the client's counts
        ("auto", 3),
    ],
)
def test_over_counts_raw_latencies_and_failures(clock, over):
    outcomes = [success(10), success(10.000001), success(20), success(30, model_us=5000), failure(ms=0.1)]
    taken = window(outcomes, threshold_ms=10, clock=clock)
    assert taken.counts.over == over
    assert len(taken.counts.over_batches) == SLICES
    assert [sum(column) for column in zip(*taken.counts.over_batches, strict=True)] == [5, over]


def test_without_a_threshold_nothing_is_over():
    taken = window([success(10), failure()])
    assert (taken.counts.over, taken.counts.over_batches) == (0, ())


def test_slices_are_of_equal_time_where_time_was_told():
    recorder = Recorder(10 * MS)
    for slice_, ms in [(0, 1), (0, 20), (3, 1), (3, 1), (9, 20)]:
        recorder.mark(slice_)
        recorder.record(success(ms))
    recorder.mark(SLICES)
    slices = recorder.take(FRAME).counts.over_batches
    assert slices == ((2, 1), (0, 0), (0, 0), (2, 0), *[(0, 0)] * 5, (1, 1))
    recorder.record(success(1))  # nobody told of the time: the next window begins anew
    assert recorder.take(FRAME).counts.over_batches == (*[(0, 0)] * 9, (1, 0))


@settings(max_examples=40)
@given(st.integers(1, 500), st.integers(0, 100))
def test_slices_add_up(count, seed):
    slow = np.random.default_rng(seed).random(count) < 0.3
    taken = window([success(20 if each else 1) for each in slow.tolist()], threshold_ms=10)
    assert sum(n for n, _ in taken.counts.over_batches) == count == taken.ok
    assert sum(over for _, over in taken.counts.over_batches) == taken.counts.over == int(slow.sum())
    assert len(taken.counts.over_batches) == SLICES
    assert max(n for n, _ in taken.counts.over_batches) - min(n for n, _ in taken.counts.over_batches) <= 1


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, SLICES - 1), st.booleans(), st.integers(0, 7)), max_size=80),
    st.integers(1, 8),
)
def test_any_split_over_workers_gives_the_slices_of_one_process(requests, workers):
    """A burst that four workers share was four thin ones, one after the other."""
    recorders = [Recorder(10 * MS) for _ in range(workers + 1)]
    for slice_, slow, worker in sorted(requests):
        for recorder in (recorders[worker % workers], recorders[-1]):
            recorder.mark(slice_)
            recorder.record(success(20 if slow else 1))
    for recorder in recorders:
        recorder.mark(SLICES)
    *parts, whole = (recorder.take(FRAME) for recorder in recorders)
    merged = merge_windows(parts).counts
    assert (merged.completed, merged.over, merged.over_batches) == (
        whole.completed,
        whole.counts.over,
        whole.counts.over_batches,
    )


def test_batches_of_old_files_are_dealt_out_as_slices():
    old = tuple((10, k % 3) for k in range(24))
    assert [n for n, _ in sliced(old)] == [30, 20, 30, 20, 20, 30, 20, 30, 20, 20]
    assert sum(over for _, over in sliced(old)) == sum(over for _, over in old)
    assert sliced(((10, 4),)) == ((10, 4), *[(0, 0)] * 9)
    assert sliced(()) == ()


OUTCOMES = st.lists(
    st.builds(success, st.floats(0.001, 5000), st.none() | st.integers(0, 10**7), st.booleans())
    | st.builds(failure, st.sampled_from([kind for kind in Kind if kind is not Kind.OK]), st.sampled_from(["", "a"])),
    max_size=30,
)


@settings(max_examples=50)
@given(st.lists(OUTCOMES, min_size=1, max_size=4))
def test_merging_parts_equals_recording_together(parts):
    split = [window(part, threshold_ms=100) for part in parts]
    merged = merge_windows(split)
    whole = window([outcome for part in parts for outcome in part], threshold_ms=100)
    names = ("ok", "errors", "details", "bytes_in", "over", "clamped", "user_clock", "max_ms", "p50_ms", "p95_ms")
    for name in (*names, "p99_ms", "model_p50_ms", "model_p95_ms", "model_p99_ms"):
        assert merged.to_dict()[name] == whole.to_dict()[name], name
    assert merged.latencies.client.encoded == whole.latencies.client.encoded
    assert merged.latencies.model.encoded == whole.latencies.model.encoded
    assert merged.counts.latency_sum_s == pytest.approx(whole.counts.latency_sum_s)
    assert merged.load.in_flight == pytest.approx(whole.load.in_flight)
    assert sum(n for n, _ in merged.counts.over_batches) == whole.completed - whole.counts.own


def test_merging_sums_or_takes_the_worst():
    def part(**fields):
        return window([], framed(FRAME, **fields))

    merged = merge_windows(
        [
            part(spawned=2, spawn_lag_sum_s=0.2, spawn_lag_max_s=0.15, loop_lag_s=0.01, cpu=0.5, clock_step_s=-0.3),
            part(spawned=1, spawn_lag_sum_s=0.1, spawn_lag_max_s=0.1, loop_lag_s=0.02, steal=0.2, clock_step_s=0.1),
            part(workers=2, lost_workers=1),
        ]
    )
    assert (
        merged.users,
        merged.load.running,
        merged.load.active,
        merged.health.workers,
        merged.health.lost_workers,
    ) == (15, 12, 13.5, 4, 1)
    assert (merged.health.spawned, merged.health.spawn_lag_max_s, merged.health.loop_lag_s) == (3, 0.15, 0.02)
    assert merged.health.spawn_lag_sum_s == pytest.approx(0.3)
    assert (merged.health.cpu, merged.health.steal, merged.health.clock_step_s) == (0.5, 0.2, -0.3)
    assert (merged.index, merged.start_s, merged.end_s, merged.level) == (3, 3.0, 4.0, 1)


def test_one_part_is_itself():
    part = window([success(1)])
    assert merge_windows([part]) is part


@pytest.mark.parametrize(
    "parts", [[], [window([]), window([], framed(FRAME, index=4))]], ids=["none", "of two windows"]
)
def test_what_cannot_be_merged_is_refused(parts):
    with pytest.raises(ValueError, match="one window"):
        merge_windows(parts)


@settings(max_examples=50)
@given(OUTCOMES)
def test_a_window_survives_json(outcomes):
    taken = window(outcomes, threshold_ms=100)
    again = Window.from_dict(json.loads(json.dumps(taken.to_dict())))
    assert again == taken


def test_members_of_a_newer_writer_are_dropped():
    values = {**window([success(1)]).to_dict(), "unheard_of": 1}
    assert Window.from_dict(values) == window([success(1)])
    del values["over_batches"]
    assert Window.from_dict(values).counts.over_batches == ()


def test_a_window_does_not_grow_with_its_requests():
    sizes = [len(json.dumps(window([success(ms)] * 20_000, threshold_ms=1).to_dict())) for ms in (1, 20)]
    assert max(sizes) < 4000


@pytest.mark.parametrize("kind", Kind)
def test_only_ok_is_a_success(kind):
    assert Outcome(kind, 0, 0, 0, 0, 0).ok is (kind is Kind.OK)
    taken = window([Outcome(kind, 0, 0, 0, 0, MS)])
    assert (taken.ok, taken.failed) == ((1, 0) if kind is Kind.OK else (0, 1))


def test_an_id_in_every_error_makes_no_window_and_no_result_grow():
    found = window([*(failure(Kind.SERVER_ERROR, f"id-{k}") for k in range(500)), *[failure(detail="usual")] * 3])
    assert (len(found.counts.details), sum(found.counts.details.values()), found.failed) == (MAX_DETAILS + 1, 503, 503)
    assert (found.counts.details["timeout usual"], found.counts.details["(others)"]) == (3, 401)
    other = changed(found, details={f"server_error other-{k}": 1 for k in range(100)})
    merged = merge_windows([found, other])
    totals = totals_of([found, other, found], Histogram(), Histogram())
    for details, failures in ((merged.counts.details, 603), (totals.counts.details, 1106)):
        assert len(details) <= MAX_DETAILS + 1
        assert sum(details.values()) == failures
