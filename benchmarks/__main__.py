"""Run all benchmarks, or those named, each in a process of its own: `python -m benchmarks [--quick] [NAMES]`.

Exit code 1 if one of them broke.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

NAMES = (
    *("recorder", "spawn", "memory", "workers", "invoke_throughput", "fidelity"),
    *("stop_quality", "designs", "rises", "hostile", "compare_quality", "report", "capacity"),
)
LIMIT_S = 1800


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    parser.add_argument("names", nargs="*", metavar="NAMES", help=f"of {', '.join(NAMES)}; none means all")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    broken = False
    for name in chosen.names or NAMES:
        command = [sys.executable, "-m", f"benchmarks.{name}", *(["--quick"] if chosen.quick else [])]
        ended = subprocess.run(command, cwd=Path(__file__).resolve().parent.parent, check=False, timeout=LIMIT_S)
        broken = broken or ended.returncode != 0
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
