"""Page tokens: opaque to the caller, checked when they come back, worthless for another query.

A token is the sort key of the last row given (keyset pagination), so rows that are added between two pages neither
repeat nor hide a row that was there at the start. It carries a checksum over itself and the query it belongs to.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from loadtest.jobs.errors import invalid

__all__ = ["Key", "open_token", "seal_token"]

Key = tuple[str | int, ...]
"""Values of the sorted columns in the last row given."""

_CHECK_BYTES = 12


def seal_token(query: Mapping[str, Any], key: Key) -> str:
    """The NextToken that leads on from `key` in `query` (an operation's parameters without NextToken)."""
    body = json.dumps(key, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_check(query, body) + body).decode("ascii")


def open_token(query: Mapping[str, Any], token: str, shape: tuple[type, ...]) -> Key:
    """The inverse of `seal_token`; shape: the types of the key's values.

    Raises ApiError ValidationException if the token was not given out for this query.
    """
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as problem:
        raise invalid("NextToken is not one that this operation gave out") from problem
    check, body = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
    if check != _check(query, body):
        raise invalid("NextToken was not given out for these parameters; repeat those of the first page")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None  # the checksum is no secret, so anybody can make one
    key = tuple(found) if isinstance(found, list) else ()
    if tuple(type(value) for value in key) != shape or not all(map(_storable, key)):
        raise invalid("NextToken was given out by another version of this service")
    return key


def _storable(value: str | int) -> bool:
    """Can the database compare with it? Not with an integer over 64 bits, nor with a text that is not UTF-8."""
    return -(2**63) <= value < 2**63 if isinstance(value, int) else not any("\ud800" <= c <= "\udfff" for c in value)


def _check(query: Mapping[str, Any], body: bytes) -> bytes:
    # MaxResults may change from page to page, as with AWS.
    bound = {name: value for name, value in query.items() if name not in ("MaxResults", "NextToken")}
    text = json.dumps(bound, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode() + b"\0" + body, digest_size=_CHECK_BYTES).digest()
