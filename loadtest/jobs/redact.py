"""Texts without what gives access: the secret parts of a presigned URL's query."""

from __future__ import annotations

import re

__all__ = ["redacted"]

_SECRET = re.compile(
    r"(?i)\b((?:x-amz-(?:signature|security-token|credential)|signature|awsaccesskeyid|key-pair-id|policy|sig)"
    r"(?:=|%3d))[^&\s\"'\\<>)]+"
)


def redacted(text: str) -> str:
    """`text` with the values of such parameters replaced by REDACTED; JSON stays JSON."""
    return _SECRET.sub(r"\1REDACTED", text) if "=" in text or "%3" in text else text
