"""What holds for every test: fewer generated examples than Hypothesis would make, and signals that are heard."""

from __future__ import annotations

import signal

from hypothesis import settings

# The whole suite stays a matter of minutes; a test may ask for more.
settings.register_profile("short", max_examples=40, deadline=None)
settings.load_profile("short")

# A shell starts what it runs in the background with signals ignored, children inherit it, and `loadtest` heeds it.
for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)
