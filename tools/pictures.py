"""The pictures of the docs, made anew: `make pictures`. Real runs of the demo job and of a slower endpoint: a chart as
the package itself draws pictures, and the tops of the report and of the comparison as Chromium shows them.

Takes four minutes, most of which are the runs'. Needs the extra `report` and a chromium. What the figures say
depends on the machine, so the pictures are looked at before they are committed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from loadtest.report.html.page import page_of
from loadtest.report.html.pictures import write_pictures
from loadtest.report.recovery import read_run

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
JOB = ROOT / "scenarios" / "quickstart.json"
NOW = "mock:servers=4,service_ms=40,law=lognormal,sigma=0.3,seed=1"
SLOWER = "mock:servers=4,service_ms=48,law=lognormal,sigma=0.3,seed=1"
CHART = "scaling"
SCREENS: Mapping[str, int] = {"report": 600, "compare": 940}  # page -> height of its top that is shown
WIDTH = 1000
MOST_BYTES = 300_000  # of all of them


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("no chromium here: apt-get install chromium", file=sys.stderr)
        return 1
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        run = ["run", JOB, "--target", SLOWER, "--repeat", 3, "--against", NOW, "--output-dir", "runs", "--quiet"]
        command = [sys.executable, "-m", "loadtest", *map(str, run)]
        subprocess.run(command, cwd=scratch, check=True, stdout=subprocess.DEVNULL)
        runs = Path(scratch) / "runs"
        write_pictures(scratch, page_of([read_run(runs / "a1")]), scale=1.0)
        shutil.copy(Path(scratch) / f"{CHART}.png", PICTURES)
        screenshot(chromium, runs / "a1" / "report.html", "report", scratch)
        screenshot(chromium, runs / "compare.html", "compare", scratch)
    sizes = {path.name: path.stat().st_size for path in sorted(PICTURES.glob("*.png"))}
    print("\n".join(f"{size:>8,} {name}" for name, size in sizes.items()))
    return int(sum(sizes.values()) > MOST_BYTES)


def screenshot(chromium: str, page: Path, name: str, scratch: str) -> None:
    """The top of a page. Time stands still for Chromium until its charts are drawn."""
    # Root has no sandbox of its own, and a profile of somebody's has no place in a picture.
    flags = ["--headless=new", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={scratch}/profile"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    size = f"--window-size={WIDTH},{SCREENS[name]}"
    target = PICTURES / f"{name}.png"
    subprocess.run(
        [chromium, *flags, size, "--virtual-time-budget=60000", f"--screenshot={target}", page.as_uri()],
        check=True,
        timeout=180,
        capture_output=True,
    )


if __name__ == "__main__":
    sys.exit(main())
