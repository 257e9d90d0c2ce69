"""What proves that a message of a run's two sides was written by the other one, after the handshake (handshake.py).

Each message goes as {"n": its number, "text": JSON, "mac": HMAC-SHA256(key, sender kind n text)} with a key of this
exchange alone: whoever passes messages on, or sends old ones again, can keep them back and nothing else. It is not
encrypted. Source: Krawczyk, Bellare, Canetti, RFC 2104. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from loadtest.engine.cluster.handshake import Role

__all__ = ["Seal"]

MAX_TEXT = 1 << 24


class Seal:
    """One side of a connection. role: whose; the key is `handshake.session_key` of both sides."""

    def __init__(self, key: bytes, role: Role) -> None:
        self._key = key
        self._mine: Role = role
        self._theirs: Role = "worker" if role == "master" else "master"
        self._sent = self._heard = 0

    def close(self, kind: str, data: Any) -> dict[str, Any]:
        """What is sent for the message `data` (JSON values) of `kind`."""
        self._sent += 1
        text = json.dumps(data, separators=(",", ":"))
        return {"n": self._sent, "text": text, "mac": self._mac(self._mine, kind, self._sent, text)}

    def open(self, kind: str, sealed: object) -> Any:
        """The message in it. Raises ValueError if the other side did not write it, or if it was heard before."""
        if not isinstance(sealed, dict):
            raise ValueError("it has no seal")
        number, text, mac = sealed.get("n"), sealed.get("text"), sealed.get("mac")
        if not isinstance(number, int) or not isinstance(text, str) or not isinstance(mac, str) or not mac.isascii():
            raise ValueError("it has no seal")
        if len(text) > MAX_TEXT or not hmac.compare_digest(mac, self._mac(self._theirs, kind, number, text)):
            raise ValueError("its seal is not the other side's")
        if number <= self._heard:
            raise ValueError("it was heard before")
        self._heard = number
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("it is no JSON") from None

    def _mac(self, sender: Role, kind: str, number: int, text: str) -> str:
        head = f"{sender} {kind} {number} "
        return hmac.new(self._key, (head + text).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
