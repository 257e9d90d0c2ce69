"""A worker that is not quite the master's: `python other_version.py HOW worker HOST PORT`."""

from gevent import monkey

monkey.patch_all()

import math  # noqa: E402
import runpy  # noqa: E402
import sys  # noqa: E402

from loadtest import version  # noqa: E402
from loadtest.core.measure.record import Recorder  # noqa: E402
from loadtest.core.measure.window import Window  # noqa: E402
from loadtest.core.traffic.plan import Plan  # noqa: E402
from loadtest.engine.cluster.seal import Seal  # noqa: E402


def lying(**lies: object) -> None:
    """Its windows tell of other figures than it measured."""
    honest = Window.to_dict
    Window.to_dict = lambda self: {**honest(self), **lies}


how, host, port = sys.argv.pop(1), sys.argv[2], int(sys.argv[3])
if how == "plan":
    Plan.digest = lambda self: "0" * 64
elif how == "version":
    version.VERSION = "0.0.1"
elif how == "a version of a wrong type":
    version.VERSION = {"a": [1]}
elif how == "5e15 successes":
    lying(ok=5 * 10**15)
elif how == "a window of NaN":
    lying(start_s=math.nan, p95_ms=math.nan)
elif how == "a level that there is not":
    lying(level=7)
elif how == "latencies of more time than there was":
    record = Recorder.record_success
    Recorder.record_success = lambda self, latency_ns, *rest: record(self, latency_ns + 10**9, *rest)
elif how == "an answer that nobody asked for":
    close = Seal.close
    Seal.close = lambda self, kind, data: close(self, kind, {**data, "asked": 1.0} if "asked" in (data or {}) else data)
elif how == "nothing with a seal":
    Seal.close = lambda self, kind, data: data
elif how == "garbage bytes":
    import zmq.green as zmq

    socket = zmq.Context().socket(zmq.DEALER)
    socket.setsockopt(zmq.IDENTITY, b"garbage")
    socket.connect(f"tcp://{host}:{port}")
    for garbage in (b"", b"\xc1", b"\x93\x01\x02", b"\xff" * 1000, b"\x93\xa1a\xc0\xa1b", b"\x81\xa1a"):
        socket.send(garbage)
    socket.close(1000)
    sys.exit(0)
runpy.run_module("loadtest.engine.generator.child", run_name="__main__")
