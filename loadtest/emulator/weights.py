"""Weights of variants where moto leaves out what AWS always tells: 1 if none was given, and 0 if that was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from loadtest.emulator.clients import InProcessClients

__all__ = ["Weights"]

DEFAULT = 1.0  # ProductionVariant.InitialVariantWeight of the API reference
_LISTS = ("ProductionVariants", "ShadowProductionVariants")


class Weights:
    """Completes the fallback's descriptions. clients: of that fallback."""

    def __init__(self, clients: InProcessClients) -> None:
        self._clients = clients

    def of_configuration(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """DescribeEndpointConfig's answer with InitialVariantWeight of each variant."""
        return _changed(told, lambda variant: {"InitialVariantWeight": DEFAULT, **variant})

    def of_endpoint(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """DescribeEndpoint's answer with CurrentWeight and DesiredWeight of each variant."""
        if all("CurrentWeight" in variant for name in _LISTS for variant in told.get(name, ())):
            return dict(told)
        sagemaker = self._clients.client("sagemaker")
        try:
            found = sagemaker.describe_endpoint_config(EndpointConfigName=told.get("EndpointConfigName", ""))
        except (ClientError, BotoCoreError):  # it may be gone while its endpoint serves
            found = {}
        given = {each["VariantName"]: each for name in _LISTS for each in found.get(name, ())}

        def completed(variant: Mapping[str, Any]) -> dict[str, Any]:
            weight = given.get(variant.get("VariantName"), {}).get("InitialVariantWeight", DEFAULT)
            return {"CurrentWeight": weight, "DesiredWeight": weight, **variant}

        return _changed(told, completed)


def _changed(told: Mapping[str, Any], change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> dict[str, Any]:
    return {**told, **{name: [dict(change(each)) for each in told[name]] for name in _LISTS if told.get(name)}}
