"""TLS without a socket: OpenSSL works on memory, so that the socket's reads keep their kernel timestamps."""

from __future__ import annotations

import os
import ssl

from loadtest.errors import TargetError, words

__all__ = ["TlsStream", "client_context", "tls_failure"]

_READ_BYTES = 256 * 1024


def client_context(ca_file: str | None) -> ssl.SSLContext:
    """Certificates and host names are verified against `ca_file` (or a folder of hashed files), or the system's CAs.

    Raises TargetError if the CAs cannot be read.
    """
    try:
        folder = ca_file is not None and os.path.isdir(ca_file)
        context = ssl.create_default_context(cafile=None if folder else ca_file, capath=ca_file if folder else None)
    except (OSError, ssl.SSLError) as problem:
        raise TargetError(f"the certificate authorities in {ca_file} cannot be read: {words(problem)}") from problem
    context.set_alpn_protocols(["http/1.1"])
    return context


def tls_failure(problem: ssl.SSLError) -> str:
    """What OpenSSL raised, as an Outcome's detail: "certificate: unable to get local issuer certificate"."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"certificate: {problem.verify_message.rstrip('.')}"
    return f"tls: {problem.reason.lower().replace('_', ' ')}" if problem.reason else "tls"


class TlsStream:
    """One TLS connection as bytes: what to send, what was received. ssl.SSLError comes through.

    ended: the peer said that it sends no more.
    """

    __slots__ = ("_incoming", "_object", "_outgoing", "ended")

    def __init__(self, context: ssl.SSLContext, hostname: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)
        self.ended = False

    def handshake(self, received: bytes) -> tuple[bytes, bool]:
        """(bytes to send, whether the handshake is done). An alert to send is not lost: see `pending`."""
        self._incoming.write(received)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return self._outgoing.read(), False
        return self._outgoing.read(), True

    def pending(self) -> bytes:
        """The alert that OpenSSL wants to send after a handshake that failed; b"" if it has none."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def encrypt(self, data: bytes) -> bytes:
        """The records to send for `data`; empty data gives none."""
        if data:
            self._object.write(data)
        return self._outgoing.read()

    def decrypt(self, received: bytes) -> bytes:
        """The data in `received` and before it, as far as whole records have arrived."""
        self._incoming.write(received)
        try:
            data = self._object.read(_READ_BYTES)
        except ssl.SSLWantReadError:
            return b""
        # A record holds 16 KiB at most; an answer in one record needs no second read, which would raise.
        if data and not self._incoming.pending:
            return data
        return self._rest(data)

    def _rest(self, data: bytes) -> bytes:
        parts = []
        try:
            while data:
                parts.append(data)
                data = self._object.read(_READ_BYTES)
            self.ended = True  # empty: the peer's close_notify
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.ended = True  # after what came whole
        return b"".join(parts)
