"""Endpoints that a job names and that exist in the account: what they are, for `loadtest.jobs`."""

from __future__ import annotations

from loadtest.aws.clients import Clients
from loadtest.aws.endpoint import inspect_endpoint
from loadtest.core.request.spec import Serverless
from loadtest.jobs.subject import Subject, Variant

__all__ = ["AccountEndpoints"]


class AccountEndpoints:
    """An EndpointDirectory (loadtest.jobs.subject)."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def subject(self, name: str, /) -> Subject | None:
        """Raises TargetError if there is no such endpoint, or it is not in service."""
        found = inspect_endpoint(self._clients, name)
        variants = tuple(
            Variant(
                each["name"],
                instance_type=each["instance_type"],
                serverless=_serverless(each.get("serverless")),
                instance_count=each["instance_count"] or 1,
                weight=1.0 if each["weight"] is None else each["weight"],
                model_name=each["model"],
            )
            for each in found.get("variants", ())
        )
        return Subject(name, variants or (Variant(),), existing=True, asynchronous=bool(found.get("asynchronous")))

    def url(self, name: str, /) -> str | None:
        """AWS's own runtime serves it."""
        return None


def _serverless(told: dict[str, int] | None) -> Serverless | None:
    return None if told is None else Serverless(told["memory_mb"], told["max_concurrency"])
