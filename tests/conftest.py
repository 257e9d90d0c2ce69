"""Fewer generated examples by default, so that the whole suite stays a matter of minutes; a test may ask for more."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("short", max_examples=40, deadline=None)
settings.load_profile("short")
