"""`loadtest run`: a job's load test as real traffic, live on the terminal, kept in a run folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import click
from rich.console import Console

import loadtest.api as api
from loadtest.cli import EXIT_NOT_WRITTEN
from loadtest.cli.attend import attended
from loadtest.cli.calibrate import fit_line
from loadtest.cli.ci_flags import ci_flags, more_files, thresholds_of
from loadtest.cli.confirm import confirmed
from loadtest.cli.duration import DURATION
from loadtest.cli.existing import dry_run, dry_run_flag, existing_flags, looked_at
from loadtest.cli.export_flags import export_flags, exports_of, labels_of
from loadtest.cli.facts import labels_about
from loadtest.cli.file_flags import file_flags
from loadtest.cli.job_flags import job_flags, job_of
from loadtest.cli.open_loop import Confirm, arrivals_of, confirm_of, open_loop_flags
from loadtest.cli.pages import REPORT, write_page
from loadtest.cli.repeat import repeat_flags, repeats_of, run_repeats
from loadtest.cli.run_flags import run_flags, screen_flags
from loadtest.cli.share import PART_OR_ALL
from loadtest.cli.target_flags import target_flags, target_options
from loadtest.cli.web import finish_live, live_page, web_flag, web_of
from loadtest.cli.worker_flags import listen_of, token_env, worker_flags, workers_of
from loadtest.core.measure.schedule import UserChange
from loadtest.core.measure.window import Window
from loadtest.core.request.search import SearchSettings
from loadtest.core.request.spec import Profile, RunOptions, SpawnReading, StairsReading
from loadtest.core.result.exit_code import exit_code
from loadtest.core.result.model_thresholds import thresholds_by_model
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import Plan
from loadtest.engine.parent import spawn
from loadtest.engine.parent.environment import environment
from loadtest.errors import LoadtestError, Problem, SpecError, masked
from loadtest.export.exports import Exports
from loadtest.jobfile.runoptions import check_option
from loadtest.report.busy import busy
from loadtest.report.folder import RunFolder
from loadtest.report.summary import summary_of
from loadtest.report.terminal import LiveView, summary

if TYPE_CHECKING:
    from loadtest.web.live import LivePage

__all__ = ["command", "plan_of", "run_plan"]

DEFAULT_DIR = "runs"
Drive = Callable[[Plan, RunFolder], RunResult]
About = Callable[[Plan], dict[str, Any]]
Waiting = Callable[[str], AbstractContextManager[Any]]


@click.command(name="run")
@click.argument("file", type=click.Path(), required=False)
@job_flags
@click.option("--target", help="What to load: mock:..., sagemaker:NAME, boto3:NAME, http://..., package.module:Name.")
@click.option("--endpoint-name", help="Short for --target sagemaker:NAME.")
@run_flags
@click.option("--rate-window", "rate_window_s", type=DURATION, help="Rolling window of MaxInvocations.  [default: 60s]")
@click.option("--stairs-duration", type=click.Choice(get_args(StairsReading)), help="Of all steps or of each.")
@click.option("--spawn", type=click.Choice(get_args(SpawnReading)), help="Users of a phase start evenly or in bunches.")
@click.option("--max-error-ratio", type=click.FloatRange(0, 1), help="Share of failures that ends the test.")
@click.option("--log-requests", type=PART_OR_ALL, help="Keep this share of requests in requests.csv, such as 1%.")
@click.option("--gate", is_flag=True, help="Exit with 99 if a threshold was not met.")
@click.option("--strict", is_flag=True, help="Exit with 3 if the result cannot be trusted or is undecided.")
@screen_flags
@web_flag
@ci_flags
@repeat_flags
@file_flags
@open_loop_flags
@worker_flags
@export_flags
@dry_run_flag
@existing_flags
@target_flags
def command(file: str | None, profile: str, **given: Any) -> None:
    """Run the load test of a job FILE (JSON or YAML): a CreateInferenceRecommendationsJob request, or a scenario.

    Without a FILE, --target and --stairs or --phases make the job, which is kept in the run folder as job.json.
    """
    given["thresholds"] = thresholds_of(given["thresholds"])
    job = job_of(file, cast(Profile, profile), given)
    plan = plan_of(job, given)
    if given["dry_run"]:
        click.echo("\n".join(dry_run(plan, given)))
        raise SystemExit(0)
    repeats = repeats_of(given, plan.target)
    if repeats is None:
        raise SystemExit(run_plan(plan, job, given))
    given = {**given, "gate": given["gate"] or job.scenario.gate}
    # Each is a run like any other, in a folder of its own.
    raise SystemExit(run_repeats(plan, repeats, given, job.spec.name, lambda p, g: run_plan(p, job, g)))


def run_plan(plan: Plan, job: api.ReadJob, given: Mapping[str, Any]) -> int:
    """Run it, print what came of it, return the exit code."""
    spec = job.spec
    as_json, quiet, plain = given["as_json"], given["quiet"] or given["as_json"], given["plain"]
    console = Console(stderr=True) if as_json else Console()
    for warning in spec.warnings:
        console.print(f"warning: {warning}", markup=False, highlight=False, style="yellow", soft_wrap=True)
    enough = fit_line(plan.target, plan.curve.peak, plan.stop, plan.arrivals, plan.workers)
    if enough and not given["quiet"]:
        console.print(f"machine: {enough}", markup=False, highlight=False, style="dim")
    existing = looked_at(plan, given)
    for line in [] if given["quiet"] else existing.lines:
        console.print(f"endpoint: {line}", markup=False, highlight=False, style="dim", soft_wrap=True)
    about = partial(labels_about, spec=spec, endpoint=existing.found)
    listen = listen_of(given)
    env = {} if listen is None else token_env(given["token_file"], listen[0], "--listen")

    def drive(driven: Plan, folder: RunFolder) -> RunResult:
        exports.begin(driven, labels_of(given, driven, about(driven)["info"], folder.path))
        title = "  ".join(filter(None, [spec.name, masked(driven.target.ref)]))
        shown = {"quiet": quiet, "plain": plain, "title": title, "elsewhere": listen is not None}
        view = LiveView(driven, console=console, **shown)
        # A confirmation is another run, after the one that the page is of.
        with existing.watched(view.say, folder.keep):
            result = _drive(driven, about, folder, view, exports, listen, env, page if driven is plan else None)
        result = thresholds_by_model(existing.completed(result).judged(given["thresholds"]), given["thresholds"])
        exports.end(result)
        return result

    waiting = partial(busy, console, plain=quiet or plain)
    address = web_of(given)
    name = spec.name or "load test"
    with Exports(exports_of(given)) as exports, live_page(address, plan, name, about(plan)) as page:
        for url in [] if given["quiet"] else exports.urls:
            console.print(f"metrics: {url}", markup=False, highlight=False, style="dim")
        result, path, missing = _run(plan, about, given["output_dir"], confirm_of(given), drive, waiting)
        if not given["no_report"] and path.is_dir():
            with waiting(f"making {REPORT}"):
                missing |= write_page(path / REPORT, [result], lambda text: click.echo(text, err=True))
        missing |= more_files(result, path, given)
        if page is not None:
            finish_live(page, result, path / REPORT)
        if as_json:
            click.echo(json.dumps({**summary_of(result), "output_dir": str(path)}, indent=2))
        else:
            console.print(summary(result, path))
            if (path / REPORT).is_file():
                console.print(f"Page: {path / REPORT}", markup=False, highlight=False, soft_wrap=True)
    for loss in exports.losses:
        click.echo(loss, err=True)
    if missing:
        why = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        click.echo(f"not everything could be written to {path}: {why}", err=True)
    code = exit_code(result, gate=given["gate"] or job.scenario.gate, strict=given["strict"])
    return code or (EXIT_NOT_WRITTEN if missing else 0)


def plan_of(job: api.ReadJob, given: Mapping[str, Any], search: SearchSettings | None = None) -> Plan:
    """The plan of the file, with what the command line says instead."""
    if given["target"] and given["endpoint_name"]:
        problem = Problem("--endpoint-name", given["endpoint_name"], "--target is given too", "give one of them")
        raise SpecError([problem])
    names = [field for field in RunOptions.__dataclass_fields__ if given.get(field) is not None]
    flags_of = {name: f"--{name.removesuffix('_s').replace('_', '-')}" for name in names}
    if problems := [p for name in names if (p := check_option(name, given[name], flags_of[name])) is not None]:
        raise SpecError(problems)  # the same bounds as in a job file
    options = replace(job.scenario.options, **{name: given[name] for name in names})
    flags = {name: value for name, value in given.items() if name.startswith("option_")}
    ref = f"sagemaker:{given['endpoint_name']}" if given["endpoint_name"] else given["target"]
    return api.plan_job(
        job,
        target=job.target(ref, target_options(flags)),
        payload=given["payload"],
        content_type=given["content_type"],
        options=options,
        workers=workers_of(given),
        arrivals=arrivals_of(given, options.seed),
        in_flight_limit=given["max_in_flight"],
        search=search,
    )


def _run(
    plan: Plan, about: About, output_dir: str | None, confirm: Confirm | None, drive: Drive, waiting: Waiting
) -> tuple[RunResult, Path, dict[str, str]]:
    """(the result, where its files are, those that could not be written and why). waiting: shows what takes long."""
    with _folder(plan, about, output_dir) as folder:
        try:
            result = drive(plan, folder)
        except LoadtestError:
            folder.discard()
            raise
        if confirm is not None:
            result = confirmed(result, confirm, folder.path, drive)
        with waiting("writing the run folder"):
            path = folder.finish(result)
        return result, path, dict(folder.missing)


def _drive(
    plan: Plan,
    about: About,
    folder: RunFolder,
    view: LiveView,
    exports: Exports,
    listen: tuple[str, int] | None,
    env: Mapping[str, str],
    page: LivePage | None,
) -> RunResult:
    """The run of a plan, to its end or a signal; its windows and user changes go to `folder` as they come."""
    with view:

        def on_window(window: Window, progress: Mapping[str, Any]) -> None:
            folder.window(window)
            exports.window(window, progress)
            view(window, progress)
            if page is not None:
                page.window(window, progress)

        def on_changes(changes: Sequence[UserChange]) -> None:
            folder.changes(changes)

        def on_news(text: str) -> None:
            view.say(text)
            if page is not None:
                page.say(text)

        run = spawn.start(
            plan,
            on_window=on_window,
            on_changes=on_changes,
            on_news=on_news,
            on_ready=exports.facts,
            env=env,
            listen=listen,
            **about(plan),
        )
        if page is not None:
            page.started(run.stop)
        view.status = lambda: run.status
        return attended(run, on_news)


def _folder(plan: Plan, about: About, output_dir: str | None) -> RunFolder:
    labels = about(plan)
    labels.pop("not_run")
    occupied = output_dir is not None and _holds_something(Path(output_dir))
    if occupied:
        click.echo(f"{output_dir} holds something already: this run gets a folder of its own in it", err=True)
    try:
        return RunFolder(
            output_dir or DEFAULT_DIR,
            plan,
            created_at=time.time(),
            exact=output_dir is not None and not occupied,
            environment=environment(),
            **labels,
        )
    except OSError as problem:
        where = output_dir or DEFAULT_DIR
        raise SpecError([Problem("--output-dir", where, f"cannot be written: {problem.strerror}")]) from problem


def _holds_something(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())
