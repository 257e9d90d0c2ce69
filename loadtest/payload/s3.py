"""A payload that lies elsewhere, for the processes of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from loadtest.core.traffic.plan import PayloadSource
from loadtest.payload.remote import PayloadCache

__all__ = ["local_payload"]


@contextmanager
def local_payload(source: PayloadSource, options: Mapping[str, Any]) -> Iterator[PayloadSource]:
    """`source` as the processes of this machine can read it: what lies in S3 or behind https is fetched to the cache.

    options, errors: as for `PayloadCache`.
    """
    yield replace(source, path=str(PayloadCache(options).path(str(source.path)))) if source.is_remote else source
