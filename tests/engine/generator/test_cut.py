"""Requests that are still under way when the drain ends are counted once, as CUT."""

from __future__ import annotations

import pytest
from engine_kit import plan_of

from loadtest.core.judge.decision import Reason
from loadtest.endpoint.settings import MockSettings
from loadtest.engine.parent.spawn import MOCK_ENV, start
from loadtest.mock.process import MockProcess


@pytest.mark.live
def test_a_request_is_answered_or_cut_and_never_both() -> None:
    """Answers come all the time, so some come in the middle of the cut."""
    with MockProcess(MockSettings(servers=600, service_ms=1000, law="exponential")) as mock:
        plan = plan_of((0.0, 600), end_s=1.0, target="sagemaker:mock", drain_s=0.3, window_s=0.5)
        result = start(plan, env={**MOCK_ENV, **OPTIONS, "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": mock.url}).result(60)
        requests = mock.statistics()["requests"]
    assert result.reason is Reason.CURVE_END
    assert result.totals.cut > 100
    assert result.totals.errors == result.totals.cut
    assert result.totals.completed == requests


OPTIONS = {"AWS_DEFAULT_REGION": "us-east-1", "NO_PROXY": "127.0.0.1"}
