"""ARNs of jobs: made and read back. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["JobArns", "partition_of"]

_PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("us-isob-", "aws-iso-b"), ("us-iso-", "aws-iso"))
_JOB = re.compile(
    r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:(?P<account>[0-9]+):inference-recommendations-job/"
    r"(?P<name>[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63})"
)


def partition_of(region: str) -> str:
    """`aws-cn` of `cn-north-1`: the second part of an ARN."""
    return next((name for start, name in _PARTITIONS if region.startswith(start)), "aws")


@dataclass(frozen=True, slots=True)
class JobArns:
    """The ARNs of one account in one region (R9)."""

    region: str
    account: str

    def sibling(self, kind: str, name: str) -> str:
        """The ARN of another resource of SageMaker here: kind `endpoint`, `endpoint-config`, `model`."""
        return f"arn:{partition_of(self.region)}:sagemaker:{self.region}:{self.account}:{kind}/{name}"

    def of(self, job_name: str) -> str:
        """The JobArn of a name."""
        return self.sibling("inference-recommendations-job", job_name)

    def name(self, arn: str) -> str | None:
        """The job name in an ARN of this account, whatever its region; None: it is another resource's."""
        found = _JOB.fullmatch(arn) if isinstance(arn, str) else None
        return found["name"] if found is not None and found["account"] == self.account else None
