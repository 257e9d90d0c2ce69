"""What an existing endpoint is, before anything is sent to it: plain JSON values that are kept with the result.

Sources: API reference of DescribeEndpoint, DescribeEndpointConfig, ListInferenceComponents, and of Application Auto
Scaling's DescribeScalableTargets and DescribeScalingPolicies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from loadtest.aws.clients import UNANSWERED, Clients, aws_words, is_absent, is_unknown_sender, is_unreachable
from loadtest.aws.regions import misspelt
from loadtest.errors import TargetError

__all__ = ["counts_of", "inspect_endpoint", "scales"]

_SCALED = "sagemaker"  # ServiceNamespace


def inspect_endpoint(clients: Clients, name: str) -> dict[str, Any]:
    """The endpoint as it is now.

    name, status, variants (name, weight, instance_type, instance_count, serverless, managed_scaling, routing),
    components, scaling, metrics (period_s, enhanced: how often they are published, and whether invocations are, too),
    data_capture (percent, None: off), asynchronous, unknown: what nobody could be asked, and why.
    What may not be described is absent. Raises TargetError if there is no such endpoint, if it is not in service, and
    if the credentials are refused.
    """
    found: dict[str, Any] = {"name": name, "unknown": []}
    endpoint = _asked(found, lambda: clients.client().describe_endpoint(EndpointName=name), name, clients)
    if endpoint is None:
        return found
    if not {"EndpointStatus", "EndpointConfigName"} <= endpoint.keys():
        # Some address answers every request alike: a gateway, a stand-in of the runtime API alone.
        found["unknown"].append("DescribeEndpoint: the answer is none of SageMaker's")
        return found
    status = str(endpoint["EndpointStatus"])
    if status != "InService":
        why = f": {endpoint['FailureReason']}" if endpoint.get("FailureReason") else ""
        raise TargetError(f"the endpoint {name} is {status}, not InService{why}")
    found |= {"status": status, "configuration": endpoint["EndpointConfigName"]}
    capture = endpoint.get("DataCaptureConfig") or {}
    on = capture.get("CaptureStatus") == "Started" or bool(capture.get("EnableCapture"))
    found["data_capture"] = (
        (capture.get("CurrentSamplingPercentage") or capture.get("InitialSamplingPercentage")) if on else None
    )
    configured = _asked(
        found,
        lambda: clients.client().describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"]),
        name,
    )
    # First what the configuration says, over it what the endpoint itself does: weights and counts can be changed.
    present = {each["VariantName"]: each for each in endpoint.get("ProductionVariants", ())}
    given = {each["VariantName"]: each for each in (configured or {}).get("ProductionVariants", ())}
    found["variants"] = [_variant({**given.get(each, {}), **present.get(each, {})}) for each in {**given, **present}]
    if configured is not None:
        found["asynchronous"] = bool(configured.get("AsyncInferenceConfig"))
    found["shadow_variants"] = [each["VariantName"] for each in endpoint.get("ShadowProductionVariants", ())]
    components = _asked(found, lambda: clients.client().list_inference_components(EndpointNameEquals=name), name)
    if components is not None:
        found["components"] = [
            {"name": each["InferenceComponentName"], "status": each.get("InferenceComponentStatus")}
            for each in components.get("InferenceComponents", ())
        ]
    found["scaling"] = _scaling(found, clients, name)
    found["metrics"] = _metrics(endpoint.get("MetricsConfig") or (configured or {}).get("MetricsConfig") or {})
    return found


def _asked(
    found: dict[str, Any], ask: Callable[[], Mapping[str, Any]], name: str, first: Clients | None = None
) -> Mapping[str, Any] | None:
    """The answer; None: it was refused, which `found` then has. first: of the question that decides it all."""
    try:
        return ask()
    except UNANSWERED as problem:
        if is_unknown_sender(problem):
            raise TargetError(f"AWS does not take the credentials: {aws_words(problem)}") from problem
        if first is not None and is_absent(problem):
            raise TargetError(f"there is no endpoint {name} in {first.region}: {aws_words(problem)}") from problem
        words = aws_words(problem)
        if first is not None and is_unreachable(problem) and first.endpoint_url is None and misspelt(str(problem)):
            raise TargetError(f"AWS cannot be reached in {first.region}: {words}") from problem
        found["unknown"].append(words)
        return None


def _metrics(told: Mapping[str, Any]) -> dict[str, Any]:
    """As MetricsConfig has it: without enhanced metrics its period is that of the instances' metrics alone."""
    return {
        "period_s": int(told.get("MetricPublishFrequencyInSeconds") or 60),
        "enhanced": bool(told.get("EnableEnhancedMetrics")),
    }


def _variant(told: Mapping[str, Any]) -> dict[str, Any]:
    serverless = told.get("CurrentServerlessConfig") or told.get("ServerlessConfig")
    managed = told.get("ManagedInstanceScaling") or {}
    count = told.get("CurrentInstanceCount", told.get("InitialInstanceCount"))
    variant: dict[str, Any] = {
        "name": told["VariantName"],
        "model": told.get("ModelName"),
        "weight": told.get("CurrentWeight", told.get("InitialVariantWeight")),
        "instance_type": None if serverless else told.get("InstanceType"),
        "instance_count": None if serverless else count,
        "routing": (told.get("RoutingConfig") or {}).get("RoutingStrategy"),
    }
    if serverless:
        variant["serverless"] = {
            "memory_mb": serverless["MemorySizeInMB"],
            "max_concurrency": serverless["MaxConcurrency"],
            "provisioned": serverless.get("ProvisionedConcurrency"),
        }
    if managed.get("Status") == "ENABLED":
        variant["managed_scaling"] = {
            "min": managed.get("MinInstanceCount"),
            "max": managed.get("MaxInstanceCount"),
        }
    return variant


def _scaling(found: dict[str, Any], clients: Clients, name: str) -> list[dict[str, Any]]:
    """Scalable targets of the endpoint's variants and components, with their policies."""
    resources = [f"endpoint/{name}/variant/{each['name']}" for each in found["variants"]]
    resources += [f"inference-component/{each['name']}" for each in found.get("components", ())]
    if not resources:
        return []
    scaler = clients.client("application-autoscaling")
    asked = {"ServiceNamespace": _SCALED, "ResourceIds": resources}
    targets = _asked(found, lambda: scaler.describe_scalable_targets(**asked), name)
    scaling = []
    for target in (targets or {}).get("ScalableTargets", ()):
        resource = str(target["ResourceId"])
        policies = _asked(found, lambda of=resource: _policies(scaler, of), name) or {}  # type: ignore[misc]
        scaling.append(
            {
                "resource": resource,
                "min": target["MinCapacity"],
                "max": target["MaxCapacity"],
                "policies": [_policy(each) for each in policies.get("ScalingPolicies", ())],
            }
        )
    return scaling


def _policies(scaler: Any, resource: str) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = scaler.describe_scaling_policies(ServiceNamespace=_SCALED, ResourceId=resource)
    return answer


def _policy(told: Mapping[str, Any]) -> dict[str, Any]:
    tracking = told.get("TargetTrackingScalingPolicyConfiguration") or {}
    metric = (tracking.get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType")
    return {
        "name": told["PolicyName"],
        "type": told["PolicyType"],
        "metric": metric,
        "target": tracking.get("TargetValue"),
    }


def scales(found: Mapping[str, Any]) -> bool:
    """Whether its instances may change during a run by themselves."""
    return bool(found.get("scaling")) or any("managed_scaling" in each for each in found.get("variants", ()))


def counts_of(clients: Clients, name: str) -> dict[str, int]:
    """Instances in service by variant, now. Raises one of UNANSWERED."""
    endpoint = clients.client().describe_endpoint(EndpointName=name)
    variants = endpoint.get("ProductionVariants", ())
    return {each["VariantName"]: each["CurrentInstanceCount"] for each in variants if "CurrentInstanceCount" in each}
