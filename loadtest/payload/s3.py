"""Objects in S3, by boto3: the payload archive that a job's SamplePayloadUrl names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtest.errors import TargetError

__all__ = ["MAX_ARCHIVE_BYTES", "fetch_archive"]

MAX_ARCHIVE_BYTES = 256 * 1024 * 1024
_CHUNK_BYTES = 1 << 20


def fetch_archive(url: str, folder: Path, options: Mapping[str, Any]) -> Path:
    """Download `s3://bucket/key` into `folder` and return the file, which keeps the key's last name.

    options: region, profile, as in TargetRef.options. Credentials come from where boto3 takes them.
    Raises TargetError if it is no such URL, cannot be read, or is larger than 256 MiB.
    """
    found = re.fullmatch(r"s3://([^/]+)/(.+)", url)
    if found is None:
        raise TargetError(
            f"SamplePayloadUrl {url.partition('?')[0]!r} is not s3://BUCKET/KEY; download it and give --payload"
        )
    bucket, key = found.groups()
    import boto3  # heavy, and needed by few runs
    from botocore.exceptions import BotoCoreError, ClientError

    path = folder / (key.rsplit("/", 1)[-1] or "payload")
    try:
        session = boto3.Session(profile_name=options.get("profile"), region_name=options.get("region"))
        answer = session.client("s3").get_object(Bucket=bucket, Key=key)
        if answer["ContentLength"] > MAX_ARCHIVE_BYTES:
            raise TargetError(f"{url} has {answer['ContentLength']:,} bytes, over {MAX_ARCHIVE_BYTES:,}")
        with path.open("wb") as out:
            for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                out.write(chunk)
    except (BotoCoreError, ClientError, OSError) as problem:
        raise TargetError(f"{url} cannot be read: {problem}; give --payload instead") from problem
    return path
