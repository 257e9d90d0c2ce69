"""What this machine's own addresses are: one answer for every part that must not reach, or be reached by, others."""

from __future__ import annotations

import ipaddress
import socket

__all__ = ["is_loopback", "is_own"]


def is_loopback(host: str) -> bool:
    """Does the host, a name or an address without a port, mean the loopback interface and nothing else?

    `localhost` and names below it (RFC 6761), 127.0.0.0/8 in any spelling that the system's own parser takes (127.1),
    ::1 and ::ffff:127.x. No name is resolved: what a name means today says nothing about tomorrow.
    """
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name.partition("%")[0])
    return address is not None and address.is_loopback


def is_own(host: str) -> bool:
    """Is it the loopback interface, or the unspecified address, which a client reaches the same machine by?"""
    address = _address(host.strip("[]").partition("%")[0])
    return is_loopback(host) or (address is not None and address.is_unspecified)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None: it is a name. 127.1 and 0x7f.1 are addresses, as inet_aton(3) has it."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(text)) if text and text[0].isdigit() else None
        except OSError:
            return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found
