"""Do a master and a worker know the same token? Challenge and response, so that the token is never sent. Pure.

    worker -> master    hello   its version and a number used once, W
    master -> worker    proof   another one, M, and HMAC-SHA256(token, "master" W M)
    worker -> master    proof   HMAC-SHA256(token, "worker" W M), if the master's was right
    master -> worker    plan    if the worker's was right

Neither side believes the other before; without a token on both sides the key is empty, and the exchange proves nothing.
That is allowed on the loopback interface alone. What follows is sealed with a key that both make of the token and the
two numbers (seal.py), so that it is of use to nobody to pass somebody else's proof on. Nothing is encrypted.
Source: Krawczyk, Bellare, Canetti, RFC 2104.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Literal

from loadtest.errors import Problem, SpecError
from loadtest.loopback import is_loopback

__all__ = ["LEAST_TOKEN", "TOKEN_VARIABLE", "Role", "check_token", "is_proof", "nonce", "proof", "session_key"]

TOKEN_VARIABLE = "LOADTEST_TOKEN"
LEAST_TOKEN = 16  # characters

_SAME = (
    f"put the same secret of at least {LEAST_TOKEN} characters into {TOKEN_VARIABLE} or --token-file on every machine"
)

Role = Literal["master", "worker"]


def check_token(token: str, host: str, flag: str, where: str = TOKEN_VARIABLE) -> None:
    """Return if `token` will do among those who reach `host`; "": there is none, which will do on this machine.

    flag: where the host was given, where: the token. Raises SpecError with what is wrong.
    """
    if token and len(token) < LEAST_TOKEN:
        raise SpecError([Problem(where, "", f"has fewer than {LEAST_TOKEN} characters", _SAME)])
    if not token and not is_loopback(host):
        rule = "whoever reaches it could take part, and there is no secret to tell them by"
        raise SpecError([Problem(flag, host, rule, _SAME)])


def nonce() -> str:
    """A number used once, in hex."""
    return secrets.token_hex(16)


def proof(token: str, role: Role, worker_nonce: str, master_nonce: str) -> str:
    """What `role` shows the other side, in hex."""
    text = f"loadtest {role} {worker_nonce} {master_nonce}"
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()


def session_key(token: str, worker_nonce: str, master_nonce: str) -> bytes:
    """The key of what is said after this exchange."""
    return hmac.new(token.encode(), f"loadtest session {worker_nonce} {master_nonce}".encode(), hashlib.sha256).digest()


def is_proof(shown: object, token: str, role: Role, worker_nonce: str, master_nonce: str) -> bool:
    """Whether `shown`, which may be anything, is the proof of `role`; in constant time."""
    expected = proof(token, role, worker_nonce, master_nonce)
    return isinstance(shown, str) and shown.isascii() and hmac.compare_digest(shown, expected)
