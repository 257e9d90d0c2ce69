"""Interpreter, cores, clock, kernel timestamps, limits: what measurements rest on, and what else takes their place."""

from __future__ import annotations

import os
import platform
import select
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.doctor.finding import Finding
from loadtest.engine.parent.descriptors import SPARE
from loadtest.errors import words
from loadtest.targets.http import timestamps

__all__ = ["KernelFiles", "machine", "python"]

PYTHON = (3, 11)
FEW_FILES, MANY_FILES = 256, 10_000
_SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies", "refined-jiffies")
_TRIES = 50  # the kernel begins to stamp a moment after the first socket asked


@dataclass(frozen=True, slots=True)
class KernelFiles:
    """Where Linux tells of itself. quota: of the container's processor time. scheduler: all of them are needed."""

    clock: Path = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    quota: Path = Path("/sys/fs/cgroup/cpu.max")
    scheduler: tuple[Path, ...] = (Path("/proc/self/schedstat"), Path("/proc/stat"))


KERNEL = KernelFiles()


def machine(kernel: KernelFiles = KERNEL) -> Iterator[Finding]:
    """A finding for each question about this machine. Takes milliseconds; uses the loopback interface only."""
    yield python()
    yield _cores(kernel.quota)
    yield _clock(kernel.clock)
    yield _kernel_timestamps()
    yield _readiness()
    yield _scheduler(kernel.scheduler)
    yield _files()


def python(interpreter: Any = sys) -> Finding:
    """Whether this is an interpreter that was tried. interpreter: what `sys` says of it."""
    found = f"{platform.python_implementation()} {platform.python_version()}, {interpreter.executable}"
    if interpreter.implementation.name != "cpython" or interpreter.version_info < PYTHON:
        return Finding("Python", "bad", found, f"install CPython {'.'.join(map(str, PYTHON))} or newer")
    if not getattr(interpreter, "_is_gil_enabled", lambda: True)():
        return Finding("Python", "note", f"{found}, free-threaded", "not tried: take the ordinary build")
    return Finding("Python", "good", found)


def _cores(quota: Path) -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = f"{cores} ({platform.machine()})"
    try:
        quota_us, period_us = quota.read_text(encoding="ascii").split()
        share = float(quota_us) / float(period_us)  # "max" is no number: no quota
    except (OSError, ValueError):
        return Finding("Cores", "good", found)
    advice = "give the container whole cores: one that is halted by its quota measures the halt"
    return Finding("Cores", "note", f"{found}, but no more than {share:g} of their time", advice)


def _clock(source: Path) -> Finding:
    resolution_ns = time.get_clock_info("monotonic").resolution * 1e9
    try:
        name = source.read_text(encoding="ascii").strip()
    except OSError:
        return Finding("Clock", "good", f"{resolution_ns:g} ns resolution; its source is not told here")
    if name in _SLOW_CLOCKS:
        advice = "reading it is a system call; boot with clocksource=tsc if the processor's counter is steady"
        return Finding("Clock", "note", f"{name}, {resolution_ns:g} ns", advice)
    return Finding("Clock", "good", f"{name}, {resolution_ns:g} ns resolution")


def _kernel_timestamps() -> Finding:
    fallback = (
        "latencies are taken by the generator's own clock, so a busy machine lengthens them: keep it below half load"
    )
    try:
        stamped = sys.platform == "linux" and _stamped()
    except OSError as problem:
        return Finding(
            "Kernel timestamps", "bad", f"no loopback connection: {words(problem)}", "bring the interface lo up"
        )
    if stamped:
        return Finding("Kernel timestamps", "good", "answers are stamped when the kernel receives them")
    return Finding("Kernel timestamps", "note", f"none on {platform.system()}", fallback)


def _stamped() -> bool:
    """Whether what a loopback connection receives has the kernel's time."""
    with (
        closing(timestamps.anchor()),
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), timeout=5) as sender,
        listener.accept()[0] as receiver,
    ):
        receiver.settimeout(5)
        if not timestamps.enable(receiver):
            return False
        for _ in range(_TRIES):
            sender.sendall(b".")
            _, ancillary, _, _ = receiver.recvmsg(1, timestamps.ANCILLARY_BYTES)
            if ancillary:
                return True
            time.sleep(0.002)
    return False


def _readiness() -> Finding:
    if hasattr(select, "epoll"):
        return Finding("Readiness", "good", "epoll: many answers in one turn of the loop")
    advice = "fewer requests a second and core: `loadtest calibrate` says how many"
    return Finding("Readiness", "note", "no epoll: a watcher of the loop for each connection", advice)


def _scheduler(files: Sequence[Path]) -> Finding:
    missing = [str(file) for file in files if not os.access(file, os.R_OK)]
    if not missing:
        return Finding("Waiting for a core", "good", "told by the kernel")
    advice = "a machine that is too busy is found by its late loop alone: run nothing beside the generator"
    return Finding("Waiting for a core", "note", f"not told: no {' and no '.join(missing)}", advice)


def _files() -> Finding:
    if sys.platform == "win32":
        return Finding("Open files", "good", "not limited here")
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return Finding("Open files", "good", "not limited")
    found = f"at most {hard}, so {max(0, hard - SPARE)} users a process (the soft limit, {soft}, is raised as needed)"
    advice = "raise it: `ulimit -Hn 65536` as root, or nofile in /etc/security/limits.conf, or --ulimit nofile=65536"
    if hard < FEW_FILES:
        return Finding("Open files", "bad", found, advice)
    return Finding("Open files", "good" if hard >= MANY_FILES else "note", found, "" if hard >= MANY_FILES else advice)
