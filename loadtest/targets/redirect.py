"""Where a redirect points, for an error's detail: nobody follows it, and without the place nobody knows why."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

__all__ = ["with_location"]

_MAX_CHARACTERS = 120


def with_location(status: int, headers: Mapping[str, str], detail: str) -> str:
    """`detail`, of a 3xx that has a Location with that: "307 to https://host/path". Never raises.

    headers: by lower-case name. The Location goes without user, query and fragment, which may hold secrets or differ
    from answer to answer, and as short printable ASCII.
    """
    location = headers.get("location", "").strip() if 300 <= status < 400 else ""
    if not location:
        return detail
    try:
        parts = urlsplit(location)
        place = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return detail
    text = ascii(place)[1:-1]
    more = "..." if len(text) > _MAX_CHARACTERS else ""
    return f"{detail} to {text[:_MAX_CHARACTERS]}{more}"
