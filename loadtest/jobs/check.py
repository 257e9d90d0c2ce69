"""Everything that is wrong with a CreateInferenceRecommendationsJob request, before anything is done with it. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from loadtest.core.request.findings import Findings
from loadtest.core.request.parse import parse_job
from loadtest.core.request.schema import REQUEST
from loadtest.core.request.spec import JobSpec, Profile
from loadtest.core.request.validation import validate
from loadtest.errors import Problem, SpecError
from loadtest.jobs.tags import tag_problems

__all__ = ["checked_job", "further_problems"]

_ITEM = re.compile(r"\[[0-9]+\]$")


def checked_job(request: Mapping[str, Any], profile: Profile) -> JobSpec:
    """The job that is asked for. Raises SpecError with every problem: of members, of rules on several, of tags."""
    problems: list[Problem] = []
    spec = None
    try:
        spec = parse_job(request, profile)
    except SpecError as found:
        problems.extend(found.problems)
    blamed = {problem.path for problem in problems}
    tags = request.get("Tags")
    if isinstance(tags, (list, tuple)):
        given = [tag for tag in tags if isinstance(tag, Mapping)]
        problems.extend(each for each in tag_problems(given) if each.path not in blamed)
    if spec is None or problems:
        raise SpecError(problems)
    return spec


def further_problems(request: Mapping[str, Any], profile: Profile, named: Collection[str]) -> list[Problem]:
    """Those of `checked_job` but for the bounds of the members at the paths `named`, which were told already."""
    try:
        checked_job(request, profile)
    except SpecError as found:
        problems = list(found.problems)
    else:
        return []
    bounds = Findings(strict=profile == "aws")
    bounds.collect([lambda: validate(request, REQUEST, (), bounds) and None])
    covered: Counter[Problem] = Counter()
    try:
        bounds.raise_errors(request)
    except SpecError as found:
        # Of a list of plain values AWS names the list, we the item.
        covered.update(each for each in found.problems if each.path in named or _ITEM.sub("", each.path) in named)
    kept: list[Problem] = []
    for each in problems:
        if covered[each] > 0:
            covered[each] -= 1
        elif not (each.path in named and each.rule == "is required"):
            kept.append(each)
    return kept
