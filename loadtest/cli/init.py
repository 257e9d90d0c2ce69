"""`loadtest init`: a job file from a few answers, or from flags."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from loadtest.cli.job_flags import job_flags, wish_of
from loadtest.errors import Problem, SpecError
from loadtest.files import unwritable
from loadtest.jobfile.compose import Wish, compose, name_of
from loadtest.jobfile.shorthand import PHASES_FORM, STAIRS_FORM
from loadtest.jobfile.written import written
from loadtest.targets.reference import SCHEMES, split_ref

__all__ = ["command"]

_TARGET = "http://127.0.0.1:8080/invocations"
_STAIRS = "1x5/5m"
_STAND_IN = Wish(target="null:", stairs=_STAIRS)  # of what was not asked yet


@click.command(name="init")
@click.argument("file", default="job.yaml", required=False)
@click.option("--target", help="What to load: http://..., sagemaker:NAME, mock:..., boto3:NAME, package.module:Name.")
@job_flags
@click.option("--gate", is_flag=True, help="A limit that is not met fails the run.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def command(file: str, target: str | None, gate: bool, force: bool, **given: Any) -> None:
    """Write a commented job FILE (YAML) that validates.  [default: job.yaml]

    Asks for what the flags do not say, on a terminal; elsewhere the flags say all: --target, and --stairs or --phases.
    """
    path = Path(file)
    problems = list(_file_problems(path, force))
    wish = wish_of(given, target)
    if sys.stdin.isatty():
        if problems:
            raise SpecError(problems)  # before anybody is asked anything
        wish = _asked(wish)
    try:
        request, spec = compose(wish)
    except SpecError as error:
        raise SpecError([*problems, *error.problems]) from None
    if problems:
        raise SpecError(problems)
    chosen = wish.target or ""  # compose refuses a wish without one
    try:
        path.write_text(written(request, chosen, path.name, gate=gate), encoding="utf-8")
    except OSError as problem:
        raise SpecError([Problem("FILE", repr(file), f"cannot be written: {problem.strerror}")]) from None
    for warning in spec.warnings:
        click.echo(f"warning: {warning}", err=True)
    plugin = "" if split_ref(chosen)[0] in SCHEMES else f" --allow-plugin {chosen}"
    click.echo(f"{path} is written. Next: loadtest preview {path}{plugin}, then loadtest run {path}{plugin}")


def _file_problems(path: Path, force: bool) -> Iterator[Problem]:
    if not path.name:
        yield Problem("FILE", repr(str(path)), "names no file")
        return
    if path.suffix.lower() not in (".yaml", ".yml"):
        yield Problem("FILE", repr(str(path)), "is written as YAML", f"name it {path.with_suffix('.yaml')}")
    if why := unwritable(path):
        yield Problem("FILE", repr(str(path)), f"cannot be written: {why}")
    elif path.exists() and not force:
        yield Problem("FILE", repr(str(path)), "is there already", "give another name, or --force")


def _asked(wish: Wish) -> Wish:
    """The wish with the answers to what it leaves open."""
    if wish.target is None:
        wish = replace(wish, target=_ask("Target", _TARGET, lambda text: replace(_STAND_IN, target=text)))
    if wish.stairs is None and wish.phases is None:
        click.echo(f"Traffic: stairs, {STAIRS_FORM};\n  or phases, {PHASES_FORM}")
        traffic = _ask("Traffic", _STAIRS, lambda text: _with_traffic(_STAND_IN, text))
        wish = _with_traffic(wish, traffic)
    if wish.p95 is None and wish.p99 is None:
        limit = _ask("Limit of P95 latency, such as 200ms ('-': none)", "-", _with_limit)
        wish = replace(wish, p95=None if limit == "-" else limit)
    if wish.name is None:
        wish = replace(wish, name=_ask("Name", name_of(wish.target or ""), lambda text: replace(_STAND_IN, name=text)))
    return wish


def _with_limit(text: str) -> Wish:
    return replace(_STAND_IN, p95=None if text == "-" else text)


def _with_traffic(wish: Wish, text: str) -> Wish:
    """Stairs have an x, phases have none."""
    return replace(wish, stairs=text, phases=None) if "x" in text else replace(wish, stairs=None, phases=text)


def _ask(question: str, default: str, wish: Callable[[str], Wish]) -> str:
    """An answer that makes a good wish; asked again, with what is wrong, until it does."""
    while True:
        answer: str = click.prompt(question, default=default).strip()
        try:
            compose(wish(answer))
        except SpecError as error:
            click.echo(str(error), err=True)
        else:
            return answer
