"""An endpoint that was there before the run, in words: what it was, what it did meanwhile, how it answered at first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from loadtest.core.result.result import RunResult
from loadtest.report.words import duration, milliseconds, plural

__all__ = ["endpoint_lines", "endpoint_words"]

_WARM_UP: Mapping[str, str] = {
    "ok": "answered",
    "cold": "found a model that was still loading (cold, not throttled)",
    "model-error": "got a model error",
    "dependency": "failed for a service behind SageMaker",
    "failed": "failed",
}


def endpoint_lines(result: RunResult) -> Iterator[str]:
    """Nothing if it was not asked for."""
    found = result.info.get("existing_endpoint")
    if found:
        yield from endpoint_words(found)
        yield from _changes(found, result.started_at)


def endpoint_words(found: Mapping[str, Any]) -> Iterator[str]:
    """A line per thing that matters to what is measured. found: of loadtest.aws.endpoint, with `warm_up`."""
    for variant in found.get("variants", ()):
        yield _variant(variant)
    if found.get("asynchronous"):
        yield "it is asynchronous: InvokeEndpoint is not how it is used"
    if components := found.get("components"):
        yield f"inference components: {', '.join(str(each['name']) for each in components)}"
    for each in found.get("scaling", ()):
        policies = ", ".join(_policy(policy) for policy in each["policies"]) or "no policy"
        yield f"it scales: {each['resource']}, {each['min']} to {each['max']}, {policies}; its instances are watched"
    if found.get("data_capture") is not None:
        yield f"data capture is on ({found['data_capture']} % of requests), which costs the endpoint time"
    metrics = found.get("metrics") or {}
    if metrics.get("enhanced") or metrics.get("period_s", 60) != 60:
        of = "all of its metrics" if metrics.get("enhanced") else "its instances' metrics"
        yield f"CloudWatch gets {of} every {metrics['period_s']} s"
    if shadows := found.get("shadow_variants"):
        yield f"shadow variants get copies of the requests: {', '.join(shadows)}"
    if (warm := found.get("warm_up")) is not None:
        words = f": {warm['words']}" if warm["words"] else ""
        yield f"a warm-up request {_WARM_UP[warm['answer']]} after {milliseconds(warm['ms'])} ms{words}"
    for unknown in found.get("unknown", ()):
        yield f"not known: {unknown}"


def _variant(variant: Mapping[str, Any]) -> str:
    facts = [f"weight {variant['weight']:g}" if variant.get("weight") is not None else ""]
    if (serverless := variant.get("serverless")) is not None:
        kind = f"serverless, {serverless['memory_mb']} MB, {serverless['max_concurrency']} at once"
        provisioned = serverless.get("provisioned")
        facts.append(f"{provisioned} provisioned" if provisioned else "")
    else:
        kind = f"{variant.get('instance_count') or '?'} x {variant.get('instance_type') or 'an unknown type'}"
    if (managed := variant.get("managed_scaling")) is not None:
        facts.append(f"managed scaling from {managed['min']} to {managed['max']}")
    if variant.get("routing"):
        facts.append(f"routing {variant['routing']}")
    return ", ".join([f"variant {variant['name']}: {kind}", *filter(None, facts)])


def _policy(policy: Mapping[str, Any]) -> str:
    if policy.get("target") is None:
        return str(policy["type"])
    return f"{policy.get('metric') or 'a custom metric'} at {policy['target']:g}"


def _changes(found: Mapping[str, Any], started_at: float | None) -> Iterator[str]:
    changes = found.get("changes", ())
    for each in changes:
        at = "" if started_at is None else f", seen {duration(max(0.0, each['at'] - started_at))} after the start"
        yield f"instances of {each['variant']} went from {each['from']} to {each['to']}{at}"
    if found.get("not_watched"):
        yield f"its instances could not always be counted: {found['not_watched']}"
    elif found.get("watched") and not changes:
        yield f"it did not scale: {plural(len(found.get('variants', ())), 'variant')} watched all the time"
