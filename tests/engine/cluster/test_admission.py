"""Who may take part: by version, and by a token that nobody sends."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.engine.cluster.admission import MOST_OPEN, Admission, version_fault
from loadtest.engine.cluster.handshake import proof
from loadtest.version import VERSION

TOKEN = "a token of twenty chars"


@pytest.mark.parametrize("version", [None, 7, "0.0.1", "x" * 1000])
def test_a_worker_of_another_version_is_told_which(version: Any) -> None:
    why = version_fault({"version": version})
    assert why.startswith(f"the run is of loadtest {VERSION}, this worker of ")
    assert len(why) < 120
    assert version_fault({"version": VERSION}) == ""


@pytest.mark.parametrize("told", [{}, {"nonce": 7}, {"nonce": "n" * 65}])
def test_a_hello_without_a_number_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="its nonce is no text"):
        Admission(TOKEN).challenge("c", told)


@pytest.mark.parametrize("shown", [None, 7, "", "0" * 64])
def test_a_wrong_proof_admits_nobody(shown: Any) -> None:
    admission = Admission(TOKEN)
    admission.challenge("c", {"nonce": "w"})
    assert admission.admit("c", {"proof": shown}) is None
    assert admission.admit("stranger", {"proof": proof(TOKEN, "worker", "", "")}) is None


def test_a_challenge_is_good_once_and_only_so_many_are_kept() -> None:
    admission = Admission(TOKEN)
    first = admission.challenge("first", {"nonce": "w"})
    shown = {"proof": proof(TOKEN, "worker", "w", first["nonce"])}
    for client in range(MOST_OPEN):
        admission.challenge(str(client), {"nonce": "w"})
    assert admission.admit("first", shown) is None
    again = admission.challenge("first", {"nonce": "w"})
    shown = {"proof": proof(TOKEN, "worker", "w", again["nonce"])}
    assert admission.admit("first", shown) is not None
    assert admission.admit("first", shown) is None
