"""Time that never goes back: of the service, and of one job whose tests lie side by side."""

from __future__ import annotations

import threading

from jobkit import Heard

from loadtest.jobs.clock import JobClock, SteadyClock
from loadtest.jobs.events import NoEvents


def test_a_wall_clock_that_is_set_back_is_left_behind() -> None:
    wall, elapsed = [1000.0], [7.0]
    clock = SteadyClock(lambda: wall[0], lambda: elapsed[0])
    told = []
    for wall_s, elapsed_s in ((1000, 7), (1010, 17), (400, 18), (401, 19), (2000, 20), (2001, 21)):
        wall[0], elapsed[0] = wall_s, elapsed_s
        told.append(clock())
    assert told == [1000, 1010, 1011, 1012, 2000, 2001]


def test_lines_of_a_virtual_job_come_in_the_order_of_its_time() -> None:
    """Two tests side by side are computed one after the other; the third begins when the first has ended."""
    heard = Heard()
    timeline = JobClock(heard, 1000.0, None)
    timeline.log("all", "begins", 1000.0)
    for name, begins_s, ends_s in (("a", 1000.0, 1120.0), ("b", 1000.0, 1060.0), ("c", 1060.0, 1100.0)):
        timeline.reach(begins_s)
        timeline.log("all", f"{name} begins", begins_s)
        timeline.log("all", f"{name} ends", ends_s)
    assert [text for _, text, _ in heard.lines] == ["begins", "a begins", "b begins", "b ends"]
    assert timeline.now_s() == 1060.0
    assert timeline.end_s() == 1120.0
    timeline.log("all", "over", 1120.0)
    assert [(text, time_s) for _, text, time_s in heard.lines] == [
        ("begins", 1000.0),
        ("a begins", 1000.0),
        ("b begins", 1000.0),
        ("b ends", 1060.0),
        ("c begins", 1060.0),
        ("c ends", 1100.0),
        ("a ends", 1120.0),
        ("over", 1120.0),
    ]


def test_lines_of_many_threads_never_go_back() -> None:
    heard, now = Heard(), [0.0]

    def tick() -> float:
        now[0] += 1
        return now[0]

    timeline = JobClock(heard, 0.0, tick)

    def say() -> None:
        for _ in range(200):
            timeline.log("all", "", timeline.now_s())

    threads = [threading.Thread(target=say) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = [time_s for _, _, time_s in heard.lines]
    assert len(times) == 800
    assert times == sorted(times)


def test_the_job_s_clock_does_not_stand_before_what_was_told() -> None:
    timeline = JobClock(NoEvents(), 50.0, lambda: 40.0)
    assert timeline.now_s() == 50.0
    timeline.log("s", "ahead of the clock", 60.0)
    assert timeline.now_s() == 60.0
    assert not timeline.is_heard
    assert not timeline.virtual
