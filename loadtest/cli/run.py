"""`loadtest run`: a job's load test as real traffic, live on the terminal, kept in a run folder."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, cast, get_args

import click
from rich.console import Console

import loadtest.api as api
from loadtest.cli import EXIT_NOT_WRITTEN
from loadtest.cli.calibrate import fit_line
from loadtest.cli.ci_flags import ci_flags, more_files, thresholds_of
from loadtest.cli.compare import REQUEST_SHARE
from loadtest.cli.confirm import confirmed
from loadtest.cli.duration import DURATION, DURATION_OR_NONE
from loadtest.cli.file_flags import file_flags, permissions
from loadtest.cli.open_loop import Confirm, arrivals_of, confirm_of, open_loop_flags
from loadtest.cli.repeat import repeat_flags, repeats_of, run_repeats
from loadtest.cli.target_flags import target_flags, target_options
from loadtest.cli.worker_flags import listen_of, token_env, worker_flags, workers_of
from loadtest.core.measure.schedule import UserChange
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import JobSpec, LatencyClock, Profile, RunOptions, SpawnReading, StairsReading
from loadtest.core.result.exit_code import exit_code
from loadtest.core.result.result import RunResult
from loadtest.core.result.unused import unused_members
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.engine.parent import spawn
from loadtest.engine.parent.environment import environment
from loadtest.errors import LoadtestError, Problem, SpecError
from loadtest.jobfile.jobfile import JobFile, load_job
from loadtest.jobfile.runoptions import check_option
from loadtest.report.folder import RunFolder
from loadtest.report.summary import summary_of
from loadtest.report.terminal import LiveView, summary
from loadtest.signals import heeded
from loadtest.targets.reference import split_ref

__all__ = ["command"]

DEFAULT_DIR = "runs"
Drive = Callable[[Plan, RunFolder], RunResult]

LOOK_S = 0.2  # Python runs signal handlers between two looks


@click.command(name="run")
@click.argument("file", type=click.Path())
@click.option("--target", help="What to load: mock:..., sagemaker:NAME, boto3:NAME, http://..., package.module:Name.")
@click.option("--endpoint-name", help="Short for --target sagemaker:NAME.")
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False),
    help="The run folder; if it holds something already, a dated one in it.  [default: one in runs/]",
)
@click.option("--profile", type=click.Choice(get_args(Profile)), default="relaxed", show_default=True)
@click.option("--payload", type=click.Path(), help="File, folder, tar or zip of request bodies; one file is one body.")
@click.option("--content-type", help="Content-Type of every request.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Of everything drawn at random.")
@click.option("--window", "window_s", type=DURATION, help="Length of a measuring window.  [default: 1s]")
@click.option(
    "--drain", "drain_s", type=DURATION_OR_NONE, help="How long requests may take after a stop.  [default: 60s]"
)
@click.option("--rate-window", "rate_window_s", type=DURATION, help="Rolling window of MaxInvocations.  [default: 60s]")
@click.option("--stairs-duration", type=click.Choice(get_args(StairsReading)), help="Of all steps or of each.")
@click.option("--spawn", type=click.Choice(get_args(SpawnReading)), help="Users of a phase start evenly or in bunches.")
@click.option("--latency-clock", type=click.Choice(get_args(LatencyClock)), help="Whose latency a threshold is about.")
@click.option("--max-error-ratio", type=click.FloatRange(0, 1), help="Share of failures that ends the test.")
@click.option("--log-requests", type=REQUEST_SHARE, help="Keep this share of requests in requests.csv, such as 1%.")
@click.option("--gate", is_flag=True, help="Exit with 99 if a threshold was not met.")
@click.option("--strict", is_flag=True, help="Exit with 3 if the result cannot be trusted or is undecided.")
@click.option("--quiet", is_flag=True, help="Print nothing while it runs.")
@click.option("--json", "as_json", is_flag=True, help="Print summary.json instead of text.")
@ci_flags
@repeat_flags
@file_flags
@open_loop_flags
@worker_flags
@target_flags
def command(file: str, profile: str, **given: Any) -> None:
    """Run the load test of a job FILE (JSON or YAML): a CreateInferenceRecommendationsJob request, or a scenario."""
    given["thresholds"] = thresholds_of(given["thresholds"])
    job, spec = load_job(file, cast(Profile, profile), **permissions(given))
    with ExitStack() as scratch:
        plan = _with_samples(_plan(job, spec, given), spec, scratch, given["listen"] is not None)
        repeats = repeats_of(given, plan.target)
        if repeats is None:
            code = _run_plan(plan, job, spec, given)
        else:
            # Each is a run like any other, in a folder of its own.
            code = run_repeats(plan, repeats, given, spec.name, lambda p, g: _run_plan(p, job, spec, g))
    raise SystemExit(code)


def _run_plan(plan: Plan, job: JobFile, spec: JobSpec, given: Mapping[str, Any]) -> int:
    """Run it, print what came of it, return the exit code."""
    as_json, quiet = given["as_json"], given["quiet"]
    console = Console(stderr=True) if as_json else Console()
    for warning in spec.warnings:
        console.print(f"warning: {warning}", markup=False, highlight=False, style="yellow", soft_wrap=True)
    enough = fit_line(plan.target, plan.curve.peak, plan.stop, plan.arrivals, plan.workers)
    if enough and not quiet:
        console.print(f"machine: {enough}", markup=False, highlight=False, style="dim")
    listen = listen_of(given)
    env = {} if listen is None else token_env(given["token_file"], listen[0], "--listen")

    def drive(plan: Plan, folder: RunFolder) -> RunResult:
        view = LiveView(plan, console=console, quiet=quiet or as_json)
        return _drive(plan, spec, folder, view, listen, env).judged(given["thresholds"])

    result, path, missing = _run(plan, spec, given["output_dir"], confirm_of(given), drive)
    missing = {**missing, **more_files(result, path, given)}
    if as_json:
        click.echo(json.dumps({**summary_of(result), "output_dir": str(path)}, indent=2))
    else:
        console.print(summary(result, path))
    if missing:
        why = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        click.echo(f"not everything could be written to {path}: {why}", err=True)
    code = exit_code(result, gate=given["gate"] or job.loadtest.gate, strict=given["strict"])
    return code or (EXIT_NOT_WRITTEN if missing else 0)


def _with_samples(plan: Plan, spec: JobSpec, scratch: ExitStack, listening: bool) -> Plan:
    """The plan with the job's own sample payload, if it has one, no other was given, and the target would read it."""
    if plan.payload.path is not None or spec.sample_payload_url is None or plan.target.ref.startswith(("mock", "null")):
        return plan
    if listening:
        rule = "workers elsewhere cannot read the job's sample payload, which would be fetched to this machine alone"
        raise SpecError([Problem("--listen", spec.sample_payload_url, rule, "fetch it on each and give --payload")])
    from loadtest.payload.s3 import fetch_archive

    # Only now: whoever is killed leaves it behind.
    folder = Path(scratch.enter_context(TemporaryDirectory(prefix="loadtest-")))
    path = fetch_archive(spec.sample_payload_url, folder, plan.target.options)
    return replace(plan, payload=replace(plan.payload, path=str(path)))


def _plan(job: JobFile, spec: JobSpec, given: Mapping[str, Any]) -> Plan:
    """The plan of the file, with what the command line says instead."""
    if given["target"] and given["endpoint_name"]:
        problem = Problem("--endpoint-name", given["endpoint_name"], "--target is given too", "give one of them")
        raise SpecError([problem])
    names = [field for field in RunOptions.__dataclass_fields__ if given.get(field) is not None]
    flags_of = {name: f"--{name.removesuffix('_s').replace('_', '-')}" for name in names}
    if problems := [p for name in names if (p := check_option(name, given[name], flags_of[name])) is not None]:
        raise SpecError(problems)  # the same bounds as in a job file
    options = replace(job.loadtest.options, **{name: given[name] for name in names})
    flags = {name: value for name, value in given.items() if name.startswith("option_")}
    ref = f"sagemaker:{given['endpoint_name']}" if given["endpoint_name"] else given["target"]
    if ref is None:
        ref = job.loadtest.target or next((f"sagemaker:{name}" for name in spec.endpoints), None)
    target = ref and TargetRef(ref, {**job.loadtest.target_options, **target_options(flags)})
    return api.plan(
        spec,
        target=target,
        payload=given["payload"] or job.loadtest.payload_path,
        content_type=given["content_type"] or job.loadtest.content_type,
        options=options,
        workers=workers_of(given),
        arrivals=arrivals_of(given, options.seed),
        in_flight_limit=given["max_in_flight"],
    )


def _run(
    plan: Plan, spec: JobSpec, output_dir: str | None, confirm: Confirm | None, drive: Drive
) -> tuple[RunResult, Path, Mapping[str, str]]:
    """(the result, where its files are, those that could not be written and why)."""
    with _folder(plan, spec, output_dir) as folder:
        try:
            result = drive(plan, folder)
        except LoadtestError:
            folder.discard()
            raise
        if confirm is not None:
            result = confirmed(result, confirm, folder.path, drive)
        path = folder.finish(result)
        return result, path, dict(folder.missing)


def _drive(
    plan: Plan,
    spec: JobSpec,
    folder: RunFolder,
    view: LiveView,
    listen: tuple[str, int] | None,
    env: Mapping[str, str],
) -> RunResult:
    """The run of a plan, to its end or a signal; its windows and user changes go to `folder` as they come."""
    labels: dict[str, Any] = {
        "job": dict(spec.request),
        "label": spec.name,
        "info": _info(plan, spec),
        "not_run": _not_run(spec),
    }
    with view:

        def on_window(window: Window, progress: Mapping[str, Any]) -> None:
            folder.window(window)
            view(window, progress)

        def on_changes(changes: Sequence[UserChange]) -> None:
            folder.changes(changes)

        run = spawn.start(
            plan, on_window=on_window, on_changes=on_changes, on_news=view.say, env=env, listen=listen, **labels
        )
        with _signals(run, view):
            return _wait(run)


def _wait(run: spawn.Run) -> RunResult:
    while True:
        try:
            return run.result(LOOK_S)
        except TimeoutError:
            continue


@contextmanager
def _signals(run: spawn.Run, view: LiveView) -> Iterator[None]:
    """The first signal ends the run in order, the second at once."""
    seen = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            view.say("stopping: requests in flight are finished first; once more to end at once")
            run.stop()
        else:
            run.kill()

    before = {number: signal.signal(number, handle) for number in heeded("SIGINT", "SIGTERM", "SIGHUP")}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _folder(plan: Plan, spec: JobSpec, output_dir: str | None) -> RunFolder:
    try:
        return RunFolder(
            output_dir or DEFAULT_DIR,
            plan,
            created_at=time.time(),
            exact=output_dir is not None and not _holds_something(Path(output_dir)),
            job=dict(spec.request),
            label=spec.name,
            info=_info(plan, spec),
            environment=environment(),
        )
    except OSError as problem:
        where = output_dir or DEFAULT_DIR
        raise SpecError([Problem("--output-dir", where, f"cannot be written: {problem.strerror}")]) from problem


def _holds_something(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())


def _info(plan: Plan, spec: JobSpec) -> dict[str, Any]:
    """What the traffic went to, and what the job asked for that one target cannot stand for."""
    info: dict[str, Any] = {"target": plan.target.ref, "payload": plan.payload.path or "one small JSON document"}
    scheme, name = split_ref(plan.target.ref)
    if scheme in ("sagemaker", "boto3"):
        info["endpoint_name"] = name
    info["not_used"] = [asdict(each) for each in unused_members(spec.request, info.get("endpoint_name"))]
    if spec.configurations:
        info["not_provisioned"] = [test.label for test in spec.tests()[0] if test.configuration is not None]
    return info


def _not_run(spec: JobSpec) -> list[str]:
    """Tests over MaxNumberOfTests (T11)."""
    return [test.label for test in spec.tests()[1]]
