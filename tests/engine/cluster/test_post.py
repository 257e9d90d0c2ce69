"""Letters between a run's master and its workers, over Locust's runners on loopback: who is read, and what is sealed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from held_target import until
from patched import patched

from loadtest.engine.cluster.post import MOST_FROM_STRANGERS, Letter, Post
from loadtest.engine.cluster.runners import join_master
from loadtest.engine.cluster.seal import Seal
from loadtest.errors import SpecError

KEY = b"k" * 32


class Pair:
    """A master's post and a worker's runner that has joined it."""

    def __init__(self) -> None:
        self.post = Post("127.0.0.1", 0)
        self.beats: list[float] = []
        self.runner = join_master("127.0.0.1", self.post.port, 10.0, lambda **_: self.beats.append(time.monotonic()))
        self.id = str(self.runner.client_id)
        self.heard: list[tuple[str, Any]] = []
        for kind in ("loadtest_plan", "loadtest_quit"):
            self.runner.register_message(kind, lambda environment, msg, **_: self.heard.append((msg.type, msg.data)))

    def letters(self, count: int, keep: Callable[[Letter], bool] = lambda _: True) -> list[Letter]:
        found: list[Letter] = []
        until(lambda: found.extend(filter(keep, self.post.arrived(0.02))) or len(found) >= count)
        return found


@patched
def test_letters_arrive_with_their_sender_and_time() -> None:
    pair = Pair()
    before_s = time.time()
    pair.runner.send_message("loadtest_hello", {"version": "x"})
    ((kind, sender, data, arrived_s),) = pair.letters(1)
    assert (kind, sender, data) == ("loadtest_hello", pair.id, {"version": "x"})
    assert before_s <= arrived_s <= time.time()
    assert not pair.post.is_gone(pair.id)
    assert pair.post.is_gone("somebody_else")
    pair.runner.send_message("quit")
    until(lambda: pair.post.is_gone(pair.id))


@patched
def test_what_is_said_to_and_by_whom_is_trusted_is_sealed() -> None:
    pair = Pair()
    pair.post.send("plan", {"plain": 1}, pair.id)
    until(lambda: pair.heard)
    assert pair.heard.pop() == ("loadtest_plan", {"plain": 1})
    pair.post.trust(pair.id, Seal(KEY, "master"))
    theirs = Seal(KEY, "worker")
    pair.post.send("plan", {"sealed": 1}, pair.id)
    until(lambda: pair.heard)
    kind, data = pair.heard.pop()
    assert "sealed" not in data
    assert theirs.open(kind, data) == {"sealed": 1}
    pair.runner.send_message("loadtest_drained", theirs.close("loadtest_drained", {"a": 1}))
    pair.runner.send_message("loadtest_drained", {"a": 2})
    honest, forged = pair.letters(2)
    assert pair.post.opened(honest) == {"a": 1}
    with pytest.raises(ValueError, match="seal"):
        pair.post.opened(forged)
    with pytest.raises(ValueError, match="it has no seal"):
        pair.post.opened(("loadtest_drained", "stranger", {}, 0.0))


@patched
def test_a_dismissal_says_why() -> None:
    pair = Pair()
    pair.post.dismiss(pair.id, "there is no room")
    until(lambda: pair.heard)
    assert pair.heard == [("loadtest_quit", {"why": "there is no room"})]


@patched
def test_strangers_fill_no_memory() -> None:
    pair = Pair()
    for number in range(MOST_FROM_STRANGERS + 50):
        pair.runner.send_message("loadtest_hello", {"number": number})
    gevent.sleep(0.5)  # on a slow machine fewer have come by then, which proves less
    assert 0 < len(list(pair.post.arrived(0.1))) <= MOST_FROM_STRANGERS


@patched
def test_nothing_arrives_and_nobody_waits_for_ever() -> None:
    assert list(Post("127.0.0.1", 0).arrived(0.01)) == []


@patched
def test_an_address_that_is_taken_is_told() -> None:
    taken = Post("127.0.0.1", 0)
    with pytest.raises(SpecError, match="cannot be listened on"):
        Post("127.0.0.1", taken.port)
