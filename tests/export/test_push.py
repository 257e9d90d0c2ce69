"""Exports that are lost are counted and told once; one that hangs is left behind."""

from __future__ import annotations

import threading

from loadtest.export import push
from loadtest.export.push import Push


def test_the_last_one_is_sent_at_the_end() -> None:
    sent: list[int] = []
    made = Push("metrics", lambda: sent.append(1), every_s=3600)
    made.start()
    assert sent == []
    assert made.close() == ""
    assert sent == [1]


def test_what_is_lost_is_counted_with_its_first_reason() -> None:
    third = threading.Event()
    reasons = iter(["refused", "", "again", *[""] * 10_000])
    calls: list[int] = []

    def send() -> None:
        calls.append(1)
        if len(calls) == 3:
            third.set()
        if why := next(reasons):
            raise RuntimeError(why)

    made = Push("metrics", send, every_s=0.001)
    made.start()
    third.wait(60)
    assert made.close() == f"metrics: 2 of {len(calls)} exports were lost: refused"


def test_one_that_hangs_is_aborted_and_left_behind(monkeypatch) -> None:
    monkeypatch.setattr(push, "LAST_S", 0.05)
    monkeypatch.setattr(push, "ABORT_S", 0.05)
    aborted, never = threading.Event(), threading.Event()
    made = Push("metrics", lambda: never.wait(60) and None, every_s=3600, abort=aborted.set)
    made.start()
    assert made.close() == "metrics: 1 of 1 exports were lost: no answer within 0.05 s"
    assert aborted.is_set()
    never.set()
