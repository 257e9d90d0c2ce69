from gevent import monkey

monkey.patch_all()
# Only now may anything else be imported: what was imported before the patch keeps blocking calls, and boto3
# recurses without end (locust #2250). This is the only module that patches, and no module imports it.

import faulthandler  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import traceback  # noqa: E402
from collections.abc import Mapping  # noqa: E402
from typing import Any  # noqa: E402

from loadtest.core.traffic.plan import Plan  # noqa: E402
from loadtest.engine.cluster.master import run_master  # noqa: E402
from loadtest.engine.cluster.worker import run_worker  # noqa: E402
from loadtest.engine.generator.link import Link  # noqa: E402
from loadtest.engine.generator.session import run_local  # noqa: E402
from loadtest.engine.messages import KEYS_FOLLOW, failure  # noqa: E402
from loadtest.errors import LoadtestError  # noqa: E402

HARD_SLACK_S = 60.0  # after the traffic and the drain a run has this long to report, then it is ended

__doc__ = """Entry of a generator process, `loadtest.engine.generator.child [ROLE ...]`: messages on stdin and stdout.

    (no role)                       a Plan comes first on stdin; this process runs all of it
    master HOST PORT WORKERS JOIN_S the same, but workers that join at HOST:PORT (0: any free port) run it
    worker HOST PORT                joins a master; the plan comes from there
"""


def main() -> int:
    """Run the plan that comes on stdin; exit code 0 if a result or a stated failure was sent."""
    link = Link(0, _claim_stdout())
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    try:
        if os.environ.pop(KEYS_FOLLOW, None):
            os.environ.update(_first_command(link, "keys")["values"])
        _play(link, *sys.argv[1:])
    except LoadtestError as problem:
        link.send("failed", **failure(problem))
    except Exception as problem:
        traceback.print_exc()
        link.send("failed", **failure(problem))
    link.close()
    return 0


def _play(link: Link, role: str = "local", *arguments: str) -> None:
    if role == "worker":
        host, port = arguments
        run_worker(host, int(port), link)
        return
    plan = Plan.from_dict(_first_command(link, "plan")["plan"])
    if role == "master":
        host, port, workers, join_s = arguments
        _limit(plan, float(join_s))
        run_master(plan, host, int(port), int(workers), float(join_s), link)
    else:
        _limit(plan, 0.0)
        run_local(plan, link)


def _claim_stdout() -> int:
    """Keep the pipe to the parent for messages alone: whatever a plug-in prints goes to stderr."""
    pipe = os.dup(1)
    os.dup2(2, 1)
    return pipe


def _first_command(link: Link, kind: str) -> Mapping[str, Any]:
    while not link.commands:
        link.arrived.wait()
        link.arrived.clear()
    command = link.commands.popleft()
    if command["kind"] != kind:
        raise SystemExit(70)
    return command


def _limit(plan: Plan, join_s: float) -> None:
    """The hard end of a run that may wait `join_s` for workers.

    A C thread keeps it, which needs neither the event loop nor the interpreter's lock.
    """
    faulthandler.dump_traceback_later(join_s + plan.end_s + plan.options.drain_s + HARD_SLACK_S, exit=True)


if __name__ == "__main__":
    code = main()
    faulthandler.cancel_dump_traceback_later()
    sys.stderr.flush()
    # Greenlets of a stuck target must not keep a finished process alive.
    os._exit(code)
