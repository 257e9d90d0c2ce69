"""Invokes targets in a process as the generator's: gevent patched first. Runs on stdin, outcomes on stdout, as JSON.

A run is {"ref", "options", "env", "payloads": [[hex body, content type], ...]}; an outcome is its fields by name.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

from loadtest.core.traffic.plan import TargetRef  # noqa: E402
from loadtest.targets.base import Payload, PerUserTarget  # noqa: E402
from loadtest.targets.open import open_target  # noqa: E402


def outcomes(run: dict[str, Any]) -> list[dict[str, Any]]:
    os.environ.update(run["env"])
    target = open_target(TargetRef(run["ref"], run["options"]), peak_users=2)
    user = target.for_user() if isinstance(target, PerUserTarget) else target
    try:
        payloads = [Payload(bytes.fromhex(body), content_type) for body, content_type in run["payloads"]]
        return [{**user.invoke(payload)._asdict(), "per_user": user is not target} for payload in payloads]
    finally:
        if user is not target:
            user.close()
        target.close()


if __name__ == "__main__":
    json.dump([outcomes(run) for run in json.load(sys.stdin)], sys.stdout)
