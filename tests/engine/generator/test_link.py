"""The line to the parent, on pipes: messages out, commands in, and a parent that is gone."""

from __future__ import annotations

import json
import os
from typing import Any

import gevent
from gevent import monkey
from patched import patched

from loadtest.engine.generator.link import Link
from loadtest.engine.messages import encode

close_at_once = monkey.get_original("os", "close")  # gevent's own waits for a turn of the loop


def line() -> tuple[Link, int, int]:
    """(link, what the parent writes to, what it reads from)."""
    commands, messages = os.pipe(), os.pipe()
    return Link(commands[0], messages[1]), commands[1], messages[0]


def read(fd: int) -> list[Any]:
    return [json.loads(text) for text in os.read(fd, 1 << 16).splitlines()]


@patched
def test_messages_leave_in_order_and_close_waits_for_them() -> None:
    link, _, messages = line()
    for number in range(100):
        link.send("starts", starts=[number], stops=[])
    link.close()
    assert [message["starts"][0] for message in read(messages)] == list(range(100))


@patched
def test_commands_arrive_whole_however_they_were_cut() -> None:
    link, commands, _ = line()
    data = encode("stop") + encode("stop", again=True)
    for k in range(0, len(data), 5):
        os.write(commands, data[k : k + 5])
        gevent.sleep(0.002)
    while len(link.commands) < 2:
        link.beat()
        link.arrived.wait(1)
        link.arrived.clear()
    assert [command.get("again", False) for command in link.commands] == [False, True]
    link.close()


@patched
def test_the_end_of_file_is_the_parents_death() -> None:
    link, commands, _ = line()
    close_at_once(commands)
    assert link.arrived.wait(10)
    assert [command["kind"] for command in link.commands] == ["orphaned"]
    link.close()


@patched
def test_a_parent_that_reads_nothing_any_more_keeps_nobody() -> None:
    link, _, messages = line()
    close_at_once(messages)
    link.send("starts", starts=[], stops=[])
    link.close()


@patched
def test_a_pipe_that_nobody_reads_stops_no_loop() -> None:
    link, _, messages = line()
    for _ in range(64):
        link.send("starts", starts=["x" * 10_000], stops=[])
    gevent.sleep(0.01)  # the loop turns, although the pipe is full
    reading = gevent.get_hub().threadpool.spawn(lambda: [os.read(messages, 1 << 16) for _ in range(4)])
    reading.get(timeout=10)
