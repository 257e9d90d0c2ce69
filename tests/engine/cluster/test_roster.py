"""The workers of a run: whose windows are complete, who is lost, whose clock is known."""

from __future__ import annotations

import pytest
from engine_kit import plan_of
from windows import flat_frame

from loadtest.core.judge.trust import assess
from loadtest.core.measure.histogram import Histogram
from loadtest.core.measure.outcome import Kind, Outcome
from loadtest.core.measure.record import Recorder
from loadtest.core.measure.window import Window
from loadtest.core.measure.worker import Worker
from loadtest.engine.cluster.roster import Roster

PLAN = plan_of((0.0, 1), end_s=10.0)


def _window(index: int, latencies_us: list[int]) -> Window:
    recorder = Recorder(threshold_ns=5_000_000)
    for latency_us in latencies_us:
        recorder.record(Outcome(Kind.OK, 200, 1, 0, 0, latency_us * 1000))
    return recorder.take(flat_frame(index, index, index + 1, 0, 1, 1, 1.0))


def test_windows_close_when_every_living_worker_has_sent_them_and_merge_exactly() -> None:
    roster = Roster(PLAN)
    for name in "abc":
        roster.join(name)
    parts = {name: _window(0, [1000 * k * (i + 1) for i in range(50)]) for k, name in enumerate("abc", 1)}
    for name, part in parts.items():
        assert list(roster.complete()) == []
        roster.receive(name, part)
    (merged,) = roster.complete()
    total = Histogram()
    for part in parts.values():
        total.add(Histogram.decode(part.latencies.client.encoded))
    assert (Histogram.decode(merged.latencies.client.encoded).counts == total.counts).all()
    assert (merged.ok, merged.health.workers, merged.counts.over) == (
        150,
        3,
        sum(part.counts.over for part in parts.values()),
    )
    assert list(roster.complete()) == []


def test_a_lost_worker_is_not_waited_for_and_marks_what_follows() -> None:
    roster = Roster(PLAN)
    roster.join("a")
    lost = roster.join("b")
    roster.receive("a", _window(0, [1000]))
    assert list(roster.complete()) == []
    lost.lost = True
    (window,) = roster.complete()
    assert (window.ok, window.health.lost_workers, window.level) == (1, 1, None)


def test_a_window_without_the_part_of_a_worker_that_stalled_belongs_to_no_level() -> None:
    roster = Roster(PLAN)
    for name in "ab":
        roster.join(name)
    for index in range(4):
        roster.receive("a", _window(index, [1000]))
    for index in (0, 3):
        roster.receive("b", _window(index, [1000]))
    assert [(window.ok, window.level) for window in roster.complete()] == [(2, 0), (1, None), (1, None), (2, 0)]


def test_windows_belong_to_their_level_again_once_others_have_taken_over() -> None:
    roster = Roster(PLAN)
    roster.join("a")
    lost = roster.join("b")
    for index in range(4):
        roster.receive("a", _window(index, [1000]))
    lost.lost, lost.replaced_s = True, 1.5
    assert [(window.index, window.level) for window in roster.complete()] == [(0, None), (1, None), (2, 0), (3, 0)]


def test_whoever_leaves_before_the_start_leaves_no_gap() -> None:
    roster = Roster(PLAN)
    for name in ("host-a_1", "host-b_2", "host-c_3"):
        roster.join(name)
    roster.leave("host-a_1")
    assert [(member.index, member.host) for member in roster] == [(0, "host-b"), (1, "host-c")]


def test_a_clock_offset_is_taken_from_the_shortest_exchange() -> None:
    member = Roster(PLAN).join("a")
    member.asked |= {100.0, 200.0, 300.0}
    member.heard_clock(100.0, 107.5, 101.0)  # a second under way
    member.heard_clock(200.0, 207.0005, 200.001)
    member.heard_clock(300.0, 309.0, 302.0)
    assert member.offset_s == pytest.approx(7.0, abs=0.001)


def test_a_clock_that_is_hardly_known_makes_a_result_doubtful() -> None:
    windows = [_window(0, [20_000] * 50)]
    near, far = Worker(0, "here", 0.001, 0.0004), Worker(1, "there", -3.2, 0.08)
    assert assess(PLAN, windows, [near]).valid
    trust = assess(PLAN, windows, [near, far])
    assert [(reason.code, reason.text) for reason in trust.reasons] == [
        ("worker-clock", "the clock of worker 1 on there is known to 80 ms only")
    ]
    assert (trust.valid, trust.client_limited) == (False, False)


def test_only_questions_that_were_asked_can_be_answered() -> None:
    member = Roster(plan_of((0.0, 1), end_s=1.0)).join("host_1")
    member.asked.add(100.0)
    for asked in (99.9, 1e11):
        with pytest.raises(ValueError, match="a question that nobody asked"):
            member.heard_clock(asked, 100.0, 100.2)
    member.heard_clock(100.0, 105.1, 100.2)
    assert (member.offset_s, member.round_trip_s) == pytest.approx((5.0, 0.2))
    with pytest.raises(ValueError, match="a question that nobody asked"):
        member.heard_clock(100.0, 105.1, 100.0)
