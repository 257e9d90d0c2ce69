"""What workers on other machines need before a run listens for them."""

from __future__ import annotations

from collections.abc import Mapping

from loadtest.core.traffic.plan import Plan
from loadtest.engine.cluster.handshake import TOKEN_VARIABLE, check_token
from loadtest.errors import Problem, SpecError

__all__ = ["check_elsewhere"]


def check_elsewhere(plan: Plan, host: str, env: Mapping[str, str]) -> None:
    """Return if workers that join at `host` can run `plan`. env: of the run's processes, with the secret.

    Raises SpecError for a mock that they do not reach, or without a secret where others than this machine could take
    part.
    """
    check_token(env.get(TOKEN_VARIABLE, ""), host, "--listen")
    if plan.target.is_mock:
        advice = "start `loadtest mock --host ...` and give its address: --target http://HOST:PORT/invocations"
        raise SpecError([Problem("--listen", plan.target.ref, "workers elsewhere do not reach this target", advice)])
