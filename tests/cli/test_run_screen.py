"""A run on a real terminal: what stands on its screen, at any size, and what stays when it is gone."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte
import pytest
from siblings import siblings

pytestmark = pytest.mark.live

LIMIT_S = 120
COLOUR = re.compile(rb"\x1b\[(?:\d+;)*[349]\d(?:;\d+)*m")


class Terminal:
    """A pseudo terminal with a process on it, seen through pyte, which is as large as the terminal."""

    def __init__(self, command: list[str], *, columns: int = 80, rows: int = 24, **variables: str) -> None:
        self._ours, theirs = pty.openpty()
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._size(theirs, columns, rows)
        environ = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environ, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **variables},
            start_new_session=True,
        )
        os.close(theirs)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def resize(self, columns: int, rows: int) -> None:
        self._size(self._ours, columns, rows)
        self.screen.resize(rows, columns)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    def read(self, wait_s: float = 0.2) -> bool:
        """Take what there is. False: nobody is left to write."""
        if not select.select([self._ours], [], [], wait_s)[0]:
            return True
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def until(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """The lines as soon as they are like that."""
        end_s = time.monotonic() + LIMIT_S
        while not condition(self.lines):
            assert self.read(), "\n".join(self.lines)
            assert time.monotonic() < end_s, "\n".join(self.lines)
        return self.lines

    def end(self) -> str:
        """What was written after the screen was given back, once the process has ended."""
        while self.read():
            pass
        assert self.process.wait(LIMIT_S) is not None
        return re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", self.raw.decode().rpartition("\x1b[?1049l")[2])

    @staticmethod
    def _size(descriptor: int, columns: int, rows: int) -> None:
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextmanager
def on_terminal(
    job: Path, out: Path, *flags: str, columns: int = 80, rows: int = 24, **variables: str
) -> Iterator[Terminal]:
    command = [sys.executable, "-m", "loadtest", "run", str(job), "--output-dir", str(out), *flags]
    terminal = Terminal(command, columns=columns, rows=rows, **variables)
    try:
        yield terminal
    finally:
        terminal.close()


@pytest.fixture
def job(tmp_path: Path) -> Callable[[int], Path]:
    """A job of so many seconds, whose two levels are half of it each."""

    def write(seconds: int) -> Path:
        request = json.loads(Path("scenarios/short.json").read_text())
        stairs = {"DurationInSeconds": seconds, "NumberOfSteps": 2, "UsersPerStep": 1}
        request["InputConfig"]["TrafficPattern"]["Stairs"] = stairs
        path = tmp_path / "job.json"
        path.write_text(json.dumps(request))
        return path

    return write


def has(*words: str) -> Callable[[list[str]], bool]:
    return lambda lines: all(any(word in line for line in lines) for word in words)


def test_the_screen_of_a_run_and_what_stays(job: Callable[[int], Path], tmp_path: Path) -> None:
    with on_terminal(job(8), tmp_path / "out") as terminal:
        terminal.until(has("starting 1 load generator"))
        lines = terminal.until(has("you are here", "trust", "verdict", "1 of 1", "highest"))
        assert re.search(r"^short  mock:servers=4.* \d:\d\d of 0:08  \d+ %$", lines[0])
        for start in ("rate", "P95", "flat", "trust"):
            assert any(line.startswith(start) for line in lines), start
        assert any("█" in line and "░" in line for line in lines), "the curve, done and ahead"
        assert all(len(line) <= 80 for line in lines)
        terminal.until(has("2 of 2"))
        assert COLOUR.search(terminal.raw)
        after = terminal.end()
        assert terminal.process.returncode == 0
    assert "Best rate" in after
    assert "you are here" not in after, "the screen left no trace"
    assert "\x1b[?25h" in terminal.raw.decode(), "the cursor is back"


def test_it_follows_the_terminals_size(job: Callable[[int], Path], tmp_path: Path) -> None:
    with on_terminal(job(60), tmp_path / "out") as terminal:
        terminal.until(has("you are here"))
        for columns, rows, words in [(120, 40, "you are here"), (40, 10, "trust"), (80, 24, "you are here")]:
            terminal.resize(columns, rows)
            # Whole again at the new size: what was drawn for the old one is overwritten within a second.
            width = columns - 2 if columns < 120 else 110
            lines = terminal.until(
                lambda lines, w=words, n=width: (
                    has(w)(lines) and len(lines[0]) >= n and sum("trust" in line for line in lines) == 1
                )
            )
            assert lines[0].startswith("short")
        os.killpg(terminal.process.pid, signal.SIGINT)
        terminal.until(has("stopping: requests in flight"))
        after = terminal.end()
        assert terminal.process.returncode == 130
    assert after.lstrip().startswith("stopping: requests in flight are finished first; once more to end at once")


def test_no_color_is_obeyed(job: Callable[[int], Path], tmp_path: Path) -> None:
    with on_terminal(job(2), tmp_path / "out", NO_COLOR="1") as terminal:
        terminal.until(has("you are here"))
        terminal.end()
        assert not COLOUR.search(terminal.raw)


@pytest.mark.parametrize(("flags", "variables"), siblings([(["--plain"], {}), ([], {"TERM": "dumb"})]))
def test_lines_instead(job: Callable[[int], Path], tmp_path: Path, flags: list[str], variables: dict[str, str]) -> None:
    with on_terminal(job(7), tmp_path / "out", *flags, **variables) as terminal:
        terminal.end()
        assert terminal.process.returncode == 0
        text = terminal.raw.decode()
    assert "\x1b[?1049h" not in text
    assert re.search(r"^0:0\d/0:07  \d users?  [\d.,]+ req/s  p50 .* ms  0 errors", text, re.MULTILINE)
    assert "you are here" not in text
    if variables:
        assert "\x1b" not in text


@pytest.mark.slow
def test_an_ascii_terminal_gets_ascii(job: Callable[[int], Path], tmp_path: Path) -> None:
    with on_terminal(job(4), tmp_path / "out", PYTHONIOENCODING="ascii") as terminal:
        terminal.until(has("v you are here"))
        screen = terminal.raw.partition(b"\x1b[?1049h")[2].partition(b"\x1b[?1049l")[0]
        assert screen.isascii()
        terminal.end()
        assert terminal.process.returncode == 0


def test_a_terminal_that_nobody_reads_keeps_no_result_back(job: Callable[[int], Path], tmp_path: Path) -> None:
    # One picture of this size is more than the kernel keeps for a reader.
    with on_terminal(job(3), tmp_path / "out", columns=500, rows=300) as terminal:
        end_s = time.monotonic() + LIMIT_S
        while not (tmp_path / "out" / "summary.json").exists():
            assert terminal.process.poll() is None
            assert time.monotonic() < end_s
            time.sleep(0.05)
        terminal.end()
        assert terminal.process.returncode == 0


@pytest.mark.slow
def test_a_replay_and_the_end_are_shown(job: Callable[[int], Path], tmp_path: Path) -> None:
    with on_terminal(job(2), tmp_path / "out", "--confirm", "--confirm-for", "3s") as terminal:
        terminal.until(has("/s open", "of 0:03"))
        terminal.end()
        assert terminal.process.returncode == 0
