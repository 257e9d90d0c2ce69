"""The command `loadtest`: one file per verb, loaded only when its verb is used.

Importing this module loads click and nothing heavy; `loadtest --help` reads the table below and imports no verb. Errors
that `loadtest` raises on purpose become a message on stderr and an exit code here and nowhere else.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import click
from click.shell_completion import CompletionItem

from loadtest.cli.output import Forgiving, forgiving_output
from loadtest.cli.usage import usage_words
from loadtest.errors import EngineError, LoadtestError, clipped, words
from loadtest.version import VERSION

__all__ = ["EXIT_NOT_WRITTEN", "VERBS", "Verb", "VerbGroup", "main"]

EXIT_NOT_WRITTEN = 5  # done, but what was to be written could not be


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb of the program is. module: has the click command under the name `command`. summary: one line for
    `--help`.
    """

    module: str
    summary: str


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "demo": Verb("loadtest.cli.demo", "Load a mock endpoint for half a minute, to see what comes of it."),
        "init": Verb("loadtest.cli.init", "Write a commented job file, from answers or flags."),
        "run": Verb("loadtest.cli.run", "Run a job's load tests and write a run folder."),
        "recommend": Verb("loadtest.cli.recommend", "Run all tests of a job and rank them by cost."),
        "prices": Verb("loadtest.cli.prices", "Show what instances cost, and update it."),
        "capacity": Verb("loadtest.cli.capacity", "Find the largest load that an endpoint takes, with an interval."),
        "report": Verb("loadtest.cli.report", "Show a run folder's result again, and complete an unfinished one."),
        "compare": Verb("loadtest.cli.compare", "Compare runs: better, worse, the same, or undecided."),
        "validate": Verb("loadtest.cli.validate", "Check job files and list every problem."),
        "preview": Verb("loadtest.cli.preview", "Show a job's traffic and tests without running it."),
        "mock": Verb("loadtest.cli.mock", "Serve a mock SageMaker endpoint."),
        "cleanup": Verb("loadtest.cli.cleanup", "Remove what runs left in an AWS account."),
        "serve": Verb("loadtest.cli.serve", "Serve the Inference Recommender API on this machine."),
        "worker": Verb("loadtest.cli.worker", "Join a run as one of its load generators."),
        "doctor": Verb("loadtest.cli.doctor", "Look at this machine and say what a run would suffer from."),
        "calibrate": Verb("loadtest.cli.calibrate", "Measure how much load this machine can generate."),
    }
)


class VerbGroup(click.Group):
    """A group whose commands are the verbs of a table, imported when they are invoked."""

    def __init__(self, *args: Any, verbs: Mapping[str, Verb] = VERBS, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = self._verbs.get(cmd_name)
        if verb is None:
            return None
        try:
            module = importlib.import_module(verb.module)
        except ModuleNotFoundError as problem:
            if problem.name != verb.module:
                raise
            raise click.UsageError(f"this installation has no verb '{cmd_name}'", ctx) from None
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # click's own version imports every command for its help text.
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.summary) for name, verb in self._verbs.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # click's own version imports every command for its help text, at each press of the key.
        verbs = [CompletionItem(name, help=verb.summary) for name, verb in self._verbs.items()]
        return [verb for verb in verbs if verb.value.startswith(incomplete)] + click.Command.shell_complete(
            self, ctx, incomplete
        )

    def invoke(self, ctx: click.Context) -> Any:
        with forgiving_output() as (out, _):
            try:
                value = super().invoke(ctx)
            except click.UsageError as error:
                raise click.UsageError(usage_words(error), error.ctx) from None
            except LoadtestError as error:
                click.echo(f"{error}\n{error.explained_at}", err=True)
                ctx.exit(1 if isinstance(error, EngineError) else 2)
            except OSError as error:
                # Of a name that a path cannot have, or may not be looked at: it was said on the command line.
                if error.filename is None:
                    raise
                click.echo(f"{clipped(str(error.filename))}: {words(error)}", err=True)
                ctx.exit(2)
            except MemoryError:
                click.echo("not enough memory: give this process more (ulimit -v), or run a smaller test", err=True)
                ctx.exit(1)
            except (SystemExit, click.exceptions.Exit) as end:
                out.flush()
                code = end.code if isinstance(end, SystemExit) else end.exit_code
                if not code and out.failed:
                    _tell_lost(out)
                    ctx.exit(EXIT_NOT_WRITTEN)
                raise
            out.flush()
            if out.failed:
                _tell_lost(out)
                ctx.exit(EXIT_NOT_WRITTEN)
            return value


def _tell_lost(out: Forgiving) -> None:
    why = "" if out.lost is None else out.lost.strerror
    click.echo(f"what was to be printed could not be written: {why}", err=True)


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="loadtest")
def main() -> None:
    """Run SageMaker Inference Recommender load tests anywhere."""
