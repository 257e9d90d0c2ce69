"""Who may import whom, read from the source; and what `import loadtest` may load. Each rule is shown to be able to fail."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from places import ROOT

PACKAGE, TESTS = ROOT / "loadtest", ROOT / "tests"

# Room -> (rooms that it may import, third-party packages), from the ground floor up; a room may import itself. A room
# is a module or a folder of loadtest; those of core, engine and targets have rooms of their own. docs/architecture.md
# draws the same table.
CORE = {"core", "core.request", "core.traffic", "core.measure", "core.stats", "core.judge", "core.result"}
CORE |= {"core.search"}
COMPARED = {"core.compare"}
NUMBERS = {"numpy", "hdrh"}
SOCKETS = {"gevent", "greenlet"}
AWS = {"boto3", "botocore"}
ROOMS: Mapping[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "version": (set(), set()),
    "cache": (set(), set()),
    "loopback": (set(), set()),
    "files": ({"errors"}, set()),
    "folders": (set(), set()),
    "python": (set(), set()),
    "signals": (set(), set()),
    "serving": ({"errors"}, {"waitress"}),
    "core": ({"errors"}, NUMBERS),
    "core.request": ({"errors", "core"}, set()),
    "core.traffic": ({"errors", "core", "core.request"}, {"numpy"}),
    "core.measure": ({"core", "core.request", "core.traffic"}, NUMBERS),
    "core.stats": ({"core", "core.request", "core.traffic", "core.measure"}, NUMBERS),
    "core.search": ({"core", "core.request", "core.traffic", "core.measure", "core.stats"}, NUMBERS),
    "core.judge": ({"errors", *CORE} - {"core.result"}, NUMBERS),
    "core.result": ({"errors", *CORE}, NUMBERS),
    "core.compare": ({"errors", *CORE}, NUMBERS),
    "wire": ({"errors", "loopback"}, set()),
    "endpoint": ({"errors", "core.request"}, set()),
    "targets": ({"errors", "python", "endpoint", "wire", "targets.http", *CORE}, {"gevent", "numpy", *AWS}),
    "targets.http": ({"errors", "loopback", "version", "wire", "targets", *CORE}, SOCKETS),
    "payload": ({"errors", "cache", "loopback", "targets", *CORE}, {"numpy", *AWS}),
    "mock": ({"errors", "loopback", "python", "signals", "endpoint", "wire", *CORE}, {"httptools"}),
    "engine": ({"errors", "endpoint", "targets", *CORE}, set()),
    "engine.cluster": (
        {"errors", "folders", "loopback", "version", "payload", "targets", "engine", "engine.generator", *CORE},
        {"gevent", "locust", "zmq"},
    ),
    "engine.generator": (
        {"errors", "payload", "targets", "engine", "engine.cluster", "engine.parent", *CORE},
        {"gevent", "locust"},
    ),
    "engine.parent": (
        {"errors", "version", "python", "endpoint", "mock", "payload", "targets", "engine", "engine.cluster", *CORE},
        set(),
    ),
    "calibration": ({"errors", "cache", "endpoint", "mock", "engine.parent", *CORE}, set()),
    "jobfile": ({"errors", "files", "folders", "loopback", "endpoint", "targets", *CORE}, {"yaml"}),
    "jobs": (
        {"errors", "cache", "files", "endpoint", "mock", "payload", "targets", "engine", "engine.parent", *CORE},
        {"yaml", *AWS},
    ),
    "emulator": (
        {"errors", "loopback", "version", "endpoint", "jobs", "mock", "report", "serving", "web", "wire", *CORE},
        {"moto", "waitress", "werkzeug", "urllib3", *AWS},
    ),
    "export": (
        {"errors", "loopback", "serving", "version", "wire", *CORE},
        {"numpy", "opentelemetry", "prometheus_client", "waitress"},
    ),
    "report": ({"errors", "cache", "folders", "version", *CORE, *COMPARED}, {"rich", "jinja2", "vl_convert", *NUMBERS}),
    "web": ({"errors", "report", "serving", "wire", *CORE}, {"waitress"}),
    "recommendation": (
        {"errors", "folders", "loopback", "api", "jobs", "payload", "report", "engine.parent", *CORE},
        set(),
    ),
    "aws": ({"errors", "files", "folders", "jobs", "payload", "targets", *CORE}, AWS),
    "api": ({"errors", "jobfile", "engine", "engine.parent", "report", "targets", *CORE}, set()),
    "capacity_api": ({"errors", "api", "jobfile", "engine", "engine.parent", "targets", *CORE}, set()),
    "doctor": (
        {"errors", "version", "api", "core.request", "engine.parent", "targets.http"},
        {"botocore"},
    ),
    "locustfile": ({"errors", "jobfile", "payload", "targets", *CORE}, {"gevent", "locust"}),
    "testing": ({"errors", "emulator", "jobs"}, {"pytest"}),
    "cli": (
        {
            *(
                "errors",
                "files",
                "loopback",
                "signals",
                "version",
                "api",
                "capacity_api",
                "calibration",
                "doctor",
                "emulator",
                "engine",
            ),
            *(
                "aws",
                "engine.cluster",
                "engine.parent",
                "export",
                "jobs",
                "payload",
                "recommendation",
                "jobfile",
                "mock",
                "report",
                "targets",
                "web",
                "wire",
                *CORE,
                *COMPARED,
            ),
        },
        {"click", "rich"},
    ),
}
SPLIT = ("core", "engine", "targets")
# Modules of a patched process: nothing of the parent's side may import them.
PATCHED_NAMES = (
    *("cluster.master", "cluster.post", "cluster.runners", "cluster.worker"),
    *("generator.arrival_swarm", "generator.child"),
    *("generator.generator", "generator.link", "generator.probe", "generator.session", "generator.swarm"),
    "generator.timer",
)
PATCHED = {f"loadtest.engine.{name}" for name in PATCHED_NAMES}
LOCUST = {"engine/cluster/runners.py", "engine/generator/swarm.py", "locustfile.py"}
# Inside a room, some packages are for these modules alone.
ONLY_IN: Mapping[str, set[str]] = {
    "locust": LOCUST,
    "jinja2": {"report/html/render.py"},
    "vl_convert": {"report/html/library.py"},
    "zmq": {"engine/cluster/runners.py"},
    "opentelemetry": {"export/otlp.py", "export/send.py"},
    "prometheus_client": {"export/prometheus.py"},
    "boto3": {
        "aws/clients.py",
        "targets/boto.py",
        "payload/remote.py",
        "jobs/pricing.py",
        "emulator/clients.py",
        "emulator/cloudwatch.py",
    },
}
GEVENT_IN_ENGINE = {f"engine/{name.replace('.', '/')}.py" for name in PATCHED_NAMES}
CORE_FORBIDDEN = {"time", "socket", "threading", "os", "subprocess", "asyncio", "random", "select"}
PURE = {"core", "wire", "endpoint"}
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 300, 60  # lines


@cache
def _imports(source: str) -> tuple[tuple[str, tuple[str, ...], bool], ...]:
    return tuple(_found_imports(source))


def _found_imports(source: str) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """(module, names taken from it, at module level) of every import; TYPE_CHECKING blocks import nothing."""
    tree = ast.parse(source)
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    functions = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    nested = {id(inner) for function in functions for inner in ast.walk(function)}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, (), id(node) not in nested) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), tuple(a.name for a in node.names), id(node) not in nested


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def _room(parts: tuple[str, ...]) -> str:
    """Of a module's path inside the package: its folder, or two of them where the first has rooms of its own."""
    if parts[0] in SPLIT and (len(parts) > 2 or (len(parts) == 2 and (PACKAGE / Path(*parts)).is_dir())):
        return f"{parts[0]}.{parts[1]}"
    return parts[0]


def _room_of(name: str) -> str:
    parts = tuple(Path(name).with_suffix("").parts)
    return _room(parts[:-1] if parts[-1] == "__init__" else parts)


def faults(name: str, source: str) -> list[str]:
    """What a file of the package, `name`, imports that it may not."""
    room = _room_of(name)
    rooms, packages = ROOMS[room]
    found = []
    for module, names, _ in _imports(source):
        top = module.split(".")[0]
        if module.startswith("."):
            found.append(f"{module}: imports are absolute")
        elif top == "loadtest":
            for each in _modules(module, names):
                if _room(each) not in rooms | {room}:
                    found.append(".".join(("loadtest", *each)))
        elif top in sys.stdlib_module_names:
            # The endpoint's model draws from generators of its own, by its seed.
            if top in CORE_FORBIDDEN and room.split(".")[0] in PURE and (room, top) != ("endpoint", "random"):
                found.append(f"{module}: pure code has no clock and no I/O")
        elif top not in packages or name not in ONLY_IN.get(top, {name}):
            found.append(module)
        elif top == "gevent" and room.startswith("engine") and name not in GEVENT_IN_ENGINE:
            found.append(f"{module}: only in a patched process")
    return found


def _modules(module: str, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Paths inside the package that an import names: `from loadtest.engine import sim` means loadtest/engine/sim.py."""
    parts = tuple(module.split(".")[1:])
    if not parts:
        yield from ((name,) for name in names if (PACKAGE / f"{name}.py").exists() or (PACKAGE / name).is_dir())
        return
    inner = [name for name in names if PACKAGE.joinpath(*parts, f"{name}.py").exists()]
    yield from ((*parts, name) for name in inner)
    if len(inner) < max(len(names), 1):
        yield parts


@pytest.mark.parametrize("path", [path for path in FILES if path.stem[:2] != "__" or path.parent != PACKAGE], ids=_name)
def test_imports_point_downward(path: Path) -> None:
    assert faults(_name(path), path.read_text()) == []


# A file, and an import that it may not have.
PLANTED = [
    ("core/request/spec.py", "from loadtest.core.traffic.curve import Step"),
    ("core/traffic/curve.py", "from loadtest.core.measure.window import Window"),
    ("core/measure/window.py", "from loadtest.core.stats.rates import LevelRate"),
    ("core/stats/rates.py", "from loadtest.core.judge.trust import assess"),
    ("core/judge/control.py", "from loadtest.core.result.result import RunResult"),
    ("core/result/result.py", "from loadtest.report.words import plural"),
    ("core/judge/stop/flat.py", "import time"),
    ("core/measure/record.py", "import boto3"),
    ("endpoint/latency.py", "import boto3, gevent"),
    ("endpoint/latency.py", "import time"),
    ("endpoint/settings.py", "from loadtest.targets.base import Target"),
    ("core/compare/comparison.py", "import time"),
    ("core/result/result.py", "from loadtest.core.compare.comparison import compare"),
    ("wire/http1.py", "import socket"),
    ("wire/http1.py", "from loadtest.core.measure.outcome import Kind"),
    ("targets/null.py", "import boto3"),
    ("targets/http/relay.py", "from loadtest.engine.sim import simulate"),
    ("payload/payload.py", "from loadtest.engine import sim"),
    ("mock/server.py", "from loadtest.targets.base import Payload"),
    ("engine/sim.py", "import gevent"),
    ("engine/parent/spawn.py", "import gevent"),
    ("engine/parent/spawn.py", "import locust"),
    ("engine/generator/session.py", "import locust"),
    ("engine/cluster/roster.py", "import gevent"),
    ("calibration/fit.py", "from loadtest.cli import main"),
    ("jobfile/document.py", "import click"),
    ("jobs/service.py", "from loadtest.emulator.app import App"),
    ("emulator/app.py", "from loadtest.cli import main"),
    ("emulator/app.py", "import click"),
    ("export/metrics.py", "from prometheus_client import Counter"),
    ("export/push.py", "from loadtest.report.words import plural"),
    ("report/folder.py", "from loadtest.engine.sim import simulate"),
    ("report/html/page.py", "import vl_convert"),
    ("report/terminal.py", "import jinja2"),
    ("engine/generator/session.py", "from loadtest.report.html.page import page_of"),
    ("cache.py", "from loadtest.errors import Problem"),
    ("web/live.py", "from loadtest.engine.parent import spawn"),
    ("api.py", "import click"),
    ("testing.py", "import boto3"),
    ("locustfile.py", "from loadtest.engine import sim"),
    ("doctor/aws.py", "import boto3"),
    ("aws/endpoint.py", "import boto3"),
    ("aws/cost.py", "from loadtest.api import plan"),
    ("cli/run.py", "import gevent"),
    ("errors.py", "from loadtest.core.plain import plain"),
    ("loopback.py", "import numpy"),
    ("files.py", "from loadtest.folders import lies_in"),
    ("folders.py", "from loadtest.loopback import is_loopback"),
    ("core/plain.py", "from .measure import window"),
    ("version.py", "from loadtest.errors import Problem"),
    ("python.py", "from loadtest.cache import cached"),
    ("signals.py", "from loadtest.errors import Problem"),
    ("serving.py", "import moto"),
    ("core/search/search.py", "from loadtest.core.judge.trust import assess"),
    ("targets/http/user.py", "import boto3"),
    ("targets/http/http.py", "from loadtest.payload.payload import Payloads"),
    ("engine/generator/swarm.py", "from loadtest.jobs.rows import Tag"),
    ("engine/cluster/door.py", "import zmq"),
    ("jobs/pricing.py", "import moto"),
    ("emulator/server.py", "import boto3"),
    ("export/metrics.py", "import opentelemetry"),
    ("recommendation/job.py", "from loadtest.aws.deploy import Deployment"),
    ("capacity_api.py", "import click"),
]


@pytest.mark.parametrize(("name", "planted"), PLANTED)
def test_every_rule_can_fail(name: str, planted: str) -> None:
    source = (PACKAGE / name).read_text()
    assert faults(name, source) == []
    assert faults(name, f"{source}\n{planted}\n") != []
    assert faults(name, f"{source}\ndef f():\n    {planted}\n") != [], "inside a function, too"


def test_every_room_is_in_the_table_and_has_a_planted_fault() -> None:
    rooms = {_room_of(_name(path)) for path in FILES if path.parent != PACKAGE or path.stem[:2] != "__"}
    assert rooms == set(ROOMS)
    assert rooms - {_room_of(name) for name, _ in PLANTED} == set()
    planted = " ".join(text for _, text in PLANTED)
    assert [package for package in ONLY_IN if not re.search(rf"\b{package}\b", planted)] == []


def test_what_the_table_names_is_there() -> None:
    """A rule for a file that was moved forbids nothing."""
    names = {_name(path) for path in FILES}
    assert set().union(*ONLY_IN.values(), GEVENT_IN_ENGINE) - names == set()
    assert set().union(*(rooms for rooms, _ in ROOMS.values())) - set(ROOMS) == set()


def drawn_folders(page: str) -> set[str]:
    """Folders in the tree that the page draws: names that end with a slash, two spaces further in for each floor."""
    block = page.split("```\nloadtest/\n")[1].split("```")[0]
    found: set[str] = set()
    above: list[str] = []
    for indent, name in re.findall(r"^( {2,6})([a-z_]+)/ ", block, re.MULTILINE):
        above = [*above[: len(indent) // 2 - 1], name]
        found.add("/".join(above))
    return found


def test_the_page_draws_the_tree_as_it_is() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    folders = {str(path.parent.relative_to(PACKAGE)) for path in FILES if path.name == "__init__.py"} - {"."}
    assert drawn_folders(page) == folders
    assert drawn_folders(page.replace("    html/", "    htlm/")) != folders, "the test can fail"


def _circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    found: list[list[str]] = []
    state: dict[str, int] = {}
    path: list[str] = []

    def visit(module: str) -> None:
        state[module] = 1
        path.append(module)
        for other in sorted(edges.get(module, ())):
            if state.get(other) == 1:
                found.append([*path[path.index(other) :], other])
            elif other not in state:
                visit(other)
        path.pop()
        state[module] = 2

    for module in sorted(edges):
        if module not in state:
            visit(module)
    return found


def _edges(planted: Mapping[str, str] | None = None) -> dict[str, set[str]]:
    edges: dict[str, set[str]] = {}
    for path in FILES:
        own = _name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        source = path.read_text() + (planted or {}).get(_name(path), "")
        targets = (
            m
            for module, names, _ in _imports(source)
            if module.startswith("loadtest.")
            for m in _modules(module, names)
        )
        edges[own] = {".".join(target) for target in targets} - {own}
    return edges


def test_no_circle_between_modules() -> None:
    assert _circles(_edges()) == []
    planted = {"core/measure/histogram.py": "\nfrom loadtest.core.measure.counters import merged\n"}
    assert _circles(_edges(planted)) != [], "the test can fail"


def too_long(source: str) -> list[str]:
    """What of a file is longer than one can take in: itself, or a function (with its docstring)."""
    lines = len(source.splitlines())
    found = [f"{lines} lines"] if lines > LONGEST_FILE else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            found += [f"{node.name}: {lines} lines"] if lines > LONGEST_FUNCTION else []
    return found


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_file_and_no_function_is_longer_than_one_can_take_in(path: Path) -> None:
    assert too_long(path.read_text()) == []


def test_too_long_is_found() -> None:
    assert too_long("x = 1\n" * 300) == []
    assert too_long("x = 1\n" * 301) == ["301 lines"]
    assert too_long("def f():\n" + "    x = 1\n" * 59) == []
    assert too_long("class C:\n    async def f():\n" + "        x = 1\n" * 60) == ["f: 61 lines"]


@pytest.mark.parametrize("path", [path for path in FILES if path.name == "__init__.py"], ids=_name)
def test_a_folder_says_what_lives_there_and_what_may_not(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert len(text.splitlines()) >= 2, "what lives here, and what does not"


def nameless(source: str) -> list[str]:
    """Public classes whose docstring does not begin with a sentence that says what they are, but with a field."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef) and node.name[0] != "_"
        if re.match(r"(\w+(, \w+)*:|$)", ast.get_docstring(node) or "")
    ]


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_public_class_says_what_it_is(path: Path) -> None:
    assert nameless(path.read_text()) == []


@pytest.mark.parametrize("docstring", ["", '"""index: of the first."""', '"""n, over: requests."""'])
def test_a_nameless_class_is_found(docstring: str) -> None:
    assert nameless(f"class C:\n    {docstring}\n    x = 1\n") == ["C"]
    assert nameless('class C:\n    """A thing. index: of the first."""\n') == []


def test_only_three_modules_import_locust_and_only_the_child_patches() -> None:
    importers = {
        _name(p) for p in FILES for module, _, _ in _imports(p.read_text()) if module.split(".")[0] == "locust"
    }
    assert importers == LOCUST
    patchers = {_name(path) for path in FILES if "patch_all(" in path.read_text()}
    assert patchers == {"engine/generator/child.py"}
    first = ast.parse((PACKAGE / "engine/generator/child.py").read_text()).body[:2]
    assert [ast.unparse(node) for node in first] == ["from gevent import monkey", "monkey.patch_all()"]


def test_nothing_imports_the_child_and_only_patched_modules_import_each_other() -> None:
    for path in FILES:
        own = "loadtest." + _name(path).removesuffix(".py").replace("/", ".")
        for module, _, _ in _imports(path.read_text()):
            assert module != "loadtest.engine.generator.child"
            if module in PATCHED:
                assert own in PATCHED, f"{_name(path)} is not of a patched process, it imports {module}"


@pytest.mark.parametrize(
    "statement",
    ["import loadtest", "import loadtest.api", "import loadtest.cli", "import loadtest.cli.run, loadtest.cli.report"],
)
def test_a_fresh_import_loads_nothing_heavy(statement: str) -> None:
    heavy = (
        *("gevent", "locust", "boto3", "botocore", "moto", "prometheus_client", "opentelemetry", "waitress"),
        *("jinja2", "vl_convert"),
    )
    code = f"import sys; {statement}; print(*[m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_import_loadtest_is_light() -> None:
    # Not a timing, which a loaded machine could break: numpy is what would take the time.
    code = "import sys; import loadtest; print(len([m for m in sys.modules if m.startswith('numpy')]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_public_names_are_listed_sorted_and_there() -> None:
    import loadtest

    assert list(loadtest.__all__) == sorted(loadtest.__all__)
    for name in loadtest.__all__:
        assert getattr(loadtest, name) is not None
