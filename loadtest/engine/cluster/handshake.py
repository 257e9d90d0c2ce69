"""Do a master and a worker know the same token? Challenge and response, so that the token is never sent. Pure.

    worker -> master    hello   its version and a number used once, W
    master -> worker    proof   another one, M, and HMAC-SHA256(token, "master" W M)
    worker -> master    proof   HMAC-SHA256(token, "worker" W M), if the master's was right
    master -> worker    plan    if the worker's was right

Neither side believes the other before; without a token on both sides the key is empty, and the exchange proves nothing.
That is allowed on the loopback interface alone. What follows the exchange is neither encrypted nor authenticated.
Source: Krawczyk, Bellare, Canetti, RFC 2104.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Literal

__all__ = ["LEAST_TOKEN", "TOKEN_VARIABLE", "is_proof", "nonce", "proof"]

TOKEN_VARIABLE = "LOADTEST_TOKEN"
LEAST_TOKEN = 16  # characters

Role = Literal["master", "worker"]


def nonce() -> str:
    """A number used once, in hex."""
    return secrets.token_hex(16)


def proof(token: str, role: Role, worker_nonce: str, master_nonce: str) -> str:
    """What `role` shows the other side, in hex."""
    text = f"loadtest {role} {worker_nonce} {master_nonce}"
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_proof(shown: object, token: str, role: Role, worker_nonce: str, master_nonce: str) -> bool:
    """Whether `shown`, which may be anything, is the proof of `role`; in constant time."""
    expected = proof(token, role, worker_nonce, master_nonce)
    return isinstance(shown, str) and shown.isascii() and hmac.compare_digest(shown, expected)
