"""The chart library of a page: Vega, Vega-Lite and Vega-Embed in one script, as the package vl-convert bundles them.

Making the bundle takes seconds, so it is kept in the cache directory under the versions that are in it. Nothing of it
lies in this tree. Without the package there is no script, and a page has its tables only.
"""

from __future__ import annotations

import contextlib
from typing import Any

from loadtest.cache import cache_dir, keep

__all__ = ["INSTALL", "NoLibrary", "converter", "script"]

INSTALL = "pip install 'loadtest[report]'"
_GLOBAL = "window.vegaEmbed=vegaEmbed;"


class NoLibrary(Exception):
    """Charts cannot be drawn; the text says why and what helps."""


def converter() -> Any:
    """The module vl_convert. Raises NoLibrary."""
    try:
        import vl_convert
    except ImportError as problem:
        raise NoLibrary(f"charts need a package that is not installed here: {INSTALL}") from problem
    return vl_convert


def script() -> str:
    """The bundle. Raises NoLibrary."""
    vl_convert = converter()
    versions = (
        vl_convert.get_vega_version(),
        vl_convert.get_vegalite_versions()[-1],
        vl_convert.get_vega_embed_version(),
    )
    path = cache_dir() / f"vega-{'-'.join(versions)}-{vl_convert.__version__}.js"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = path.read_text(encoding="utf-8")
        if text.endswith(_GLOBAL):
            return text
    try:
        made = str(vl_convert.javascript_bundle(_GLOBAL))
    except Exception as problem:  # the bundler is another language's, its failures are of any kind
        raise NoLibrary(f"the chart library could not be bundled: {problem}") from problem
    made = made if made.endswith(_GLOBAL) else f"{made}\n{_GLOBAL}"
    with contextlib.suppress(OSError):
        keep(path, made)
    return made
