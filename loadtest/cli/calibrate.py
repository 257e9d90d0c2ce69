"""`loadtest calibrate`: how much load this machine can generate; and what that says about a job."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
from rich.console import Console

from loadtest.calibration import store as calibration_store
from loadtest.calibration.demand import demand_of
from loadtest.calibration.fit import COMFORT, Ceiling, fit, path_of
from loadtest.calibration.measure import measure
from loadtest.core.request.spec import StopConditions
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.plan import TargetRef
from loadtest.engine.parent.environment import environment
from loadtest.errors import Problem, SpecError
from loadtest.report.busy import busy
from loadtest.report.words import milliseconds, number

__all__ = ["command", "fit_line"]

_NAMES = {"null": "generator alone", "http": "signed, plain HTTP", "https": "signed, TLS"}


@click.command(name="calibrate")
@click.option(
    "--seconds",
    type=click.FloatRange(2, 600),
    default=6.0,
    show_default=True,
    help="Of measuring; starting the processes takes some more.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the stored JSON instead of text.")
def command(seconds: float, as_json: bool) -> None:
    """Measure how many requests a second this machine can send, and keep it for `preview` and `run`.

    All traffic stays on this machine: to nothing at all, then to a mock endpoint that answers at once, without and with
    TLS.
    """
    console = Console()

    def show(ceiling: Ceiling) -> None:
        if not as_json:
            console.print("  ".join(_cells(ceiling)), markup=False, highlight=False, soft_wrap=True)

    with busy(console, "starting", plain=as_json) as doing:
        calibration = measure(seconds, show, lambda path: doing(f"measuring {_NAMES[path]}"))
    try:
        path = calibration_store.save(calibration)
    except OSError as problem:
        where = str(calibration_store.calibration_file())
        raise SpecError([Problem("XDG_CACHE_HOME", where, f"cannot be written: {problem.strerror}")]) from problem
    if as_json:
        click.echo(json.dumps({**calibration.to_dict(), "path": str(path)}, indent=2))
        return
    for name, why in calibration.not_measured.items():
        click.echo(f"{_NAMES[name]:20} not measured: {why}")
    click.echo(f"kept in {path}")


def fit_line(
    target: TargetRef | None,
    peak_users: int,
    stop: StopConditions,
    arrivals: Arrivals | None = None,
    workers: int = 1,
) -> str | None:
    """Whether this machine is enough for a job, by its calibration; None: not known (no calibration, no estimate)."""
    calibration = calibration_store.load()
    demand = demand_of(target, peak_users, stop, arrivals)
    if calibration is None or demand is None:
        return None
    path = "https" if target is None else path_of(target)
    ceiling = None if path is None else calibration.ceiling(path)
    if ceiling is None:
        return None
    cores = int(environment()["cores"])
    found = fit(ceiling, demand, workers, cores)
    estimate = f" (an estimate from {demand.source})" if demand.estimate else ""
    needs = f"needs up to {number(round(demand.per_s, 1))} req/s{estimate}"
    does = f"this machine does {number(round(ceiling.per_core_per_s))} req/s a core, {_NAMES[ceiling.path]}"
    if found.enough:
        return f"{needs}; {does}: fine"
    if found.workers is not None:
        return f"{needs}; {does}: give it --workers {found.workers}, so that each stays below {COMFORT:.0%} of a core"
    return f"{needs}; {does}, and has {cores}: too little, join generators of other machines"


def _cells(ceiling: Ceiling) -> Iterator[str]:
    yield f"{_NAMES[ceiling.path]:20}"
    yield f"{number(round(ceiling.per_core_per_s)):>9} req/s a core"
    if ceiling.path == "null":
        yield f"+{1e6 / ceiling.per_core_per_s:.1f} us of CPU a request"
        return
    yield f"+{milliseconds(ceiling.added_p50_ms)} ms p50, +{milliseconds(ceiling.added_p99_ms)} ms p99 for one user"
    yield f"measured {number(round(ceiling.per_s))} req/s with {ceiling.users} users at {ceiling.cpu:.0%} of a core"
