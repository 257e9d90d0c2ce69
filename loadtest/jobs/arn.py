"""ARNs of jobs: made and read back. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["JobArns"]

_PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("us-iso-", "aws-iso"), ("us-isob-", "aws-iso-b"))


@dataclass(frozen=True, slots=True)
class JobArns:
    """The ARNs of one account in one region (R9)."""

    region: str
    account: str

    def sibling(self, kind: str, name: str) -> str:
        """The ARN of another resource of SageMaker here: kind `endpoint`, `endpoint-config`, `model`."""
        partition = next((name for start, name in _PARTITIONS if self.region.startswith(start)), "aws")
        return f"arn:{partition}:sagemaker:{self.region}:{self.account}:{kind}/{name}"

    @property
    def _prefix(self) -> str:
        return self.sibling("inference-recommendations-job", "")

    def of(self, job_name: str) -> str:
        """The JobArn of a name."""
        return self._prefix + job_name

    def name(self, arn: str) -> str | None:
        """The job name in an ARN of this account and region; None: it is another resource's."""
        found = arn.removeprefix(self._prefix) if isinstance(arn, str) and arn.startswith(self._prefix) else ""
        return found if re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}", found) else None
