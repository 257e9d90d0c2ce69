"""The servers that the clients are measured against, on loopback, each a process on the server's core.

`fast_server` answers at once; `latency_server` after a known delay, with a log of its own; nginx where TLS is spoken.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import cores, pinned

__all__ = ["LatencyServer", "NoServer", "Server", "fast_server", "latency_server", "nginx"]

LOGNORMAL = ("lognormal", "20", "0.405")  # p50 20 ms, p95 39 ms, p99 51 ms


class NoServer(Exception):
    """Something that a server needs is not installed; the text says what."""


@dataclass(frozen=True)
class Server:
    """url: http(s)://127.0.0.1:PORT. ca_file: of a TLS server's certificate. pid: of the process that answers."""

    url: str
    name: str
    pid: int
    ca_file: str | None = None

    def cpu_s(self) -> float:
        """CPU time it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class LatencyServer(Server):
    """log: (arrival, latency) in ns of every request it answered, filled when its context ends."""

    log_path: str = ""

    def log(self) -> NDArray[np.int64]:
        """Shape (n, 2). Call it after the context has ended."""
        return np.fromfile(self.log_path, np.int64).reshape(-1, 2)


@cache
def _program() -> str:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NoServer("there is no gcc to compile latency_server.c with")
    folder = tempfile.TemporaryDirectory(prefix="loadtest-bench-")
    _KEPT.append(folder)
    source = Path(__file__).with_name("latency_server.c")
    program = f"{folder.name}/latency_server"
    subprocess.run([compiler, "-O2", "-o", program, str(source), "-lm"], check=True)
    return program


_KEPT: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends


@contextmanager
def latency_server(*law: str, on: set[int] | None = None, log: bool = True) -> Iterator[LatencyServer]:
    """Answers after a delay of `law` (default: log-normal around 20 ms). on: its cores. Raises NoServer."""
    program = _program()
    with tempfile.TemporaryDirectory(prefix="loadtest-bench-") as folder:
        kept = ""
        if log:  # it outlives the server; whoever reads it removes it
            handle, kept = tempfile.mkstemp(prefix="loadtest-log-")
            os.close(handle)
        env = {**os.environ, **({"LOG": f"{folder}/log"} if log else {})}
        with pinned(on or cores()[0]):
            process = subprocess.Popen([program, *(law or LOGNORMAL)], stdout=subprocess.PIPE, env=env, text=True)
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield LatencyServer(f"http://127.0.0.1:{port}", " ".join(law or LOGNORMAL), process.pid, None, kept)
        finally:
            _end(process)
            if log:
                shutil.move(f"{folder}/log", kept)


@contextmanager
def fast_server(*, on: set[int] | None = None) -> Iterator[Server]:
    """Answers at once: our own where there is a compiler, since nginx would limit the fastest clients."""
    try:
        _program()
    except NoServer:
        with nginx(on=on) as server:
            yield server
        return
    with latency_server("instant", on=on, log=False) as server:
        yield server


@contextmanager
def nginx(*, tls: bool = False, on: set[int] | None = None) -> Iterator[Server]:
    """nginx, one worker, that answers at once and never ends a connection. Raises NoServer."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise NoServer("nginx is not installed (benchmarks/install_peers.sh)")
    with tempfile.TemporaryDirectory(prefix="loadtest-bench-") as folder:
        port = _free_port()
        ca_file = _certificate(folder) if tls else None
        Path(f"{folder}/nginx.conf").write_text(_configuration(folder, port, tls), encoding="ascii")
        with pinned(on or cores()[0]):
            process = subprocess.Popen(
                [program, "-p", folder, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"],
                stdout=subprocess.DEVNULL,
            )
        try:
            _await_port(port)
            scheme = "https" if tls else "http"
            yield Server(f"{scheme}://127.0.0.1:{port}", f"nginx {scheme}", _worker_of(process.pid), ca_file)
        finally:
            _end(process)


def _configuration(folder: str, port: int, tls: bool) -> str:
    listen = f"listen 127.0.0.1:{port} backlog=4096"
    secure = f"ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;" if tls else ""
    user = "user root;" if os.getuid() == 0 else ""
    folders = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
        daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit; {user}
        worker_rlimit_nofile 20000;
        events {{ worker_connections 15000; }}
        http {{
            access_log off; {folders} default_type application/json;
            keepalive_requests 1000000000; keepalive_timeout 1h; tcp_nodelay on;
            server {{ {listen}{" ssl" if tls else ""}; {secure}
                location / {{ return 200 '{{"predictions":[0.5]}}'; }} }}
        }}"""


def _certificate(folder: str) -> str:
    """A key and a self-signed certificate for 127.0.0.1, for this run only."""
    if shutil.which("openssl") is None:
        raise NoServer("openssl is not installed")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run(command, check=True, capture_output=True)
    return f"{folder}/cert.pem"


def _worker_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(children[0]) if children else pid


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _await_port(port: int) -> None:
    until_s = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.02)
        else:
            return


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
