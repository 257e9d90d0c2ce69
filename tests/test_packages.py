"""What is shipped is complete: sdist and wheel, and the wheel in an environment of its own, away from the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from loadtest.version import VERSION

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
DATA = {
    str(path.relative_to(ROOT))
    for path in (ROOT / "loadtest").rglob("*")
    if path.is_file() and path.suffix not in (".pyc", ".pyo")
}


def _run(*command: str | Path, cwd: Path) -> str:
    """What it prints; nothing of the checkout is on its way."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=900, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _environment(folder: Path, *packages: str | Path) -> Path:
    """The programs' folder of a new environment with these packages."""
    venv.create(folder, with_pip=True)
    _run(folder / "bin/python", "-m", "pip", "install", "--quiet", *packages, cwd=folder)
    return folder / "bin"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it alone."""
    folder = tmp_path_factory.mktemp("dist")
    tools = _environment(folder / "tools", "build")
    _run(tools / "python", "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def installed(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return _environment(dist / "environment", wheel)


def test_the_sdist_has_what_a_distributor_needs(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= DATA
    for name in ("LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "Makefile", "pyproject.toml"):
        assert name in names
    for folder in ("tests", "docs", "scenarios", "benchmarks"):
        kept = _run("git", "ls-files", folder, cwd=ROOT).split()
        assert set(kept) <= names, f"something of {folder} is missing"
    assert not [name for name in names if name.endswith(".pyc") or name.startswith((".venv", "runs/", ".git/"))]


def test_the_wheel_has_the_package_and_its_licence(dist: Path) -> None:
    (path,) = dist.glob("*.whl")
    assert path.name == f"loadtest-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        facts = archive.read(f"loadtest-{VERSION}.dist-info/METADATA").decode()
    assert {name for name in names if not name.startswith("loadtest-")} == DATA
    assert f"loadtest-{VERSION}.dist-info/licenses/LICENSE" in names
    assert "License-Expression: Apache-2.0" in facts
    assert re.search(r"^Requires-Python: >=3\.11$", facts, re.M), "no upper bound"
    assert "pytest" not in re.findall(r"^Requires-Dist: ([\w-]+)[^;]*$", facts, re.M)


def test_away_from_the_checkout_it_says_its_version_and_that_all_is_well(installed: Path, tmp_path: Path) -> None:
    assert _run(installed / "loadtest", "--version", cwd=tmp_path).split()[-1] == VERSION
    findings = json.loads(_run(installed / "loadtest", "doctor", "--json", cwd=tmp_path))
    assert not [finding for finding in findings if finding["state"] == "bad"]


def test_away_from_the_checkout_the_demo_runs(installed: Path, tmp_path: Path) -> None:
    _run(installed / "loadtest", "demo", "--quiet", "--output-dir", tmp_path / "out", cwd=tmp_path)
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["reason"] in ("FLAT", "CURVE_END")  # a machine that others load may not get to the knee
    assert summary["totals"]["ok"] > 100


def test_away_from_the_checkout_a_job_is_made_and_simulated(installed: Path, tmp_path: Path) -> None:
    flags = ("--target", "mock:servers=4,service_ms=40", "--stairs", "1x6/12m", "--p95", "200ms")
    _run(installed / "loadtest", "init", *flags, cwd=tmp_path)
    code = "import loadtest; r = loadtest.simulate('job.yaml'); print(r.reason.value, round(r.max_invocations_per_min))"
    reason, rate = _run(installed / "python", "-W", "error", "-c", code, cwd=tmp_path).split()
    assert reason == "FLAT"
    assert int(rate) == pytest.approx(6000, rel=0.02)


def test_what_is_installed_is_typed(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text("import loadtest\nresult: int = loadtest.simulate('job.yaml')\n")
    mypy = [sys.executable, "-m", "mypy", "--python-executable", str(installed / "python"), "user.py"]
    done = subprocess.run(mypy, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert 'has type "RunResult"' in done.stdout, "py.typed is there, and the types are seen"
