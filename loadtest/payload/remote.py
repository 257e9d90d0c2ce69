"""Payload archives from S3 and by https, streamed to disk and kept in the user's cache by their ETag.

Whoever holds the object is asked every time (HeadObject, If-None-Match): a changed one is fetched again, and so is a
copy whose digest is not what it was when it was kept. What cannot be cached is fetched into a folder of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

from loadtest.cache import cache_dir, keep
from loadtest.core.request.s3 import is_web_object, s3_object
from loadtest.errors import TargetError, words
from loadtest.loopback import is_loopback_url
from loadtest.payload.archive import ArchiveError, read_archive

__all__ = ["MAX_ARCHIVE_BYTES", "PayloadCache"]

MAX_ARCHIVE_BYTES = 256 << 20
TIMEOUT_S = 30.0
_CHUNK_BYTES = 1 << 20
_MAX_BODY_BYTES = 6_291_456


class PayloadCache:
    """Objects by their addresses. options: region, profile, ca_file, endpoint_url, as in TargetRef.options.

    An endpoint_url on this machine (an emulator, which is one address for everything) is asked for S3's objects too.

    folder: None: `payloads` in the cache directory.
    """

    def __init__(self, options: Mapping[str, Any] | None = None, folder: Path | None = None) -> None:
        self._options = options or {}
        self._folder = cache_dir() / "payloads" if folder is None else folder

    def path(self, url: str) -> Path:
        """A file with the object behind `url` (an address as `s3_object` reads it, or any https one).

        Raises TargetError if it cannot be read, is over 256 MiB, cut short or no archive.
        """
        shown = url.partition("?")[0] if url.startswith("https:") else url
        try:
            if is_web_object(url):
                return self._by_https(url, shown)
            found = s3_object(url)
            if found is None:
                raise TargetError(f"{shown!r} is not s3://BUCKET/KEY; download it and give --payload")
            return self._of_s3(*found)
        except OSError as problem:
            raise TargetError(
                f"{shown} cannot be kept in {self._folder}: {words(problem)}; give --payload instead"
            ) from None

    def _of_s3(self, bucket: str, key: str) -> Path:
        import boto3  # heavy, and needed by few runs
        from botocore.exceptions import BotoCoreError, ClientError

        from loadtest.targets.aws_session import aws_session
        from loadtest.targets.credentials import credentials_of

        url = f"s3://{bucket}/{key}"
        place = self._place(url, key)
        try:
            session = aws_session(self._options.get("profile"), self._options.get("region"))
            credentials_of(session)
            address = self._options.get("endpoint_url") or ""
            client = boto3.Session(botocore_session=session).client(
                "s3",
                verify=self._options.get("ca_file"),
                endpoint_url=address if is_loopback_url(address) else None,
            )
            head = client.head_object(Bucket=bucket, Key=key)
            _check_size(url, head["ContentLength"])
            if _kept(place) == head["ETag"]:
                return place
            answer = client.get_object(Bucket=bucket, Key=key)
            return _store(place, url, answer["Body"].iter_chunks(_CHUNK_BYTES), answer["ContentLength"], answer["ETag"])
        except (BotoCoreError, ClientError) as problem:
            raise TargetError(f"{url} cannot be read: {problem}; give --payload instead") from problem

    def _by_https(self, url: str, shown: str) -> Path:
        place = self._place(url, urlsplit(url).path)
        tag = _kept(place)
        request = Request(url, headers={"If-None-Match": tag} if tag else {})
        context = ssl.create_default_context(cafile=self._options.get("ca_file"))
        opener = build_opener(HTTPSHandler(context=context), ProxyHandler(), _OnlyHttps())
        try:
            with opener.open(request, timeout=TIMEOUT_S) as answer:
                length = answer.headers.get("Content-Length")
                size = None if length is None else int(length)
                _check_size(shown, size or 0)
                chunks = iter(lambda: answer.read(_CHUNK_BYTES), b"")
                return _store(place, shown, chunks, size, answer.headers.get("ETag") or "")
        except HTTPError as problem:
            problem.close()  # it is the answer, too
            if problem.code == 304 and tag:
                return place
            raise TargetError(f"{shown} cannot be read: HTTP {problem.code}; give --payload instead") from None
        except (URLError, ValueError) as problem:
            raise TargetError(f"{shown} cannot be read: {words(problem)}; give --payload instead") from None

    def _place(self, url: str, key: str) -> Path:
        """Where the copy lies; its name ends as the object's, by which archives are told."""
        name = key.rsplit("/", 1)[-1][-64:] or "payload"
        return self._folder / hashlib.sha256(url.encode()).hexdigest()[:32] / name


class _OnlyHttps(HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.startswith("https://"):
            raise URLError("it leads to an address that is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_size(url: str, size_bytes: int) -> None:
    if size_bytes > MAX_ARCHIVE_BYTES:
        raise TargetError(f"{url} has {size_bytes:,} bytes, over {MAX_ARCHIVE_BYTES:,}")


def _kept(place: Path) -> str | None:
    """The ETag of the copy; None: there is none, or it is not what it was."""
    try:
        told = json.loads(_facts(place).read_text("utf-8"))
        with place.open("rb") as copy:
            digest = hashlib.file_digest(copy, "sha256").hexdigest()
        return str(told["etag"]) if told["etag"] and told["sha256"] == digest else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _store(place: Path, url: str, chunks: Iterator[bytes], size_bytes: int | None, etag: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=".fetch-")
    digest, total_bytes = hashlib.sha256(), 0
    try:
        with os.fdopen(handle, "wb") as out:
            for chunk in chunks:
                total_bytes += len(chunk)
                _check_size(url, total_bytes)
                digest.update(chunk)
                out.write(chunk)
        if size_bytes is not None and total_bytes != size_bytes:
            raise TargetError(f"{url} was cut short: {total_bytes:,} of {size_bytes:,} bytes came")
        _check_archive(url, Path(temporary), place.name)
        os.replace(temporary, place)
    finally:
        Path(temporary).unlink(missing_ok=True)
    keep(_facts(place), json.dumps({"etag": etag, "bytes": total_bytes, "sha256": digest.hexdigest()}))
    return place


def _check_archive(url: str, path: Path, name: str) -> None:
    """Damage is told now, and not kept. What is in it is checked by whoever reads the bodies."""
    if not name.lower().endswith((".tar", ".gz", ".tgz", ".bz2", ".xz", ".zip")):
        return
    try:
        with path.open("rb") as packed:
            for _ in read_archive(packed, _MAX_BODY_BYTES):
                pass
    except ArchiveError as problem:
        raise TargetError(f"{url}: {problem}") from None


def _facts(place: Path) -> Path:
    return place.with_name(f".{place.name}.json")
