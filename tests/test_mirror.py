"""The tests mirror the package: where they lie, what each is named for, and what none of them does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from places import ROOT

PACKAGE, TESTS = ROOT / "loadtest", ROOT / "tests"
NAMED_FROM = 150  # lines of a module that has a test file of its own name; in engine every module has, but ...
NAMED_FROM_IN_ENGINE = 30

# Larger modules without one -> where they are tested, and why there.
TESTED_IN = {
    "aws/metrics.py": "aws/test_telemetry.py",  # by what it is asked for
    "cli/existing.py": "aws/test_run_existing.py",  # the runs whose endpoint it is
    "cli/serve.py": "emulator/test_server.py",  # the verb is flags and this server
    "emulator/app.py": "emulator/test_server.py",  # what a client sees of it
    "emulator/clients.py": "emulator/test_catalogue.py",  # by what is asked through them
    "emulator/fallback.py": "emulator/test_dialect.py",  # its refusals are what a client reads
    "emulator/moto_cloudwatch.py": "emulator/test_cloudwatch.py",  # by CloudWatch's own API
    "jobs/jobrun.py": "jobs/test_virtual_jobs.py",  # whole jobs, in virtual time
    "jobs/testrun.py": "jobs/test_virtual_jobs.py",
    "jobs/schema.py": "jobs/test_store.py",  # rows, written and read
    "mock/connection.py": "mock/test_server.py",  # by bytes on a socket
    "mock/request.py": "mock/test_bytes.py",
    "mock/runtime.py": "mock/test_boto.py",  # by boto3
    "report/comparison.py": "cli/test_compare.py",  # one value, three ways to write it
    "report/recovery.py": "report/test_stored_folders.py",  # by folders of each kind
    "report/html/byusers.py": "report/html/test_page.py",  # a chart is a part of a page
    "report/html/overtime.py": "report/html/test_page.py",
    "report/html/fronts.py": "report/html/test_page.py",
    "report/html/chart.py": "report/html/test_page.py",
    "report/html/tables.py": "report/html/test_page.py",
    "report/html/render.py": "report/html/test_page.py",
    "report/html/changes.py": "report/html/test_versus.py",
    "report/html/overlay.py": "report/html/test_versus.py",
    "report/html/live.py": "web/test_live_run.py",  # its rows, as a reader gets them
    "targets/http/channel.py": "targets/http/test_connection.py",  # scripted servers, every byte
    "targets/http/dial.py": "targets/http/test_openings.py",
    "targets/http/user.py": "targets/http/test_relay.py",
    "core/result/periods.py": "core/result/test_service_side.py",  # what levels are made of
    "report/html/service.py": "report/test_cloudwatch.py",  # the same figures, three ways
    "wire/access.py": "emulator/test_guard.py",  # what it refuses, as a browser and a client see it
    "core/search/capacity.py": "core/search/test_search.py",  # the answer, which is what a search is asked for
    "core/search/level.py": "core/search/test_search.py",
    "core/search/throughput.py": "core/search/test_plateau_search.py",
    "core/search/known.py": "core/search/test_search.py",  # what a search knows, by what it does next
}


def imported(source: str) -> set[str]:
    """Modules that a file imports."""
    tree = ast.walk(ast.parse(source))
    found: set[str] = set()
    for node in tree:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("folder", sorted({path.parent for path in TESTS.rglob("test_*.py")}), ids=str)
def test_tests_lie_where_what_they_test_lies(folder: Path) -> None:
    place = folder.relative_to(TESTS)
    assert (PACKAGE / place).is_dir() or place == Path("emulator/sdk"), f"there is no loadtest/{place}"


def unnamed(sizes: dict[str, int], tests: set[str]) -> list[str]:
    """Modules of so many lines, by their path in the package, that have to have a test file of their name and have none."""
    found = []
    for name, lines in sorted(sizes.items()):
        path = Path(name)
        least = NAMED_FROM_IN_ENGINE if path.parts[0] == "engine" else NAMED_FROM
        if lines > least and str(path.with_name(f"test_{path.name}")) not in tests:
            found.append(name)
    return found


def test_a_module_has_a_test_file_of_its_name() -> None:
    sizes = {
        str(path.relative_to(PACKAGE)): len(path.read_text().splitlines())
        for path in PACKAGE.rglob("*.py")
        if not path.stem.startswith("__")
    }
    tests = {str(path.relative_to(TESTS)) for path in TESTS.rglob("test_*.py")}
    missing = [name for name in unnamed(sizes, tests) if name not in TESTED_IN]
    assert missing == [], "write one, or say in TESTED_IN where it is tested, and why there"
    assert set(TESTED_IN) <= set(sizes)
    assert set(TESTED_IN.values()) <= tests


def test_a_module_without_one_is_found() -> None:
    sizes = {"mock/big.py": 151, "mock/small.py": 150, "engine/parent/pool.py": 31, "engine/parent/asked.py": 30}
    assert unnamed(sizes, set()) == ["engine/parent/pool.py", "mock/big.py"]
    assert unnamed(sizes, {"mock/test_big.py", "engine/parent/test_pool.py"}) == []
    assert unnamed(sizes, {"test_big.py", "engine/test_pool.py"}) == unnamed(sizes, set()), "in its own folder"


def test_no_test_imports_another() -> None:
    for path in TESTS.rglob("*.py"):
        source = path.read_text()
        # Most files need no parsing: it takes a third of a second for all of them otherwise.
        for module in imported(source) if re.search(r"import .*test_|from .*test_", source) else ():
            assert not module.split(".")[-1].startswith("test_"), f"{path} imports {module}: put it into tests/kit"


def test_an_imported_test_is_found() -> None:
    assert imported("import test_a\nfrom kit.test_b import x\n") == {"test_a", "kit.test_b"}


# What NamedTuple and the interpreter call so, although it is meant to be used.
PUBLIC_ALL_THE_SAME = {"_replace", "_asdict", "_fields", "_make", "_exit", "_is_gil_enabled"}
# Of others' packages, which show it nowhere else.
NOWHERE_ELSE = {
    "targets/test_classify.py": ["_throttled_error_codes"],  # botocore's list, which ours is compared with
    "targets/test_refused_credentials.py": ["botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR"],  # else in $HOME
}


def _is_private(name: str) -> bool:
    return re.match(r"_(?!_)", name) is not None and name not in PUBLIC_ALL_THE_SAME


def privates(source: str) -> list[str]:
    """Private names of others that a file uses: attributes, imports, and what is patched by name."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            found += [node.attr] if _is_private(node.attr) and not own else []
        elif isinstance(node, ast.ImportFrom):
            found += [alias.name for alias in node.names if _is_private(alias.name)]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("setattr", "getattr", "delattr"):
            names = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            found += [name for name in names[:1] if any(map(_is_private, name.split(".")[1:] or [name]))]
    return found


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS)))
def test_no_test_reaches_into_privates(path: Path) -> None:
    """Where a test needs a clock or a count, the code takes one or shows one."""
    assert privates(path.read_text()) == NOWHERE_ELSE.get(str(path.relative_to(TESTS)), [])


@pytest.mark.parametrize(
    "planted",
    [
        "controller._recent",
        "service.store._db.execute('x')",
        "from loadtest.payload.payload import _file",
        "monkeypatch.setattr(cloudwatch, '_GATHER_S', 0.01)",
        "monkeypatch.setattr('loadtest.wire.sigv4._light', sha256)",
        "getattr(target, '_shared')",
    ],
)
def test_a_private_access_is_found(planted: str) -> None:
    assert len(privates(planted)) == 1
    assert privates("class C:\n    def f(self):\n        return self._x, row._replace(a=1), __name__, c.__dict__") == []
