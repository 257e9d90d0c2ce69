"""How many requests a second a job can come to, as far as that is known before it runs."""

from __future__ import annotations

from loadtest.calibration.fit import Demand
from loadtest.core.request.spec import StopConditions
from loadtest.core.traffic.arrivals import Arrivals
from loadtest.core.traffic.plan import TargetRef
from loadtest.endpoint.latency import LatencyModel
from loadtest.endpoint.samples import read_samples
from loadtest.endpoint.settings import MockSettings
from loadtest.errors import SpecError

__all__ = ["demand_of"]


def demand_of(
    target: TargetRef | None, peak_users: int, stop: StopConditions, arrivals: Arrivals | None = None
) -> Demand | None:
    """The demand of a job on `target`; None: nothing says.

    An open workload's rate is given. Users send as fast as they are answered, so theirs depends on the endpoint: a
    mock's is known by theory, min(users, servers) / service time; for any other endpoint there is only the job's goal
    (MaxInvocations), at which it stops.
    """
    if arrivals is not None:
        return Demand(arrivals.rate_per_s, "--rate", estimate=False)
    if target is not None and target.is_mock:
        per_s = _mock_per_s(target.rest, peak_users)
        if per_s is not None:
            return Demand(per_s, "the mock's service time")
    if stop.max_invocations_per_min is not None:
        return Demand(stop.max_invocations_per_min / 60, "MaxInvocations")
    return None


def _mock_per_s(mock: str, peak_users: int) -> float | None:
    try:
        settings = MockSettings.parse(mock)
        samples = read_samples(settings.samples) if settings.samples else ()
    except SpecError:
        return None  # whoever opens the target says what is wrong with it
    service_s = LatencyModel(settings, samples).mean_service_s
    return min(peak_users, settings.servers) / service_s if service_s else None
