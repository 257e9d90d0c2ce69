"""The tables of RESULTS.md from JSON lines: `python -m benchmarks > LINES; python -m benchmarks.tables LINES`.

A line printed later replaces an earlier one of the same measurement, so files of several runs can be given in order.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]


def tables(lines: Iterable[Line]) -> str:
    """Markdown, a section for each question."""
    kept: dict[tuple[object, ...], Line] = {}
    for line in lines:
        if not line.get("skipped"):
            kept[tuple(str(line.get(key)) for key in KEYS)] = line
    parts = []
    for question, (heads, row) in QUESTIONS.items():
        found = [line for line in kept.values() if line["question"] == question]
        if found:
            seen = sorted({f"{line['commit']}, {line['at'][:16].replace('T', ' ')}" for line in found})
            loads = sorted(line["load"] for line in found)
            parts.append(
                f"### {question}\n\n`python -m benchmarks.{question}`, {seen[0]} to {seen[-1]} UTC, load average "
                f"{loads[0]} to {loads[-1]}\n\n{_table(heads, [row(line) for line in found])}"
            )
    return "\n".join(parts)


def _table(heads: str, rows: list[list[str]]) -> str:
    names = heads.split("|")
    every = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(cell.strip() for cell in cells)} |\n" for cells in every)


def _spread(found: Mapping[str, Any] | None, digits: int = 0) -> str:
    if found is None:
        return ""
    low, high = found["spread"]
    if found["n"] == 1:
        return f"{found['median']:,.{digits}f}"
    return f"{found['median']:,.{digits}f} ({low:,.{digits}f} - {high:,.{digits}f})"


def _three(found: Mapping[str, float], digits: int = 2) -> str:
    return " / ".join(f"{value:,.{digits}f}" for value in found.values())


def _reached(line: Line) -> str:
    return {True: "yes", False: "no", None: ""}[line.get("reached")]


def _throughput(line: Line) -> list[str]:
    ratios = (line.get(name) for name in ("loadtest_over_it", "fresh_over_it", "its_cpu_over_loadtest"))
    return [
        line["server"],
        str(line["users"]),
        line["client"],
        _spread(line["per_s"]),
        _spread(line["cpu_us"], 1),
        _spread(line["core_share"], 2),
        *("" if each is None else f"{each:.2f}" for each in ratios),
        str(line.get("target", "")),
        str(line["failed"]),
        f"{line['load']}",
    ]


def _fidelity(line: Line) -> list[str]:
    errors, worst = (_three(line[name], 3) for name in ("error_ms", "worst_error_ms"))
    within = f"{line['within_ms']:.2f}" if "within_ms" in line else ""
    users, requests = str(line["users"]), f"{line['requests']:,}"
    return [
        users,
        line["core"],
        line["client"],
        requests,
        _three(line["log_ms"]),
        errors,
        worst,
        within,
        _reached(line),
    ]


def _spawn(line: Line) -> list[str]:
    starts = f"{line['starts']} of {line['planned']}"
    return [line["curve"], line["client"], starts, _three(line["lag_ms"]), _three(line["off_ms"]), _reached(line)]


def _facts(line: Line) -> list[str]:
    """Whatever it says, for the lines that are each of their own kind."""
    left = {key: value for key, value in line.items() if key not in {*COMMON, "what", "reached"}}
    told = "; ".join(f"{key.replace('_', ' ')} {_value(value)}" for key, value in left.items())
    return [line["what"], told, _reached(line)]


def _value(value: object) -> str:
    if isinstance(value, dict) and "spread" in value:
        return _spread(value, 2)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(each)}" for key, each in value.items())
    return f"{value:,}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _recorder(line: Line) -> list[str]:
    share = line.get("percent_of_core")
    return [line["what"], f"{_spread(line, 2)} {line['unit']}", "" if share is None else f"{share} %", _reached(line)]


COMMON = {"question", "load", "at", "machine", "kernel", "python", "versions", "commit"}


def _share(line: Line, name: str, digits: int = 0) -> str:
    return "" if line.get(name) is None else f"{100 * line[name]:.{digits}f} %"


def _capacity(line: Line) -> list[str]:
    """Of a family that has none, the column of held intervals is how often no number was given."""
    findings = ", ".join(f"{n} {what}" for what, n in sorted(line["findings"].items(), key=lambda each: -each[1]))
    has = "capacity" in line
    held = "coverage" if has else "no_number"
    return [
        line["family"],
        f"{line['capacity']:.4g}" if has else "none",
        str(line["searches"]),
        findings,
        _share(line, "number_given", 1),
        f"{_share(line, held, 1)} (at least {100 * line['at_least']:.1f})" if "at_least" in line else "",
        _share(line, "width", 1) if has else "",
        _share(line, "error_95", 1) if has else "",
        f"{line['time_s']:,.0f}",
        f"{line['requests']:,.0f}",
        _share(line, "above_share"),
        *(["", "", ""] if "best" not in line else _best(line)),
    ]


def _best(line: Line) -> list[str]:
    if line["best"] is None:
        return ["none", "", ""]
    return [
        f"{line['best']} ({_share(line, 'best_error_95', 1)})",
        f"{line['time_over_best']:g}",
        f"{line['requests_over_best']:g}",
    ]


def _capacity_peers(line: Line) -> list[str]:
    return [
        line["family"],
        line["peer"],
        str(line["probe_s"]),
        str(line["searches"]),
        _share(line, "number_given"),
        "" if line["error_95"] is None else _share(line, "error_95", 1),
        f"{line['time_s']:,.0f}",
        f"{line['requests']:,.0f}",
        _share(line, "above_share"),
    ]


KEYS = (
    *("question", "server", "client", "users", "core", "curve", "what", "target", "workers"),
    *("family", "peer", "probe_s"),
)
QUESTIONS: Mapping[str, tuple[str, Callable[[Line], list[str]]]] = {
    "invoke_throughput": (
        "server | users | client | requests/s | CPU us/request | share of its core | loadtest / it, rate | "
        "with new bodies | loadtest / it, per CPU second | at least | failed | load",
        _throughput,
    ),
    "fidelity": (
        "users | client's core | client | requests | server's log p50 / p95 / p99 ms | reported - log, ms | "
        "worst round | p99 within | reached",
        _fidelity,
    ),
    "spawn": ("curve | client | started | lag p50 / p95 / max ms | off the curve ms | reached", _spawn),
    "workers": ("what | found | reached", _facts),
    "memory": ("what | found | reached", _facts),
    "report": ("what | found | reached", _facts),
    "recorder": ("what | CPU time | of a core at 50,000/s | reached", _recorder),
    "capacity": (
        "family | capacity | searches | findings | a number | holds it; no number | width | error, 95th | time s | "
        "requests | above | best peer with that error | time / its | requests / least",
        _capacity,
    ),
    "capacity_peers": (
        "family | rule | probe s | searches | a number | error, 95th | time s | requests | above",
        _capacity_peers,
    ),
}


def main() -> None:
    lines = [line for name in sys.argv[1:] for line in Path(name).read_text(encoding="utf-8").splitlines()]
    print(tables(json.loads(line) for line in lines if line.startswith("{")))


if __name__ == "__main__":
    main()
