"""Objects in S3, by boto3: the payload archive that a job's SamplePayloadUrl names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from loadtest.core.request.s3 import s3_object
from loadtest.core.traffic.plan import PayloadSource
from loadtest.errors import TargetError

__all__ = ["MAX_ARCHIVE_BYTES", "fetch_archive", "local_payload"]

MAX_ARCHIVE_BYTES = 256 * 1024 * 1024
_CHUNK_BYTES = 1 << 20


@contextmanager
def local_payload(source: PayloadSource, options: Mapping[str, Any]) -> Iterator[PayloadSource]:
    """`source` as the processes of this machine can read it: what lies in S3 is fetched, and deleted on leaving.

    options, errors: as for `fetch_archive`.
    """
    if not source.is_remote:
        yield source
        return
    with TemporaryDirectory(prefix="loadtest-") as folder:
        yield replace(source, path=str(fetch_archive(str(source.path), Path(folder), options)))


def fetch_archive(url: str, folder: Path, options: Mapping[str, Any]) -> Path:
    """Download an object (an address as `s3_object` reads it) into `folder` and return the file, which keeps the key's
    last name.

    options: region, profile, as in TargetRef.options. Credentials come from where boto3 takes them.
    Raises TargetError if it is no such URL, cannot be read, or is larger than 256 MiB.
    """
    found = s3_object(url)
    if found is None:
        raise TargetError(f"{url.partition('?')[0]!r} is not s3://BUCKET/KEY; download it and give --payload")
    bucket, key = found
    url = f"s3://{bucket}/{key}"
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
