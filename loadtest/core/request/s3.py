"""Addresses of objects in S3, as SamplePayloadUrl may have them. Text only: nothing is asked."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

__all__ = ["is_web_object", "lies_below", "s3_object"]

_BUCKET_HOST = re.compile(r"(.+)\.s3(?:[.-].*)?", re.IGNORECASE)  # BUCKET.s3.REGION.amazonaws.com, BUCKET.s3-REGION...


_S3_HOST = re.compile(r"(.+\.)?s3[.-].*|.+\.s3", re.IGNORECASE)


def is_web_object(url: str) -> bool:
    """Whether it is fetched as it stands: an https address whose host is not S3's."""
    if not url.startswith("https://"):
        return False
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return bool(host) and _S3_HOST.fullmatch(host) is None


def s3_object(url: str) -> tuple[str, str] | None:
    """(bucket, key) of `s3://BUCKET/KEY`, `https://BUCKET.s3.REGION.amazonaws.com/KEY` or `https://HOST/BUCKET/KEY`.

    None: it names no object. The host and the query of an https address, which may hold a signature, mean nothing: an
    object is read from where its reader finds the bucket, with the reader's own credentials.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "s3":
        bucket, _, key = rest.partition("/")  # a key may hold any character, `?` and `#` too
    elif scheme == "https":
        try:
            parts = urlsplit(url)
        except ValueError:  # a bracket without its other half
            return None
        host, path = _BUCKET_HOST.fullmatch(parts.netloc), unquote(parts.path.removeprefix("/"))
        bucket, key = (host[1], path) if host is not None else path.partition("/")[::2]
    else:
        return None
    return (bucket, key) if bucket and key else None


def lies_below(url: str, top: str) -> bool:
    """Whether the object at `url` is the one at `top`, or has an address below it; S3's, however they are written.

    What follows a `?` means nothing. A path that leads upwards lies nowhere.
    """
    path, above = _plain(url), _plain(top).rstrip("/")
    return bool(above) and ".." not in path.split("/") and (path == above or path.startswith(f"{above}/"))


def _plain(url: str) -> str:
    """`s3://BUCKET/KEY`, or an https address without its query, decoded."""
    found = None if is_web_object(url) else s3_object(url)
    if found is not None:
        return f"s3://{found[0]}/{found[1]}"
    scheme, _, rest = url.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.lower()}{slash}{unquote(path)}" if scheme == "https" else url
