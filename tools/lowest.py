"""The lower bounds of pyproject.toml as pip's constraints, one a line: what `make test-lowest` installs.

    python tools/lowest.py > constraints.txt

Of what runs, the core and its extras; not of what the tests are run with.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

MAKERS = ("dev", "docs")
_BOUND = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?>=([0-9][^,; ]*)")


def lowest(pyproject: Path) -> Iterator[str]:
    """`name==version` of each requirement. Raises ValueError for one that has no lower bound."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {})
    optional = (each for name in extras if name not in MAKERS for each in extras[name])
    for requirement in [*project["dependencies"], *optional]:
        if requirement.startswith(f"{project['name']}["):
            continue
        bound = _BOUND.match(requirement)
        if bound is None:
            raise ValueError(f"{requirement}: has no lower bound; write name>=version")
        yield f"{bound[1]}=={bound[2]}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(sorted(set(lowest(Path(__file__).parent.parent / "pyproject.toml")))) + "\n")
