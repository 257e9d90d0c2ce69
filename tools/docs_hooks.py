"""Pages that the docs site has besides those in docs/: made from the code, or taken from the root of the repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs_aws import AWS
from docs_cli import cli_page
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from loadtest.core.request.schema import REQUEST, Array, Integer, Node, Structure, Text
from loadtest.core.result.unused import unused_members

ROOT = Path(__file__).parent.parent
TAKEN = {
    "benchmarks.md": "benchmarks/RESULTS.md",
    "benchmarks-capacity.md": "benchmarks/CAPACITY.md",
    "changelog.md": "CHANGELOG.md",
}
MOST_CHOICES = 6

# What no rule is about, since nothing is missed when it is not used.
KEPT = {
    "JobName": ("names the run", "names the folder", "used"),
    "JobDescription": ("kept with the result", "stored", "stored"),
}

FIELDS_HEAD = """\
# Job fields

The members of a CreateInferenceRecommendationsJob request, from the table that checks it. Bounds in parentheses are
errors for AWS and in `loadtest serve`; `loadtest run` (profile `relaxed`) only warns of them. "Used" means that the
member changes what is sent or how it is judged, or for `loadtest recommend` and `loadtest serve` what is recommended;
what a run has no use for is named in its result. "Stored" means that Describe returns it, no more. The last column is
what the service itself does, by its documents; † is not documented.

| member | value | `loadtest run` | `loadtest recommend` | `loadtest serve` | AWS |
|---|---|---|---|---|---|
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, source in TAKEN.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, "fields.md", content=FIELDS_HEAD + "\n".join(_rows()) + "\n"))
    files.append(File.generated(config, "cli.md", content=cli_page()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    for name, source in TAKEN.items():
        markdown = markdown.replace(f"](../{source}", f"]({name}")
    return markdown.replace("](../docs/", "](")  # of pages that are taken from elsewhere


def _rows() -> Iterator[str]:
    for path, node, required in _leaves(REQUEST, ()):
        name = ".".join(path)
        run, recommend, serve = KEPT.get(name) or _use(path)
        need = " **required**" if required else ""
        yield f"| `{name}`{need} | {_value(node)} | {run} | {recommend} | {serve} | {AWS[name]} |"


def _leaves(node: Node, path: tuple[str, ...], required: bool = False) -> Iterator[tuple[tuple[str, ...], Node, bool]]:
    if isinstance(node, Structure):
        for name, member in node.members.items():
            yield from _leaves(member, (*path, name), name in node.required)
    elif isinstance(node, Array) and isinstance(node.item, Structure):
        yield from _leaves(node.item, (*path[:-1], f"{path[-1]}[]"))
    else:
        yield path, node, required


def _use(path: tuple[str, ...]) -> tuple[str, str, str]:
    """What `run`, `recommend` and `serve` do with a member, by the very rules that a run's result is told by."""
    for length in range(len(path), 0, -1):
        names = [name.removesuffix("[]") for name in path[:length]]
        if ".".join(names) == "InputConfig.Endpoints":
            break  # a run tests one of them: the result names the others
        for found in unused_members(_request(names)):
            verbs = found.verb.split(", ")
            deployed = "used with `--deploy`" if "loadtest recommend --deploy" in verbs else "stored"
            recommend = "used" if "loadtest recommend" in verbs else deployed
            return f"not used: {found.why}", recommend, "used" if "loadtest serve" in verbs else "stored"
    return "used", "used", "used"


def _request(names: list[str]) -> Mapping[str, Any]:
    value: Any = {"given": True}
    for name in reversed(names):
        value = {name: value}
    return value  # type: ignore[no-any-return]


def _value(node: Node) -> str:
    if isinstance(node, Integer):
        low, high = node.min if node.low is None else node.low, node.max if node.high is None else node.high
        soft = node.low is not None or node.high is not None or node.capacity
        bounds = f"{'' if low is None else low}..{'' if high is None else high}"
        return "integer" if bounds == ".." else f"integer ({bounds})" if soft else f"integer {bounds}"
    if isinstance(node, Text):
        if node.enum:
            more = f", ... ({len(node.enum)} in all)" if len(node.enum) > MOST_CHOICES else ""
            return ", ".join(f"`{choice}`" for choice in node.enum[:MOST_CHOICES]) + more
        return "text" if node.max is None else f"text of at most {node.max}"
    return f"list of {_value(node.item)}" if isinstance(node, Array) else "object"
