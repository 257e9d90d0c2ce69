"""Who may take part in a run as a worker: the right version, and the same token (handshake.py). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.engine.cluster.handshake import is_proof, nonce, proof
from loadtest.engine.cluster.heard import text
from loadtest.version import VERSION

__all__ = ["Admission", "version_fault"]

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
        self._open[client_id] = (theirs, ours)
        return {"nonce": ours, "proof": proof(self._token, "master", theirs, ours)}

    def fault(self, client_id: str, told: Mapping[str, Any]) -> str:
        """Why a worker's proof is none; "": it is. Each challenge is good once."""
        theirs, ours = self._open.pop(client_id, ("", ""))
        proven = bool(theirs) and is_proof(told.get("proof"), self._token, "worker", theirs, ours)
        return "" if proven else WRONG_TOKEN
