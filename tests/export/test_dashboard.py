"""The Grafana dashboard asks only for what is exported, and for all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families as read_classic

from loadtest import simulate
from loadtest.core.request.spec import LatencyThreshold
from loadtest.export.metrics import FAMILIES, Labels, Metrics
from loadtest.export.prometheus import write_textfile

DASHBOARD = Path("docs/grafana/loadtest.json")
NAME = re.compile(r"\bloadtest_[a-z_]+")
SELECTOR = re.compile(r"(loadtest_[a-z_]+)\{([^}]*)\}")
GROUPED = re.compile(r"\bby \(([^)]*)\)")


def expressions(dashboard: Any) -> Iterator[str]:
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def exported(path: Path) -> dict[str, set[str]]:
    """Sample name -> the labels that it has, of a run with everything in it."""
    runs = [Metrics(Labels("t", "e", "v"), LatencyThreshold(0.95, 100))]

    def on_window(window: Any) -> None:
        runs[0] = runs[0].after(window, {"latency": {"verdict": "met"}}, trusted=True)

    simulate("scenarios/short.json", on_window=on_window)
    write_textfile(str(path), lambda: runs)
    return {s.name: set(s.labels) for family in read_classic(path.read_text()) for s in family.samples}


def test_every_query_is_about_what_is_exported_and_nothing_is_left_out(tmp_path: Path) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    found = exported(tmp_path / "x.prom")
    asked = {name for text in expressions(dashboard) for name in NAME.findall(text)}
    assert asked <= set(found)
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked}
    assert families == {family.flat for family in FAMILIES}


def test_labels_of_the_queries_are_there(tmp_path: Path) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    found = exported(tmp_path / "x.prom")
    for text in expressions(dashboard):
        labels = set()
        for name, selector in SELECTOR.findall(text):
            labels = found[name]
            assert {part.split("=")[0].strip(" !~") for part in selector.split(",")} <= labels
        for names in GROUPED.findall(text):
            assert {name.strip() for name in names.split(",")} <= labels
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert shown <= set().union(*found.values())


def test_panels_do_not_overlap_and_have_names() -> None:
    taken: set[tuple[int, int]] = set()
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells
