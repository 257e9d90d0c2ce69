"""The verb for programs that search for a capacity: `loadtest.capacity`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from loadtest.api import Job, ReadJob, own_choices, plan_job, read_job
from loadtest.core.measure.window import Window
from loadtest.core.request.search import By
from loadtest.core.request.spec import Profile
from loadtest.core.result.result import RunResult
from loadtest.core.traffic.plan import TargetRef
from loadtest.engine import sim
from loadtest.engine.parent import spawn
from loadtest.jobfile.compose import Wish, compose
from loadtest.jobfile.jobfile import ScenarioOptions
from loadtest.jobfile.objective import search_of
from loadtest.jobfile.search_wish import SearchWish
from loadtest.targets.reference import check_target_ref

__all__ = ["capacity", "is_target", "target_job"]

_STAND_IN = "1x1/120s"  # a request has traffic; a search takes its place


def capacity(
    what: Job,
    *,
    thresholds: Sequence[str] = (),
    by: By | None = None,
    within: float | None = None,
    confidence: float | None = None,
    budget_s: float | None = None,
    max_users: int | None = None,
    max_rate_per_s: float | None = None,
    virtual: bool = False,
    on_window: Callable[[Window], None] | None = None,
    profile: Profile = "relaxed",
    **choices: Any,
) -> RunResult:
    """Search for the largest load that meets the objective; the answer is the result's `capacity`.

    what: a job, whose own thresholds are the objective, or a target reference such as `sagemaker:my-endpoint`.
    thresholds: more of them, `p95<200ms`, `error_rate<1%`; all must hold. by: users (default), or the rate of requests.
    within, confidence: of the interval, shares; 0.05 and 0.95 by default. budget_s: 600 by default. virtual: in virtual
    time, against the model of a `mock:` target. choices: as for `plan`. Errors as for `start`.
    """
    chosen = dict(choices)
    plugins, root = chosen.pop("allow_plugins", ()), chosen.pop("payload_root", "")
    if isinstance(what, str) and is_target(what):
        read = target_job(what, profile)
    else:
        read = read_job(what, profile=profile, plugins=plugins, payload_root=root, own=own_choices(chosen))
    wish = SearchWish(tuple(thresholds), by, within, confidence, budget_s, max_users, max_rate_per_s)
    plan = plan_job(read, search=search_of(read.spec, read.scenario, wish), **chosen)
    labels: dict[str, Any] = {"job": dict(read.spec.request), "label": read.spec.name}
    if virtual:
        return sim.simulate(plan, on_window=on_window, **labels)
    call = None if on_window is None else (lambda window, _progress: on_window(window))
    return spawn.start(plan, on_window=call, **labels).result()


def is_target(text: str) -> bool:
    """It is no job file: nothing lies there, and it does not end as one."""
    path = Path(text)
    return not path.exists() and path.suffix.lower() not in (".json", ".yaml", ".yml")


def target_job(ref: str, profile: Profile) -> ReadJob:
    """A job that stands for a bare target; its traffic is a stand-in. Raises SpecError for a wrong reference."""
    check_target_ref(TargetRef(ref))
    _, spec = compose(Wish(target=ref, stairs=_STAND_IN), profile)
    return ReadJob(spec, ScenarioOptions(target=ref))
