"""Measures how much load this machine can generate: to nothing at all, and to a mock that answers at once."""

from __future__ import annotations

import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from loadtest.calibration.fit import Calibration, Ceiling, PathName, ceiling_of
from loadtest.core.measure.window import Window
from loadtest.core.request.spec import RunOptions, StopConditions
from loadtest.core.traffic.curve import Step, TrafficCurve
from loadtest.core.traffic.plan import Plan, TargetRef
from loadtest.endpoint.settings import MockSettings
from loadtest.engine.parent.environment import environment
from loadtest.engine.parent.spawn import MOCK_ENV, start
from loadtest.errors import EngineError
from loadtest.mock.process import MockProcess

__all__ = ["measure"]

USERS = 50  # more of them add nothing but queueing
SINGLE_SHARE = 1 / 3  # of a path's time: one user alone, for the latency that is added
# The null target has one user: it never waits, so a second one would only take turns with it.
PATHS: tuple[tuple[PathName, float, int], ...] = (("null", 0.2, 1), ("http", 0.4, USERS), ("https", 0.4, USERS))
WINDOWS = 24  # of a path
_OPENSSL_S = 20.0


def measure(
    seconds: float,
    on_ceiling: Callable[[Ceiling], None] = lambda _: None,
    on_path: Callable[[PathName], None] = lambda _: None,
) -> Calibration:
    """Measure every path for `seconds` together; processes take some more to start.

    on_path: called before a path is measured; on_ceiling: with each result as it is there. Raises EngineError if a
    generator or the mock cannot be started or nothing could be measured; a path that is left out (TLS without the
    `openssl` program) is named in the result.
    """
    ceilings: list[Ceiling] = []
    not_measured: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loadtest-calibrate-")))
        for path, share, users in PATHS:
            tls = _certificate(folder) if path == "https" else None
            if path == "https" and tls is None:
                not_measured[path] = "the program openssl, which makes a throwaway certificate, is not here or failed"
                continue
            on_path(path)
            ceiling = _ceiling(path, share * seconds, users, tls)
            on_ceiling(ceiling)
            ceilings.append(ceiling)
    return Calibration(time.time(), platform.node(), environment(), tuple(ceilings), not_measured)


def _ceiling(path: PathName, length_s: float, users: int, tls: tuple[str, str] | None) -> Ceiling:
    with ExitStack() as stack:
        target = TargetRef("null:")
        if path != "null":
            mock = stack.enter_context(MockProcess(MockSettings(servers=10 * users, service_ms=0), tls=tls))
            options = {"region": "us-east-1", "endpoint_url": mock.url, "ca_file": tls and tls[0]}
            target = TargetRef("sagemaker:calibrate", options)
        single_s = SINGLE_SHARE * length_s
        steps = (Step(0.0, 1), Step(single_s, users)) if users > 1 else (Step(0.0, 1),)
        plan = Plan(
            curve=TrafficCurve(steps, length_s),
            stop=StopConditions(flat_stops=False),
            target=target,
            options=RunOptions(window_s=max(0.05, length_s / WINDOWS), drain_s=2.0),
        )
        result = start(plan, env=MOCK_ENV).result()
    # The null target leaves the loop little time, so its windows may be late and few.
    first_s = single_s if users > 1 else 0.0
    try:
        return ceiling_of(
            path, users, _settled(result.windows, 0.0, single_s), _settled(result.windows, first_s, length_s)
        )
    except ValueError as problem:
        errors = ", ".join(result.totals.counts.details) or "no request failed"
        raise EngineError(f"the path {path} could not be measured: {problem}; {errors}") from problem


def _settled(windows: Sequence[Window], start_s: float, end_s: float) -> list[Window]:
    """The windows of a stage, without the one in which its connections were opened if there are others."""
    inside = [window for window in windows if start_s <= window.start_s and window.start_s < end_s]
    return inside[1:] or inside


def _certificate(folder: Path) -> tuple[str, str] | None:
    """(certificate, key) of 127.0.0.1 for a day; None: there is no openssl, or it failed."""
    program = shutil.which("openssl")
    if program is None:
        return None
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", key, "-out", cert, "-days", "1", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_OPENSSL_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else (cert, key)
