"""A job's sample payload: fetched once, looked through, and kept in a folder for as long as its tests run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.core.traffic.plan import PayloadSource
from loadtest.errors import Problem, SpecError
from loadtest.jobs.models import ModelFacts
from loadtest.jobs.redact import redacted
from loadtest.payload.payload import load_payloads

__all__ = ["PayloadReader", "sample_payload"]

PayloadReader = Callable[[str], bytes | Path]
"""Of a SamplePayloadUrl, its bytes or a file that has them; raises OSError or LoadtestError if there are none."""


def sample_payload(
    facts: ModelFacts, reader: PayloadReader | None, stack: ExitStack, given: str | None = None
) -> PayloadSource:
    """The bodies of a job's requests. reader: None: a built-in one. stack: takes the folder with it. given: a file or
    folder in place of the job's own; None: there is none.

    Raises what the reader does, and SpecError with everything that is wrong with the archive.
    """
    source = PayloadSource(content_type=facts.content_types[0]) if facts.content_types else PayloadSource()
    if given is not None:
        source = replace(source, path=given)
        load_payloads(source)
        return source
    if reader is None or facts.sample_payload_url is None:
        return source
    body = reader(facts.sample_payload_url)
    path = body if isinstance(body, Path) else _written(body, stack)
    source = replace(source, path=str(path))
    try:
        load_payloads(source)  # now, so that one reason fails the job, not each of its benchmarks
    except SpecError as found:
        url = redacted(facts.sample_payload_url)
        raise SpecError([_of_url(problem, str(path), url) for problem in found.problems]) from found
    return source


def _written(body: bytes, stack: ExitStack) -> Path:
    path = Path(stack.enter_context(TemporaryDirectory(prefix="loadtest-payload-")), "payload.tar.gz")
    path.write_bytes(body)
    return path


def _of_url(problem: Problem, path: str, url: str) -> Problem:
    """What is wrong with the copy, told of the original."""
    where = "SamplePayloadUrl" if problem.path == "payload" else problem.path
    return Problem(where, problem.value.replace(path, url), problem.rule.replace(path, url), problem.advice)
