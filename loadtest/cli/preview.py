"""`loadtest preview`: what a job would do, without doing it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, cast, get_args

import click

import loadtest.api as api
from loadtest.cli.calibrate import fit_line
from loadtest.cli.file_flags import file_flags, permissions
from loadtest.core.request.spec import JobSpec, Profile, RunOptions, SpawnReading, Stairs, StairsReading
from loadtest.core.traffic.chart import draw
from loadtest.core.traffic.curve import TrafficCurve, curve_of

__all__ = ["command"]

_WIDTH, _HEIGHT = 60, 12
_MAX_TESTS_LISTED = 30


@click.command(name="preview")
@click.argument("file", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option(
    "--profile",
    type=click.Choice(get_args(Profile)),
    default="relaxed",
    show_default=True,
    help="aws: everything the service bounds; relaxed: its capacity bounds only warn.",
)
@click.option(
    "--stairs-duration",
    type=click.Choice(get_args(StairsReading)),
    help="Stairs.DurationInSeconds is of all steps or of each.  [default: the file's, else total]",
)
@click.option(
    "--spawn",
    type=click.Choice(get_args(SpawnReading)),
    help="Users of a phase start evenly or once a minute.  [default: the file's, else smooth]",
)
@file_flags
def command(
    file: str, as_json: bool, profile: str, stairs_duration: str | None, spawn: str | None, **given: Any
) -> None:
    """Show the traffic, the tests and the readings of a job FILE (JSON or YAML) without running it."""
    job = api.read_job(file, profile=cast(Profile, profile), **permissions(given))
    spec = job.spec
    given = {"stairs_duration": stairs_duration, "spawn": spawn}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    options = dataclasses.replace(job.scenario.options, **chosen)
    curve = None if spec.traffic is None else curve_of(spec.traffic, options)
    if as_json:
        click.echo(json.dumps(_summary(spec, curve, options, profile), indent=2))
    else:
        click.echo("\n".join([*_text(spec, curve, options), *_machine(job, curve)]))


def _summary(spec: JobSpec, curve: TrafficCurve | None, options: RunOptions, profile: str) -> dict[str, Any]:
    """The JSON form; a job without a curve has no steps, and null for the peak and the end."""
    run, left_out = spec.tests()
    return {
        "steps": [[step.at_s, step.users] for step in curve.steps] if curve else [],
        "peak_users": curve.peak if curve else None,
        "end_s": curve.end_s if curve else None,
        "tests": [test.label for test in run],
        "tests_not_run": [test.label for test in left_out],
        "effective": {
            "profile": profile,
            "job_type": spec.job_type,
            "job_duration_s": spec.duration_s,
            **dataclasses.asdict(options),
        },
        "warnings": [str(warning) for warning in spec.warnings],
    }


def _text(spec: JobSpec, curve: TrafficCurve | None, options: RunOptions) -> list[str]:
    lines = [f"{spec.name}: {spec.job_type} job", ""]
    if curve is None:
        lines.append(
            "A Default job has no traffic pattern of its own, so there is no curve to show: the load is raised on"
        )
        lines.append("each instance until its throughput is flat or 1 % of the requests fail.")
    else:
        lines += [*draw(curve, _WIDTH, _HEIGHT).splitlines(), ""]
        lines += [f"peak    {_users(curve.peak)}", f"length  {_duration(curve.end_s)}"]
    lines += ["", *_tests(spec)]
    if spec.traffic is not None:
        lines += ["", "readings", *_readings(spec, options)]
    if spec.warnings:
        lines += ["", "warnings", *(f"  {warning}" for warning in spec.warnings)]
    return lines


def _machine(job: api.ReadJob, curve: TrafficCurve | None) -> list[str]:
    """Whether this machine is enough for the traffic, where that can be said."""
    if curve is None:
        return []
    line = fit_line(job.target(), curve.peak, job.spec.stop)
    return ["", f"machine {line}"] if line else []


def _tests(spec: JobSpec) -> list[str]:
    run, left_out = spec.tests()
    if not run and not left_out:
        return ["tests   one for each instance that is chosen when the job runs"]
    lines = [f"tests   {len(run)}"]
    lines += [f"  {number}. {_printable(test.label)}" for number, test in enumerate(run[:_MAX_TESTS_LISTED], 1)]
    if len(run) > _MAX_TESTS_LISTED:
        lines.append(f"  ... and {len(run) - _MAX_TESTS_LISTED} more")
    if left_out:
        lines.append(f"not run {len(left_out)}, over MaxNumberOfTests, {spec.max_tests}")
        lines += [f"  - {_printable(test.label)}" for test in left_out[:_MAX_TESTS_LISTED]]
        if len(left_out) > _MAX_TESTS_LISTED:
            lines.append(f"  ... and {len(left_out) - _MAX_TESTS_LISTED} more")
    return lines


def _readings(spec: JobSpec, options: RunOptions) -> list[str]:
    """How each member was read whose meaning the API leaves open, and what the other reading would give."""
    lines = []
    if isinstance(spec.traffic, Stairs):
        length = {"total": "of all steps together", "per-step": "of each step"}[options.stairs_duration]
        lines.append(f"  stairs duration: {options.stairs_duration} (DurationInSeconds is the length {length})")
        lines += _other(spec, options, stairs_duration=_other_of(StairsReading, options.stairs_duration))
        lines.append("  stairs users: the first step starts at once with UsersPerStep users")
    else:
        when = {"smooth": "spread evenly over each minute", "per-minute": "all at once at each full minute"}[
            options.spawn
        ]
        lines.append(f"  spawn: {options.spawn} (SpawnRate is users per minute, {when})")
        lines += _other(spec, options, spawn=_other_of(SpawnReading, options.spawn))
        lines.append("  initial users: the number of users at the start of the phase, not added to those running")
    lines.append(f"  flat invocations: {'Stop' if spec.stop.flat_stops else 'Continue'}")
    if spec.stop.latency is not None:
        limit = spec.stop.latency
        lines.append(f"  latency: {limit.name} at most {limit.limit_ms} ms, {_CLOCKS[options.latency_clock]}")
    if spec.stop.max_invocations_per_min is not None:
        rate, span_s = spec.stop.max_invocations_per_min, options.rate_window_s
        lines.append(f"  max invocations: {rate} per minute, as a rate over {span_s:g} s, not a total")
    if spec.duration_s is not None:
        lines.append(f"  job duration: a hard limit of {_duration(spec.duration_s)} for all tests of the job")
    return lines


_CLOCKS = {
    "auto": "on the endpoint's clock where it tells its time, else on the client's",
    "client": "on the client's clock",
    "model": "on the endpoint's clock",
}


def _other_of(readings: Any, reading: str) -> str:
    return next(str(other) for other in get_args(readings) if other != reading)


def _other(spec: JobSpec, options: RunOptions, **reading: Any) -> list[str]:
    """One line on the other reading; none if it gives the same curve."""
    assert spec.traffic is not None
    curve, other = curve_of(spec.traffic, options), curve_of(spec.traffic, dataclasses.replace(options, **reading))
    if curve == other:
        return []
    (name,) = reading.values()
    return [f"    {name} would give: peak {_users(other.peak)}, {_duration(other.end_s)}, {_changes(other)}"]


def _changes(curve: TrafficCurve) -> str:
    if len(curve.steps) == 1:
        return "no change"
    first = curve.steps[1]
    return f"first change at {first.at_s:g} s to {_users(first.users)}"


def _users(count: int) -> str:
    return f"{count} user{'s' if count != 1 else ''}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:g} s"
    minutes, rest_s = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{rest_s:g} s" if rest_s else ""]
    return f"{seconds:g} s ({' '.join(part for part in parts if part)})"


def _printable(text: str) -> str:
    """Labels hold what the file holds: no control character of it may reach the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
