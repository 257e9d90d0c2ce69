"""The folder of a run that is over, written in one go."""

from __future__ import annotations

import os

from loadtest.core.result.result import RunResult
from loadtest.report.folder import RunFolder

__all__ = ["whole_folder"]


def whole_folder(
    output_dir: str | os.PathLike[str], result: RunResult, created_at: float, *, exact: bool = False, log: str = ""
) -> RunFolder:
    """As `RunFolder` makes it while a run goes on, closed; its `path`, and what is `missing`.

    log: what its log begins with. Raises as `RunFolder` does.
    """
    with RunFolder(
        output_dir,
        result.plan,
        created_at=created_at,
        exact=exact,
        job=result.job,
        label=result.label,
        info=result.info,
        environment=result.environment,
    ) as folder:
        if log:
            folder.log(log)
        folder.start(result.started_at)
        folder.changes(result.changes)
        for window in result.windows:
            folder.window(window)
        folder.finish(result)
    return folder
