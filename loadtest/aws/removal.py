"""Taking things out of an account: what is not there is as good as removed, so it can be done again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from loadtest.aws.clients import UNANSWERED, Clients, aws_words, is_absent
from loadtest.aws.journal import KINDS, Made
from loadtest.errors import TargetError

__all__ = ["JOB_TAG", "remove", "tagged"]

JOB_TAG = "loadtest:job"  # of everything that is made for a job
POLL_S = 5.0
_CALLS = {
    "endpoint": ("delete_endpoint", "EndpointName"),
    "endpoint-config": ("delete_endpoint_config", "EndpointConfigName"),
    "model": ("delete_model", "ModelName"),
}
_BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack")  # AWS refuses to delete an endpoint meanwhile


def remove(clients: Clients, thing: Made, wait: Callable[[float], bool]) -> None:
    """Delete it; an endpoint is gone when this returns. wait: sleeps, False: not that long.

    Raises TargetError, in AWS's words, if it may still be there.
    """
    name, (call, member) = thing.name, _CALLS[thing.kind]
    client = clients.client()
    while True:
        try:
            getattr(client, call)(**{member: name})
        except UNANSWERED as problem:
            if is_absent(problem):
                return
            if thing.kind != "endpoint" or _status(client, name) not in (*_BUSY, "Deleting"):
                raise TargetError(f"the {thing.kind} {name} may still be there: {aws_words(problem)}") from problem
        if thing.kind != "endpoint" or _status(client, name) is None:
            return
        if not wait(POLL_S):
            raise TargetError(f"the endpoint {name} may still be there: its end was not waited for")


def _status(client: Any, name: str) -> str | None:
    """None: there is no such endpoint; "": nobody says."""
    try:
        return str(client.describe_endpoint(EndpointName=name)["EndpointStatus"])
    except UNANSWERED as problem:
        return None if is_absent(problem) else ""


def tagged(clients: Clients, job: str) -> Iterator[Made]:
    """What bears the tag of a job, endpoints first. Raises TargetError if the account may not be searched."""
    client = clients.client()
    names = {"endpoint": "sm-epc-", "endpoint-config": "sm-epc-", "model": job[:40]}
    lists = {
        "endpoint": ("list_endpoints", "Endpoints", "Endpoint"),
        "endpoint-config": ("list_endpoint_configs", "EndpointConfigs", "EndpointConfig"),
        "model": ("list_models", "Models", "Model"),
    }
    try:
        for kind in KINDS:
            operation, items, word = lists[kind]
            for page in client.get_paginator(operation).paginate(NameContains=names[kind]):
                for each in page[items]:
                    arn, name = each[f"{word}Arn"], each[f"{word}Name"]
                    tags = client.list_tags(ResourceArn=arn)["Tags"]
                    if {"Key": JOB_TAG, "Value": job} in tags:
                        yield Made(kind, name, job, clients.region, clients.endpoint_url)
    except UNANSWERED as problem:
        raise TargetError(f"what is left of {job} cannot be looked up: {aws_words(problem)}") from problem
