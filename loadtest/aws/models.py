"""What an account says of the model that a job tests: its package, its sample payload, its content types."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.aws.clients import UNANSWERED, Clients, aws_words, is_absent, is_forbidden
from loadtest.errors import TargetError
from loadtest.jobs.models import ModelFacts, model_facts, package_facts

__all__ = ["AccountModels"]


class AccountModels:
    """A ModelReader (loadtest.jobs.models). say: told what may not be looked up, which is then not known."""

    def __init__(self, clients: Clients, say: Callable[[str], object]) -> None:
        self._clients, self._say = clients, say

    def __call__(self, reference: str, /) -> ModelFacts | None:
        """None: there is no such model, or package. Raises TargetError, in AWS's words, if nobody answers."""
        sagemaker = self._clients.client()
        try:
            if ":model-package/" in reference:
                return package_facts(sagemaker.describe_model_package(ModelPackageName=reference))
            return model_facts(sagemaker.describe_model(ModelName=reference), self)
        except UNANSWERED as problem:
            if is_absent(problem):
                return None
            if is_forbidden(problem):
                self._say(f"not known of {reference}: {aws_words(problem)}")
                return ModelFacts()
            raise TargetError(f"{reference} cannot be looked up: {aws_words(problem)}") from problem
