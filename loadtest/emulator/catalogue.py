"""What the emulator reads of the rest of AWS: models, model packages and sample payloads."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from loadtest.core.request.s3 import s3_object
from loadtest.emulator.clients import InProcessClients
from loadtest.errors import Problem, SpecError
from loadtest.jobs.errors import ApiError
from loadtest.jobs.models import ModelFacts, model_facts, package_facts
from loadtest.jobs.redact import redacted
from loadtest.loopback import is_link_local, is_own

__all__ = ["ModelCatalogue", "check_refused"]

_log = logging.getLogger(__name__)

_AWAY = (502, 503, 504)  # not 500: that is how moto fails at some things that it does not have


class ModelCatalogue:
    """Models and payloads, as the fallback (moto or `--upstream`) holds them."""

    def __init__(self, clients: InProcessClients, *, allow_local_payloads: bool = False) -> None:
        self._clients = clients
        self._allow_local = allow_local_payloads

    def model(self, reference: str, /) -> ModelFacts | None:
        """Facts of a model package version (by ARN) or of a model (by name); None: there is no such thing.

        A model that was made from a package (`Containers[].ModelPackageName`) has the package's facts; its own
        environment goes before that of the package. Of several containers the first counts. Raises ApiError if the
        fallback cannot be asked.
        """
        sagemaker = self._clients.client("sagemaker")
        try:
            if ":model-package/" in reference:
                return package_facts(
                    sagemaker.describe_model_package(ModelPackageName=self._clients.arn_here(reference))
                )
            return model_facts(sagemaker.describe_model(ModelName=reference), self.model)
        except (ClientError, BotoCoreError) as problem:
            check_refused(reference, problem)
            return None

    def payload(self, url: str, /) -> bytes:
        """The archive behind a SamplePayloadUrl (`s3://bucket/key`, or an `https://` form of it).

        Raises SpecError if it cannot be read.
        """
        found = s3_object(url)
        url = redacted(url)
        if found is None:
            raise SpecError([Problem("SamplePayloadUrl", url, "names no object in S3", "write s3://BUCKET/KEY")])
        host = urlsplit(url).hostname or ""
        is_local = urlsplit(url).scheme != "s3" and (is_own(host) or is_link_local(host))
        if is_local and not self._allow_local:
            rule = "names this machine or its network, not S3"
            raise SpecError([Problem("SamplePayloadUrl", url, rule, "start serve with --allow-local-payloads")])
        try:
            answer = self._clients.client("s3").get_object(Bucket=found[0], Key=found[1])
            content: bytes = answer["Body"].read()
        except (ClientError, BotoCoreError) as problem:
            raise SpecError(
                [Problem("SamplePayloadUrl", url, redacted(f"the archive cannot be read: {problem}"))]
            ) from problem
        return content


def check_refused(what: str, problem: Exception) -> None:
    """Raises ApiError if the fallback could not be asked for `what`; else it has said that there is no such thing."""
    if isinstance(problem, ClientError) and problem.response["ResponseMetadata"]["HTTPStatusCode"] not in _AWAY:
        _log.debug("%s: %s", what, problem)
        return
    _log.warning("%s cannot be looked up: %s", what, problem)
    raise ApiError("ServiceUnavailable", f"{what} cannot be looked up: {problem}") from problem
