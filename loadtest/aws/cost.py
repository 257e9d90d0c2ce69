"""What an endpoint costs while it is there, from the known prices: estimates, and said to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from loadtest.jobs.instances import Catalogue
from loadtest.jobs.prices import Prices

__all__ = ["cost_lines", "known_prices"]


def known_prices(region: str) -> Prices:
    """Those that recommendations are made with in a region; of another than us-east-1 only what was updated."""
    return Prices.known(Catalogue.built_in(), region)


def cost_lines(found: Mapping[str, Any], hours: float, prices: Prices) -> Iterator[str]:
    """What the endpoint of `inspect_endpoint` costs in `hours`, a line per variant; without a run, too."""
    for variant in found.get("variants", ()):
        serverless, kind, count = variant.get("serverless"), variant["instance_type"], variant["instance_count"]
        if serverless is not None:
            usd = prices.serverless_gb_second_usd
            gb = serverless["memory_mb"] / 1024
            yield f"{variant['name']}: serverless, {gb:g} GB: " + (
                "no price is known" if usd is None else f"{usd * gb:.3g} USD for each second of an invocation"
            )
        elif kind is None or count is None:
            yield f"{variant['name']}: what it runs on is not known"
        elif (usd := prices.per_hour(kind)) is None:
            yield f"{variant['name']}: {count} x {kind}, no price is known"
        else:
            yield f"{variant['name']}: {count} x {kind}, {usd * count * hours:.4f} USD in that time (list price)"
