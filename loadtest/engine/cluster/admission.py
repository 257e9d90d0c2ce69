"""Who may take part in a run as a worker: the right version, and the same token (handshake.py). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.engine.cluster.handshake import is_proof, nonce, proof, session_key
from loadtest.engine.cluster.heard import text
from loadtest.engine.cluster.seal import Seal
from loadtest.version import VERSION

__all__ = ["WRONG_TOKEN", "Admission", "version_fault"]

MOST_OPEN = 1000  # exchanges that were begun; of more, the oldest are forgotten
WRONG_TOKEN = "this worker does not know the run's token: give both the same one (LOADTEST_TOKEN or --token-file)"


def version_fault(told: Mapping[str, Any]) -> str:
    """Why a worker of that version cannot take part; "": it can."""
    version = told.get("version")
    if version == VERSION:
        return ""
    other = version if isinstance(version, str) and len(version) < 40 else "an older or unknown one"
    return f"the run is of loadtest {VERSION}, this worker of {other}"


class Admission:
    """The open exchanges of a master (engine/cluster/handshake.py). token: "" if there is none."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._open: dict[str, tuple[str, str]] = {}  # client: (its nonce, ours)

    def challenge(self, client_id: str, told: Mapping[str, Any]) -> dict[str, str]:
        """Our proof and a challenge for a worker's hello. Raises ValueError if it has no nonce."""
        theirs, ours = text(told, "nonce", 64), nonce()
        self._open.pop(client_id, None)
        self._open[client_id] = (theirs, ours)
        if len(self._open) > MOST_OPEN:
            del self._open[next(iter(self._open))]
        return {"nonce": ours, "proof": proof(self._token, "master", theirs, ours)}

    def admit(self, client_id: str, told: Mapping[str, Any]) -> Seal | None:
        """The seal of what is said to a worker from now on, if its proof is one; None: it is none.

        Each challenge is good once.
        """
        theirs, ours = self._open.pop(client_id, ("", ""))
        if not theirs or not is_proof(told.get("proof"), self._token, "worker", theirs, ours):
            return None
        return Seal(session_key(self._token, theirs, ours), "master")
