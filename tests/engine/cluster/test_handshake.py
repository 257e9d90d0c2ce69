"""Proofs of a shared token, and where a run does without one."""

from __future__ import annotations

import pytest

from loadtest.engine.cluster.handshake import LEAST_TOKEN, check_token, is_proof, nonce, proof, session_key
from loadtest.errors import SpecError


def test_a_proof_is_of_one_role_one_token_and_one_exchange() -> None:
    theirs, ours = nonce(), nonce()
    shown = proof("token", "master", theirs, ours)
    assert is_proof(shown, "token", "master", theirs, ours)
    assert not is_proof(shown, "other", "master", theirs, ours)
    assert not is_proof(shown, "token", "worker", theirs, ours)
    assert not is_proof(shown, "token", "master", ours, theirs)
    assert not any(is_proof(bad, "token", "master", theirs, ours) for bad in (None, 7, "", "\u00e9", [shown]))


def test_each_exchange_has_a_key_of_its_own() -> None:
    theirs, ours = nonce(), nonce()
    keys = {session_key(token, a, b) for token in ("", "token") for a, b in ((theirs, ours), (ours, theirs))}
    assert len(keys) == 4
    assert theirs != ours
    assert session_key("token", theirs, ours).hex() != proof("token", "master", theirs, ours), "what is sent is no key"


@pytest.mark.parametrize(
    ("token", "host", "rule"),
    [
        ("", "127.0.0.1", ""),
        ("", "::1", ""),
        ("", "0.0.0.0", "--listen: whoever reaches it could take part"),
        ("", "10.0.0.7", "--listen: whoever reaches it could take part"),
        ("x" * (LEAST_TOKEN - 1), "127.0.0.1", "LOADTEST_TOKEN: has fewer than 16 characters"),
        ("x" * LEAST_TOKEN, "0.0.0.0", ""),
    ],
)
def test_where_a_token_is_needed(token: str, host: str, rule: str) -> None:
    if not rule:
        check_token(token, host, "--listen")
        return
    with pytest.raises(SpecError) as found:
        check_token(token, host, "--listen")
    assert str(found.value).startswith(rule)
    assert "x" * 8 not in str(found.value), "a token is never shown"
