"""Messages between a run's two sides, and what somebody between them can do."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.engine.cluster.admission import Admission
from loadtest.engine.cluster.handshake import proof, session_key
from loadtest.engine.cluster.seal import Seal

TOKEN = "a secret of sixteen"


def sides() -> tuple[Seal, Seal]:
    key = session_key(TOKEN, "w", "m")
    return Seal(key, "master"), Seal(key, "worker")


def test_each_side_reads_what_the_other_wrote() -> None:
    master, worker = sides()
    for data in ({"at": 1.5}, None, [1, "\u00e4", {"a": float("inf")}], ""):
        assert worker.open("start", master.close("start", data)) == data
        assert master.open("window", worker.close("window", data)) == data


@pytest.mark.parametrize(
    "change",
    [
        {"text": '{"at":2}'},
        {"n": 2},
        {"mac": "0" * 64},
        {"mac": None},
        {"mac": "\u00e4"},
        {"text": 7},
        {"n": "1"},
    ],
    ids=str,
)
def test_what_was_changed_on_the_way_is_refused(change: dict[str, Any]) -> None:
    master, worker = sides()
    with pytest.raises(ValueError, match="seal"):
        worker.open("start", {**master.close("start", {"at": 1}), **change})


def test_what_was_written_to_others_is_refused() -> None:
    master, worker = sides()
    other = Seal(session_key(TOKEN, "w", "another number"), "worker")
    sealed = master.close("start", {"at": 1})
    for reader, kind in ((worker, "stop"), (master, "start"), (other, "start")):
        with pytest.raises(ValueError, match="seal"):
            reader.open(kind, sealed)
    assert worker.open("start", sealed) == {"at": 1}
    with pytest.raises(ValueError, match="heard before"):
        worker.open("start", sealed)


def test_a_text_that_is_no_json_is_a_value_error(monkeypatch: pytest.MonkeyPatch) -> None:
    master, worker = sides()
    for text in ("[" * 100_000, "{", "nul"):
        with monkeypatch.context() as patched:
            patched.setattr("loadtest.engine.cluster.seal.json.dumps", lambda *_, text=text, **__: text)
            sealed = master.close("plan", {})
        with pytest.raises(ValueError, match="no JSON"):
            worker.open("plan", sealed)


def test_who_passes_the_proofs_on_learns_no_key() -> None:
    """Somebody between the two hears every number and proof, and lets both believe the other is there."""
    admission = Admission(TOKEN)
    shown = admission.challenge("worker", {"nonce": "w"})
    seal = admission.admit("worker", {"proof": proof(TOKEN, "worker", "w", shown["nonce"])})
    assert seal is not None
    between = Seal(session_key("", "w", shown["nonce"]), "master")  # all that it knows
    worker = Seal(session_key(TOKEN, "w", shown["nonce"]), "worker")
    with pytest.raises(ValueError, match="seal"):
        worker.open("plan", between.close("plan", {"plan": "its own"}))
    assert worker.open("plan", seal.close("plan", {"plan": "ours"})) == {"plan": "ours"}
