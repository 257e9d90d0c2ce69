"""`loadtest run --web`: the run's live page, served by this process for as long as the run goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan
from loadtest.errors import Problem, SpecError
from loadtest.loopback import is_loopback

if TYPE_CHECKING:
    from loadtest.web.live import LivePage

__all__ = ["finish_live", "live_page", "web_flag", "web_of"]

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT = "127.0.0.1:0"


def web_flag(command: Command) -> Command:
    """Decorator: adds --web; the command gets it as `web`."""
    return click.option(
        "--web",
        is_flag=False,
        flag_value=DEFAULT,
        help="Show the run in a browser while it goes on; --web=HOST:PORT.  [a free port of 127.0.0.1]",
    )(command)


def web_of(given: Mapping[str, Any]) -> tuple[str, int] | None:
    """(host, port), port 0 for a free one; None: not asked for. Raises SpecError for anything else."""
    if given["web"] is None:
        return None
    host, _, port = given["web"].rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        advice = "write --web=127.0.0.1:8089, or --web last"
        raise SpecError([Problem("--web", repr(given["web"]), "must be HOST:PORT", advice)])
    return host, int(port)


def finish_live(page: LivePage, result: RunResult, report: Path) -> None:
    """Tell the page how the run ended, and give it the report if there is one."""
    from loadtest.report.html.sentences import sentences
    from loadtest.report.terminal import closing, headline

    words = [sentence.text for sentence in sentences([*headline(result), *closing(result)])]
    page.finish(words, report if report.is_file() else None)


@contextmanager
def live_page(
    address: tuple[str, int] | None, plan: Plan, title: str, about: Mapping[str, Any] | None = None
) -> Iterator[LivePage | None]:
    """The page of a run of `plan`, served inside; None if there is no address. Raises EngineError.

    about: job, label and info of its result.
    """
    if address is None:
        yield None
        return
    # Only here: a run without it starts without a server, templates and charts.
    try:
        from loadtest.web.live import LivePage
    except ModuleNotFoundError as problem:
        advice = "pip install 'loadtest[report]'"
        raise SpecError(
            [Problem("--web", "", f"needs a package that is not installed: {problem.name}", advice)]
        ) from None

    with LivePage(plan, title, *address, about=about) as page:
        click.echo(f"live page: {page.url}", err=True)
        if page.why:
            click.echo(f"the live page has no charts: {page.why}", err=True)
        if not is_loopback(address[0]):
            click.secho(
                f"Warning: {address[0]} can be reached from other machines: whoever reaches it sees the run, and "
                "whoever has the address above can stop it.",
                fg="yellow",
                err=True,
            )
        yield page
