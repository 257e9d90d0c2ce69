"""What a plan needs before workers on other machines are waited for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_kit import plan_of

from loadtest.core.traffic.plan import PayloadSource
from loadtest.engine.cluster.handshake import TOKEN_VARIABLE
from loadtest.engine.parent.elsewhere import check_elsewhere
from loadtest.errors import SpecError

SECRET = {TOKEN_VARIABLE: "a token of twenty chars"}
PLAN = plan_of((0.0, 1), end_s=1.0, target="http://10.0.0.7/invocations")


@pytest.mark.parametrize(("host", "env"), [("127.0.0.1", {}), ("127.0.0.1", SECRET), ("0.0.0.0", SECRET)])
def test_what_will_do(host: str, env: dict[str, str]) -> None:
    check_elsewhere(PLAN, host, env)
    check_elsewhere(replace(PLAN, payload=PayloadSource("s3://bucket/key")), host, env)  # each fetches it by itself


def test_what_will_not() -> None:
    local = replace(PLAN, target=replace(PLAN.target, ref="mock:"))
    for plan, env, words in (
        (PLAN, {}, "there is no secret to tell them by"),
        (local, SECRET, "workers elsewhere do not reach this target"),
    ):
        with pytest.raises(SpecError, match=words) as found:
            check_elsewhere(plan, "0.0.0.0", env)
        assert found.value.problems[0].path == "--listen"
        assert found.value.problems[0].advice
