"""A worker that is not quite the master's: `python other_version.py plan|version worker HOST PORT` says in what."""

from gevent import monkey

monkey.patch_all()

import runpy  # noqa: E402
import sys  # noqa: E402

from loadtest import version  # noqa: E402
from loadtest.core.plan import Plan  # noqa: E402

if sys.argv.pop(1) == "plan":
    Plan.digest = lambda self: "0" * 64
else:
    version.VERSION = "0.0.1"
runpy.run_module("loadtest.engine.child", run_name="__main__")
