"""Whether the version that the source names can be released: changelog, date, tag, a clean tree. Changes nothing.

    python tools/release.py

Prints every problem and exits with 1; part of `make release-check`, which does all of a release but the upload.
"""

from __future__ import annotations

import datetime
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
_VERSION = re.compile(r'^VERSION = "(\d+\.\d+\.\d+)"$', re.M)
_ENTRY = re.compile(r"^## (\d+\.\d+\.\d+) \(([^)]+)\)$", re.M)


def changelog_problems(text: str, version: str, today: datetime.date) -> Iterator[str]:
    """What is wrong with a changelog for a release of `version`."""
    entries = list(_ENTRY.finditer(text))
    heads = re.findall(r"^## .*$", text, re.M)
    if len(entries) != len(heads):
        odd = [head for head in heads if not _ENTRY.fullmatch(head)]
        yield f"CHANGELOG.md: a heading is no '## X.Y.Z (YYYY-MM-DD)': {', '.join(odd)}"
    numbers = [tuple(map(int, entry[1].split("."))) for entry in entries]
    if numbers != sorted(set(numbers), reverse=True):
        yield "CHANGELOG.md: versions are not in order, the newest first, each once"
    newest = next(iter(entries), None)
    if newest is None or newest[1] != version:
        yield f"CHANGELOG.md: its newest version is {newest[1] if newest else 'none'}, the source says {version}"
        return
    try:
        date = datetime.date.fromisoformat(newest[2])
    except ValueError:
        yield f"CHANGELOG.md: {version} is '{newest[2]}': give it the date of the release"
    else:
        if date > today:
            yield f"CHANGELOG.md: {version} is of {date}, which is still to come"
    body = text[newest.end() : entries[1].start() if len(entries) > 1 else len(text)]
    if not re.search(r"^- \S", body, re.M):
        yield f"CHANGELOG.md: {version} says nothing that a user would notice"


def git_problems(version: str, changed: str, tags: str) -> Iterator[str]:
    """changed: of `git status --porcelain`. tags: of `git tag`."""
    if changed.strip():
        yield f"git: not committed: {', '.join(line[3:] for line in changed.splitlines())}"
    if f"v{version}" in tags.split():
        yield f"git: the tag v{version} is there already; raise loadtest/version.py"


def main() -> int:
    """The exit code; problems go to stderr."""
    found = _VERSION.search((ROOT / "loadtest/version.py").read_text(encoding="utf-8"))
    if found is None:
        print("loadtest/version.py: VERSION is no X.Y.Z", file=sys.stderr)
        return 1
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    problems = [
        *changelog_problems(changelog, found[1], datetime.date.today()),
        *git_problems(found[1], _git("status", "--porcelain"), _git("tag")),
    ]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
