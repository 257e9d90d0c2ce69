"""Who may import whom, read from the source; and what `import loadtest` may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "loadtest"

# layer -> (loadtest layers, third-party packages) it may import. docs/architecture.md draws the same table.
MAY_IMPORT: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "version": (set(), set()),
    "core": ({"errors"}, {"numpy", "hdrh"}),
    "wire": ({"errors", "loopback"}, set()),
    "targets": (
        {"errors", "loopback", "version", "core", "wire"},
        {"gevent", "greenlet", "boto3", "botocore", "numpy"},
    ),
    "python": (set(), set()),
    "loopback": (set(), set()),
    "signals": (set(), set()),
    "mock": ({"errors", "loopback", "python", "signals", "core", "targets", "wire"}, {"httptools"}),
    "engine": ({"errors", "version", "python", "core", "targets", "mock"}, {"gevent", "locust"}),
    "aws": ({"errors", "core"}, {"boto3", "botocore"}),
    "jobs": ({"errors", "core", "targets", "mock", "engine", "aws"}, {"yaml"}),
    "emulator": (
        {"errors", "loopback", "version", "core", "jobs", "mock", "targets", "wire"},
        {"botocore", "boto3", "moto", "waitress", "regex", "werkzeug", "urllib3"},
    ),
    "report": ({"errors", "version", "core"}, {"rich", "hdrh", "numpy"}),
    "document": ({"errors", "core"}, {"yaml"}),
    "runoptions": ({"errors", "core"}, set()),
    "jobfile": ({"errors", "core", "document", "runoptions", "targets"}, set()),
    "api": ({"errors", "core", "targets", "engine", "aws", "jobs", "jobfile"}, set()),
    "testing": ({"errors", "emulator", "jobs"}, {"pytest"}),
    "cli": (
        {
            "errors",
            "version",
            "signals",
            "loopback",
            "core",
            "targets",
            "mock",
            "engine",
            "aws",
            "jobs",
            "emulator",
            "report",
            "runoptions",
            "jobfile",
            "api",
        },
        {"click", "rich"},
    ),
}
# Modules of a patched process: nothing of the parent's side may import them.
PATCHED_NAMES = (
    "alarm",
    "arrival_swarm",
    "child",
    "generator",
    "link",
    "master",
    "probe",
    "runners",
    "session",
    "swarm",
    "worker",
)
PATCHED = {f"loadtest.engine.{name}" for name in PATCHED_NAMES}
# Inside a layer, some packages are for these modules alone.
ONLY_IN = {
    "locust": {"engine/cluster/runners.py", "engine/generator/swarm.py"},
    "gevent": {f"engine/{name}.py" for name in PATCHED_NAMES},
    "boto3": {"targets/boto.py"},
}
CORE_FORBIDDEN = {"time", "socket", "threading", "os", "subprocess", "asyncio", "random", "select"}
FILES = sorted(PACKAGE.rglob("*.py"))


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, at module level) of every import; TYPE_CHECKING blocks import nothing at run time."""
    tree = ast.parse(path.read_text())
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
            yield from ((alias.name, id(node) not in nested) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            yield node.module or "", id(node) not in nested


def _layer(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", [path for path in FILES if path.stem[:2] != "__" or path.parent != PACKAGE], ids=_name)
def test_imports_point_downward(path: Path) -> None:
    layer = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    layers, packages = MAY_IMPORT[layer]
    for module, _ in _imports(path):
        top = module.split(".")[0]
        if top == "loadtest":
            assert _layer(module) in layers | {layer}, f"{_name(path)} imports {module}"
        elif top not in sys.stdlib_module_names:
            assert top in packages, f"{_name(path)} imports {module}"
            assert _name(path) in ONLY_IN.get(top, {_name(path)}) or layer not in ("engine",), (
                f"{_name(path)}: {module}"
            )


@pytest.mark.parametrize("path", [p for p in FILES if p.relative_to(PACKAGE).parts[0] == "core"], ids=_name)
def test_the_core_has_no_clock_and_no_io(path: Path) -> None:
    assert not {module.split(".")[0] for module, _ in _imports(path)} & CORE_FORBIDDEN


def test_only_two_modules_import_locust_and_only_the_child_patches() -> None:
    importers = {_name(path) for path in FILES for module, _ in _imports(path) if module.split(".")[0] == "locust"}
    assert importers == {"engine/cluster/runners.py", "engine/generator/swarm.py"}
    patchers = {_name(path) for path in FILES if "patch_all(" in path.read_text()}
    assert patchers == {"engine/generator/child.py"}
    first = ast.parse((PACKAGE / "engine/generator/child.py").read_text()).body[:2]
    assert [ast.unparse(node) for node in first] == ["from gevent import monkey", "monkey.patch_all()"]


def test_nothing_imports_the_child_and_only_patched_modules_import_each_other() -> None:
    for path in FILES:
        own = "loadtest." + _name(path).removesuffix(".py").replace("/", ".")
        for module, _ in _imports(path):
            assert module != "loadtest.engine.generator.child"
            if module in PATCHED:
                assert own in PATCHED, f"{_name(path)} is not of a patched process, it imports {module}"


@pytest.mark.parametrize("statement", ["import loadtest", "import loadtest.api", "import loadtest.cli"])
def test_a_fresh_import_loads_nothing_heavy(statement: str) -> None:
    heavy = ("gevent", "locust", "boto3", "botocore", "moto")
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
