"""What the endpoints of a job may cost: counted from their creation to their end, by known prices, and a hard stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from loadtest.aws.regular import Regular
from loadtest.core.request.spec import EndpointConfiguration
from loadtest.errors import TargetError
from loadtest.jobs.prices import Prices

__all__ = ["Budget", "hourly_usd", "no_price"]

LOOK_S = 0.5
RESERVE_S = 180.0  # what runs needs to drain and to be deleted


def hourly_usd(configuration: EndpointConfiguration, prices: Prices) -> float | None:
    """Of one instance; of a serverless endpoint, if all of its concurrency were busy. None: no price is known."""
    serverless = configuration.serverless
    if serverless is None:
        return prices.per_hour(configuration.instance_type or "")
    if prices.serverless_gb_second_usd is None:
        return None
    return prices.serverless_gb_second_usd * serverless.memory_mb / 1024 * serverless.max_concurrency * 3600


def no_price(configurations: Iterable[EndpointConfiguration], region: str) -> str:
    """Why nothing is made of what has no price."""
    what = ", ".join(dict.fromkeys(each.instance_type or "serverless endpoints" for each in configurations))
    advice = f"give --prices FILE, or run `loadtest prices --update --region {region}`"
    return f"no price of {what} in {region} is known, so no budget can hold: {advice}"


class Budget:
    """What endpoints may cost. Thread-safe. usd: of all endpoints together.

    AWS bills from when an endpoint is in service; counted here is from its creation, which is never less.
    """

    def __init__(self, usd: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self.usd = usd
        self._now_s = now_s
        self._lock = threading.Lock()
        self._past_usd = 0.0
        # Since when it costs (None: not yet), USD an hour, how to stop it.
        self._open: dict[str, tuple[float | None, float, Callable[[], None]]] = {}
        self._used_up = False
        self._refused = False
        self._looking = Regular(self.look, LOOK_S, "budget")

    @property
    def used_up(self) -> bool:
        """Everything was stopped for it, and nothing more is made."""
        return self._used_up

    @property
    def cut_short(self) -> bool:
        """It was used up, or there was not enough left for another endpoint."""
        return self._used_up or self._refused

    @property
    def spent_usd(self) -> float:
        """An estimate, so far."""
        with self._lock:
            return self._spent()

    def begin(self, name: str, usd_per_hour: float, stop: Callable[[], None]) -> None:
        """An endpoint is to be made, and costs from `created` on. stop: called, once, when the budget is used up.

        Raises TargetError if there is no money for more than its end.
        """
        with self._lock:
            open_usd = sum(rate for _, rate, _ in self._open.values()) + usd_per_hour
            if self._used_up or self._spent() + open_usd * RESERVE_S / 3600 >= self.usd:
                self._refused = True
                spent = f"{self._spent():.4f} of {self.usd:g} USD are spent"
                raise TargetError(f"the budget is used up: {spent}, another endpoint costs {usd_per_hour:g} an hour")
            self._open[name] = (None, usd_per_hour, stop)

    def created(self, name: str) -> None:
        """It is being created from now on."""
        with self._lock:
            _, rate, stop = self._open[name]
            self._open[name] = (self._now_s(), rate, stop)

    def end(self, name: str) -> None:
        """It is gone."""
        with self._lock:
            since_s, rate, _ = self._open.pop(name, (None, 0.0, lambda: None))
            self._past_usd += self._cost(since_s, rate)

    def look(self) -> None:
        """Stop everything if what is spent, and the end of what is there, reach the budget."""
        with self._lock:
            ahead = sum(rate for _, rate, _ in self._open.values()) * RESERVE_S / 3600
            if self._used_up or not self._open or self._spent() + ahead < self.usd:
                return
            self._used_up = True
            stops = [stop for _, _, stop in self._open.values()]
        for stop in stops:
            stop()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look twice a second."""
        self._looking.start()
        try:
            yield
        finally:
            self._looking.end()

    def _spent(self) -> float:
        return self._past_usd + sum(self._cost(since_s, rate) for since_s, rate, _ in self._open.values())

    def _cost(self, since_s: float | None, usd_per_hour: float) -> float:
        return 0.0 if since_s is None else (self._now_s() - since_s) * usd_per_hour / 3600
