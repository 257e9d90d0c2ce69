"""Who comes in at a run's door, and what the others are told. The letters are kept, not sent."""

from __future__ import annotations

from typing import Any, cast

import pytest
from engine_kit import plan_of

from loadtest.engine.cluster.admission import WRONG_TOKEN
from loadtest.engine.cluster.door import Door
from loadtest.engine.cluster.handshake import is_proof, proof
from loadtest.engine.cluster.roster import Roster
from loadtest.engine.cluster.seal import Seal
from loadtest.version import VERSION

TOKEN, HELLO = "a token of twenty chars", {"version": VERSION, "nonce": "w"}


class Letters:
    """As much of a `Post` as a door uses."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, str]] = []
        self.trusted: dict[str, Seal] = {}

    def send(self, kind: str, data: Any, client_id: str) -> None:
        self.sent.append((kind, data, client_id))

    def trust(self, client_id: str, seal: Seal) -> None:
        self.trusted[client_id] = seal

    def dismiss(self, client_id: str, why: str) -> None:
        self.sent.append(("quit", why, client_id))


def door(expected: int = 1, token: str = TOKEN) -> tuple[Door, Letters, Roster]:
    letters, roster = Letters(), Roster(plan_of((0.0, 1), end_s=1.0))
    return Door(cast(Any, letters), roster, expected, token), letters, roster


def come_in(to: Door, letters: Letters, client_id: str, token: str = TOKEN) -> Any:
    assert to.hear("hello", client_id, HELLO) is None
    kind, shown, _ = letters.sent[-1]
    if kind != "proof":
        return None
    return to.hear("proof", client_id, {"proof": proof(token, "worker", "w", shown["nonce"])})


def test_who_knows_the_token_becomes_a_member_and_is_trusted() -> None:
    to, letters, roster = door()
    member = come_in(to, letters, "host-a_1")
    assert (member.host, member.index) == ("host-a", 0)
    assert [kind for kind, _, _ in letters.sent] == ["proof"]
    assert is_proof(letters.sent[0][1]["proof"], TOKEN, "master", "w", letters.sent[0][1]["nonce"])
    assert list(letters.trusted) == ["host-a_1"]
    assert len(roster) == 1


def test_who_does_not_is_sent_home_and_not_trusted() -> None:
    to, letters, roster = door()
    assert come_in(to, letters, "host-a_1", "another token of twenty") is None
    assert letters.sent[-1] == ("quit", WRONG_TOKEN, "host-a_1")
    assert (letters.trusted, len(roster)) == ({}, 0)


def test_another_version_is_not_even_challenged() -> None:
    to, letters, _ = door()
    assert to.hear("hello", "host-a_1", {**HELLO, "version": "0.0.1"}) is None
    assert [kind for kind, _, _ in letters.sent] == ["quit"]


def test_there_is_room_for_as_many_as_were_expected() -> None:
    to, letters, roster = door(2)
    assert [come_in(to, letters, f"host_{k}") is not None for k in range(3)] == [True, True, False]
    assert letters.sent[-1] == ("quit", "the run has its 2 workers already", "host_2")
    roster.leave("host_0")
    assert come_in(to, letters, "host_3") is not None, "its place was free again"


def test_the_last_place_may_go_to_whoever_is_faster() -> None:
    """Both were challenged while there was room; the slower one is told so, under the seal that it proved itself by."""
    to, letters, _ = door(1)
    to.hear("hello", "slow_1", HELLO)
    shown = letters.sent[-1][1]
    assert come_in(to, letters, "fast_2") is not None
    assert to.hear("proof", "slow_1", {"proof": proof(TOKEN, "worker", "w", shown["nonce"])}) is None
    assert letters.sent[-1] == ("quit", "the run has its 1 workers already", "slow_1")
    assert "slow_1" in letters.trusted


def test_a_closed_door() -> None:
    to, letters, _ = door(2)
    to.closed = True
    assert come_in(to, letters, "host_1") is None


@pytest.mark.parametrize("told", [{}, {"version": VERSION}, {"version": VERSION, "nonce": 7}])
def test_a_hello_that_is_none(told: dict[str, Any]) -> None:
    to, letters, _ = door()
    if told.get("version") is None:
        to.hear("hello", "c", told)
        assert letters.sent[-1][0] == "quit"
    else:
        with pytest.raises(ValueError, match="nonce"):
            to.hear("hello", "c", told)
