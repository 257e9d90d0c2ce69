"""`loadtest recommend`: all tests of a job, without a server, and what they recommend."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console

from loadtest.cli import EXIT_NOT_WRITTEN
from loadtest.cli.account_flags import account_flags, account_options
from loadtest.cli.attend import attended
from loadtest.cli.deploy_flags import deploy_flags, deployed
from loadtest.cli.existing import cloudwatch_flags
from loadtest.cli.file_flags import file_flags
from loadtest.cli.pages import REPORT, write_page
from loadtest.core.request.spec import Profile
from loadtest.jobs.provision import Provider
from loadtest.jobs.service import EngineName
from loadtest.jobs.status import Status
from loadtest.recommendation.endpoints import FileChoice
from loadtest.recommendation.job import Recommendation, job_folder, start
from loadtest.report.recommended import recommended

__all__ = ["command"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXIT_OF = {Status.COMPLETED: 0, Status.FAILED: 1, Status.STOPPED: 130}
EXIT_STRICT = 3
EXIT_BUDGET = 1


@click.command("recommend")
@click.argument("file", type=click.Path())
@click.option("--fleet", type=_FILE, help="The targets that you run, with their prices (YAML); see docs/fleet.md.")
@click.option("--mock", is_flag=True, help="Test a model of the instances: of the --fleet file, or the built-in one.")
@click.option(
    "--engine",
    type=click.Choice(get_args(EngineName)),
    default="live",
    show_default=True,
    help="sim: virtual time, for --mock.",
)
@click.option("--prices", type=_FILE, help="Instance prices (CSV, JSON, YAML) in place of the known ones.")
@click.option("--profile", type=click.Choice(get_args(Profile)), default="relaxed", show_default=True)
@click.option("--payload", type=click.Path(exists=True), help="Request bodies in place of the job's SamplePayloadUrl.")
@click.option("--output-dir", type=click.Path(file_okay=False), help="A new or empty folder.  [default: one in runs/]")
@click.option("--strict", is_flag=True, help="Exit with 3 if a test failed or its figures cannot be trusted.")
@click.option("--quiet", is_flag=True, help="Print nothing while it runs.")
@click.option("--json", "as_json", is_flag=True, help="Print describe.json instead of text.")
@click.option("--no-report", is_flag=True, help="Write no report.html.")
@click.option("--allow-profile", multiple=True, help="A profile of the AWS configuration that the fleet file may name.")
@click.option("--allow-endpoint-url", multiple=True, help="Where targets of the fleet file may send signed requests.")
@file_flags
@account_flags
@deploy_flags
@cloudwatch_flags
def command(
    file: str, output_dir: str | None, strict: bool, quiet: bool, as_json: bool, no_report: bool, **given: Any
) -> None:
    """Run every test of a job FILE and rank what it runs on, as Inference Recommender would.

    MaxParallelOfTests run at once. Ctrl-C ends it in order and keeps what was found; twice, at once.
    """
    console = Console(stderr=True) if as_json else Console()

    def say(text: str) -> None:
        if not quiet:
            console.print(text, markup=False, highlight=False, style="dim", soft_wrap=True)

    name = Path(file).stem
    wrap = _told(given)
    options = account_options(given)
    with deployed(file, given, options, say) as deploying:
        folder = job_folder(output_dir, name)
        named = [given.pop(name) for name in ("allow_plugin", "allow_profile", "allow_endpoint_url")]
        root = {"allowed": FileChoice(*named), "payload_root": given.pop("payload_root") or ""}
        choices = {**given, **root, **deploying.choices}
        found = attended(start(file, output_dir=folder, options=options, say=say, wrap=wrap, **choices), say)
    missing = dict(found.missing)
    if not no_report and found.results and found.folder is not None:
        missing |= write_page(
            found.folder / REPORT,
            found.results,
            lambda text: click.echo(text, err=True),
            float(found.described["CreationTime"]),
            described=found.described,
            steps=found.steps,
        )
    if as_json:
        click.echo(json.dumps(found.described, indent=2, ensure_ascii=False))
    else:
        console.print(recommended(found.described, found.steps))
        console.print(f"Results: {found.folder}", markup=False, highlight=False, soft_wrap=True)
    for file_name, why in missing.items():
        click.echo(f"not written: {file_name}: {why}", err=True)
    code = EXIT_BUDGET if deploying.cut_short else _code(found, strict)
    raise SystemExit(code or (EXIT_NOT_WRITTEN if missing else 0))


def _told(given: dict[str, Any]) -> Callable[[Provider], Provider]:
    """What has a provider of endpoints ask CloudWatch of each test, unless that is declined. Takes its flags."""
    declined, wait_s = given.pop("no_cloudwatch"), given.pop("cloudwatch_wait_s")

    def wrap(provider: Provider) -> Provider:
        from loadtest.aws.telling import Telling

        return Telling(provider, wait_s=wait_s)

    return (lambda provider: provider) if declined else wrap


def _code(found: Recommendation, strict: bool) -> int:
    doubtful = any(not result.trust.valid for result in found.results)
    failed = any(step["Status"] == Status.FAILED for step in found.steps)
    return EXIT_OF[found.status] or (EXIT_STRICT if strict and (failed or doubtful) else 0)
