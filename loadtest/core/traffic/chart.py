"""A traffic curve as a chart of ASCII characters, in the style of the charts in `core.traffic.curve`. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from loadtest.core.traffic.curve import TrafficCurve

__all__ = ["draw"]

_TICKS = 6


def draw(curve: TrafficCurve, width: int = 60, height: int = 12, now_s: float | None = None) -> str:
    """Users over seconds: `width` columns (at least 1) for the whole curve, at most `height` rows (at least 1).

    A column stands for end_s / width seconds and shows the most users in them, so no peak is lost. A row is labelled
    with the most users that it stands for. Lines are joined by newlines, without one at the end.
    now_s: columns that begin later are of ":" in place of "#"; None: there are none.
    """
    if width < 1 or height < 1:
        raise ValueError("a chart has at least one column and one row")
    peak = max(curve.peak, 1)
    height = min(height, peak)
    columns = [-(-users * height // peak) for users in _columns(curve, width)]
    labels = [str(peak * row // height) for row in range(1, height + 1)]
    margin = max(5, *(len(label) for label in labels))
    done = ["#" if now_s is None or curve.end_s * i / width < now_s else ":" for i in range(width)]
    lines = [f"{'users':>{margin}}"]
    for row in range(height, 0, -1):
        marks = "".join(done[i] if column == row else " " for i, column in enumerate(columns)).rstrip()
        lines.append(f"{labels[row - 1]:>{margin}} |{marks}")
    tick = max(1, width // _TICKS)
    axis = "".join("+" if column % tick == 0 else "-" for column in range(width + 1))
    lines.append(f"{'':{margin}} {axis}-- s")
    lines.append(f"{'':{margin}} {_tick_labels(curve.end_s, width, tick)}")
    return "\n".join(lines)


def _columns(curve: TrafficCurve, width: int) -> list[int]:
    """The most users in each column's stretch of time."""
    times = [step.at_s for step in curve.steps]
    most = []
    for column in range(width):
        first = bisect_right(times, curve.end_s * column / width) - 1
        last = bisect_left(times, curve.end_s * (column + 1) / width)
        most.append(max(step.users for step in curve.steps[first : max(last, first + 1)]))
    return most


def _tick_labels(end_s: float, width: int, tick: int) -> str:
    """Seconds, each ending below its tick; one that would touch the label before it is left out."""
    line = ""
    for column in range(0, width + 1, tick):
        label = f"{round(end_s * column / width, 2):.6g}"
        gap = column + 1 - len(label) - len(line)
        if gap >= (1 if line else 0):
            line += " " * gap + label
    return line
