"""What the doctor found, by what it is about."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.doctor.finding import Finding

__all__ = ["by_topic"]


def by_topic(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.topic: finding for finding in findings}
