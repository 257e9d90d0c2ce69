"""The way to AWS: region, proxy, certificates, where credentials would come from; and, if asked, whether it answers.

Credentials are never shown, and nothing is asked over the network for them: providers that would are not called.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.request import getproxies

import botocore.exceptions
import botocore.session

from loadtest.doctor.finding import Finding
from loadtest.errors import TargetError, words
from loadtest.targets.http.route import route_to

__all__ = ["aws"]

_SERVICE = "sagemaker-runtime"
_ASKS = ("iam-role", "container-role", "custom-process")  # providers that speak to somebody, or run something
_CONTAINER = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_WAIT_S = 10.0


def aws(profile: str | None, region: str | None, *, reach: bool) -> Iterator[Finding]:
    """Findings about the way to AWS. profile, region: None: botocore's own. reach: send one unsigned request there."""
    try:
        session = botocore.session.Session(profile=profile)
        region = region or session.get_config_variable("region")
    except botocore.exceptions.BotoCoreError as problem:
        yield Finding("AWS configuration", "bad", str(problem), "`aws configure list-profiles` lists those there are")
        return
    yield _region(region)
    try:
        url = session.create_client(
            _SERVICE, region_name=region or "us-east-1", aws_access_key_id="-", aws_secret_access_key="-"
        ).meta.endpoint_url
    except (botocore.exceptions.BotoCoreError, ValueError) as problem:
        yield Finding("AWS address", "bad", str(problem), "see AWS_ENDPOINT_URL and the profile's endpoint_url")
        return
    yield _proxy(url, session.get_config_variable("ca_bundle"))
    yield _credentials(session)
    if reach:
        yield _reach(url)
    else:
        yield Finding("AWS address", "good", f"{url}, not asked", "--aws sends one unsigned request there")


def _region(region: str | None) -> Finding:
    if region:
        return Finding("AWS region", "good", region)
    return Finding("AWS region", "note", "none", "give --region or set AWS_REGION, to load an endpoint of SageMaker")


def _proxy(url: str, ca_file: str | None) -> Finding:
    named = ", ".join(f"{name} by {value}" for name, value in sorted(getproxies().items()) if name != "no")
    advice = "set HTTPS_PROXY to http://HOST:PORT, list hosts to reach directly in NO_PROXY, and see AWS_CA_BUNDLE"
    try:
        route = route_to(url, {}, ca_file)
    except TargetError as problem:
        return Finding("Proxy", "bad", str(problem), advice)
    if route.proxy is not None:
        return Finding("Proxy", "good", f"to AWS by {route.proxy.host}:{route.proxy.port}")
    return Finding("Proxy", "good", f"not to AWS; the environment names: {named}" if named else "none")


def _credentials(session: Any) -> Finding:
    chain = session.get_component("credential_provider")
    left_out = [provider.METHOD for provider in chain.providers if provider.METHOD in _ASKS]
    for name in left_out:
        chain.remove(name)
    try:
        found = chain.load_credentials()
    except botocore.exceptions.BotoCoreError as problem:
        return Finding("AWS credentials", "bad", str(problem), "see the profile in ~/.aws/config")
    where = f"profile {session.profile}" if session.profile else "the default profile"
    if found is not None:
        return Finding("AWS credentials", "good", f"found by {found.method} ({where}), not shown and not tried")
    config = session.full_config.get("profiles", {}).get(session.profile or "default", {})
    if "credential_process" in config:
        return Finding("AWS credentials", "note", f"{where} has a credential_process, which was not run")
    if any(os.environ.get(name) for name in _CONTAINER):
        return Finding("AWS credentials", "note", "the container's role, which was not asked")
    advice = (
        "`aws configure`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; on EC2 the instance's role is asked by a run"
    )
    return Finding("AWS credentials", "note", "none here", advice)


def _reach(url: str) -> Finding:
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/ping", timeout=_WAIT_S) as answer:
            return Finding("AWS address", "good", f"{url} answers ({answer.status})")
    except urllib.error.HTTPError as answer:
        with answer:
            return Finding("AWS address", "good", f"{url} answers ({answer.code}, to an unsigned request)")
    except (OSError, ValueError) as problem:
        advice = "look at the proxy, the firewall and the region; in a VPC, at the endpoint of sagemaker.runtime"
        return Finding("AWS address", "bad", f"{url} does not answer: {words(problem)}", advice)
