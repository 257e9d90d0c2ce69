"""Which signals are ours to heed."""

from __future__ import annotations

import signal

__all__ = ["heeded"]


def heeded(*names: str) -> list[signal.Signals]:
    """Those of the named signals that this system has and that nobody asked us to ignore.

    `nohup` and a script's background jobs start a process with SIGHUP or SIGINT ignored: it is meant to go on.
    """
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
