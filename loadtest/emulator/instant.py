"""DescribeModel.DeploymentRecommendation: instance types for a model without a load test.

AWS makes them when a model is created. Here they come from the fleet file's performance model, at every question: the
types that a Default job would try, by what an inference costs on an instance that is fully used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

from loadtest.errors import LoadtestError
from loadtest.jobs.fleet import Fleet
from loadtest.jobs.models import ModelFacts, ModelReader

__all__ = ["deployment_recommendation", "instant_recommendations"]

MAX_RECOMMENDATIONS = 3  # RealTimeInferenceRecommendations of the service model


def instant_recommendations(
    fleet: Fleet, reader: ModelReader
) -> dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]:
    """What the application adds to SageMaker's answers: see `Application`."""

    def completed(model: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"DeploymentRecommendation": deployment_recommendation(model, fleet, reader), **model}

    return {"DescribeModel": completed}


def deployment_recommendation(model: Mapping[str, Any], fleet: Fleet, reader: ModelReader) -> dict[str, Any]:
    """The member for a model that DescribeModel describes so. reader: of what is known of its package.

    The cheapest comes first; NOT_APPLICABLE for a pipeline of several containers, and if the model fits nowhere.
    """
    name = str(model.get("ModelName", ""))
    containers = model.get("Containers") or ([model["PrimaryContainer"]] if model.get("PrimaryContainer") else [])
    if len(containers) != 1:
        return {"RecommendationStatus": "NOT_APPLICABLE"}
    facts = reader(name) or ModelFacts()
    environment = {**facts.environment, **(containers[0].get("Environment") or {})}
    costs: dict[str, float] = {}
    for instance_type in facts.instance_types or fleet.file.candidates_for(facts):
        price = fleet.prices.per_hour(instance_type)
        try:
            behaviour = fleet.behaviour(facts, instance_type, None, environment)
        except LoadtestError:  # it does not fit there, or there is no such type
            continue
        if price is not None:
            costs[instance_type] = price * behaviour.service_ms / behaviour.servers
    if not costs:
        return {"RecommendationStatus": "NOT_APPLICABLE"}
    return {
        "RecommendationStatus": "COMPLETED",
        "RealTimeInferenceRecommendations": [
            {"RecommendationId": f"{name}/{_id(name, each)}", "InstanceType": each, "Environment": {}}
            for each in sorted(costs, key=lambda each: (costs[each], each))[:MAX_RECOMMENDATIONS]
        ],
    }


def _id(name: str, instance_type: str) -> str:
    """Eight letters and digits, the same at every question."""
    return blake2b(f"{name} {instance_type}".encode(), digest_size=4).hexdigest()
