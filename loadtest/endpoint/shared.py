"""An endpoint whose production variants share its requests by their weights: each request goes to one model. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from loadtest.endpoint.latency import Answer, LatencyModel

__all__ = ["SharedModel"]


class SharedModel:
    """Draws a variant for each request, from a seed. shares: (weight, model); if all weights are 0 they are equal."""

    def __init__(self, shares: Sequence[tuple[float, LatencyModel]], seed: int) -> None:
        weights = [weight for weight, _ in shares]
        self._weights = weights if any(weights) else None
        self._models = [model for _, model in shares]
        self._random = Random(f"variant {seed}")

    def arrive(self, at_s: float) -> Answer:
        """As `LatencyModel.arrive`."""
        (model,) = self._random.choices(self._models, self._weights)
        return model.arrive(at_s)
