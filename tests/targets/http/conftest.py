"""A patched process that drives targets, and servers whose every byte is scripted."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Script = Callable[["Peer"], None]


class Seen(NamedTuple):
    """A request as it arrived; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


class Row(NamedTuple):
    """An outcome as the driver prints it."""

    kind: str
    status: int
    bytes_in: int
    sent_ns: int
    first_byte_ns: int
    done_ns: int
    model_latency_us: int | None
    detail: str
    kernel_clock: bool
    gaps_ns: list[int] | None
    opening: list[Any] | None  # lookup_ns, connect_ns, handshake_ns, dead, resent, cause


class Peer:
    """The server's side of one connection. index: how many connections came before."""

    def __init__(self, sock: socket.socket, index: int, server: Server) -> None:
        self.sock, self.index, self.server = sock, index, server
        self.buffer = b""

    def receive(self) -> bytes:
        data = self.sock.recv(1 << 20)
        if not data:
            raise EOFError
        return data

    def read(self) -> Seen:
        """One whole request."""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.receive()
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        parts, size = [rest], len(rest)
        length = int(headers.get("content-length", "0"))
        while size < length:
            parts.append(self.receive())
            size += len(parts[-1])
        body = b"".join(parts)
        self.buffer = body[length:]
        seen = Seen(line, headers, body[:length])
        self.server.seen.append(seen)
        return seen

    def send(self, *pieces: bytes, gap_s: float = 0.0) -> None:
        for i, piece in enumerate(pieces):
            if i:
                self.server.stopping.wait(gap_s)
            self.sock.sendall(piece)

    def answer(self, body: bytes = b"{}", status: str = "200 OK", *headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        self.send("\r\n".join(lines).encode() + body)

    def until_closed(self) -> None:
        """Hold the connection until the client ends it."""
        self.sock.settimeout(20)
        while self.sock.recv(1 << 20):
            pass

    def close_with(self, data: bytes) -> None:
        """The data and the end of the connection in one segment: closed before the client can have read it."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        self.sock.sendall(data)
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)


class Server:
    """Listens on loopback; runs the script for each connection, in a thread of its own."""

    def __init__(self, script: Script, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.script, self.tls = script, tls
        self.seen: list[Seen] = []
        self.connections = 0
        self.faults: list[BaseException] = []
        self.stopping = threading.Event()
        self.listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = int(self.listener.getsockname()[1])
        self.host = f"[{host}]" if ":" in host else host
        self.threads = [threading.Thread(target=self.listen)]
        self.peers: list[socket.socket] = []
        self.threads[0].start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def listen(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if self.stopping.is_set():
                sock.close()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.peers.append(sock)
            thread = threading.Thread(target=self.serve, args=(sock, self.connections))
            self.connections += 1
            self.threads.append(thread)
            thread.start()

    def serve(self, sock: socket.socket, index: int) -> None:
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self.peers.append(sock)
            self.script(Peer(sock, index, self))
        except (EOFError, OSError):
            pass
        except BaseException as fault:
            self.faults.append(fault)
        finally:
            sock.close()

    def close(self) -> None:
        self.stopping.set()
        for peer in self.peers:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown: it drops the TLS object under the thread that is using it.
                socket.socket.shutdown(peer, socket.SHUT_RDWR)
        socket.create_connection(self.listener.getsockname()[:2]).close()  # wakes accept
        self.listener.close()
        for thread in self.threads:
            thread.join(10)
        assert not self.faults, self.faults


class Driver:
    """The patched process. repeat: invocations are made by the target's own repetition."""

    repeat = False

    def __init__(self, folder: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}
        environment = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
        environment |= {
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(folder),
        }
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("drive_target.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the driver ended"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __call__(self, target: str, ref: str, **job: Any) -> list[Row]:
        answer = self.ask({"target": target, "ref": ref, "repeat": self.repeat, **job})
        assert "outcomes" in answer, answer
        return [Row(*row) for row in answer["outcomes"]]

    def error(self, target: str, ref: str, **job: Any) -> str:
        answer = self.ask({"target": target, "ref": ref, **job})
        return str(answer["error"])

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            assert self.process.wait(20) == 0
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    driver = Driver(tmp_path_factory.mktemp("home"))
    yield driver
    driver.close()


@pytest.fixture(params=["invoke", "repeat"])
def drive(driver: Driver, request: pytest.FixtureRequest) -> Driver:
    """Each case both ways that a target is used: call by call, and by its own repetition."""
    driver.repeat = request.param == "repeat"
    return driver


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(script: Script, **options: Any) -> Server:
        servers.append(Server(script, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
