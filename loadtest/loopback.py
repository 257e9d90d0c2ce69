"""What this machine's own addresses are: one answer for every part that must not reach, or be reached by, others.

No name is resolved: what a name means today says nothing about tomorrow. Pure.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

__all__ = ["address_of", "is_link_local", "is_loopback", "is_loopback_url", "is_own"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_loopback(host: str) -> bool:
    """Does a host, without a port, mean the loopback interface and nothing else?

    `localhost` and names below it (RFC 6761), 127.0.0.0/8 in any notation that resolvers take (127.1), ::1 and
    ::ffff:127.x.
    """
    name = _normal(host)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = address_of(name)
    return address is not None and address.is_loopback


def is_loopback_url(url: str) -> bool:
    """Does a URL lead to the loopback interface? False for what is none."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def is_own(host: str) -> bool:
    """Is it the loopback interface, or the unspecified address, by which a client reaches this machine too?"""
    address = address_of(host)
    return is_loopback(host) or (address is not None and address.is_unspecified)


def is_link_local(host: str) -> bool:
    """An address of this network alone (169.254.0.0/16, where clouds keep credentials, or fe80::/10)."""
    address = address_of(host)
    return address is not None and address.is_link_local


def address_of(host: str) -> Address | None:
    """The address that a host is, in any notation (127.1, 2130706433, 0x7f000001); None: it is a name."""
    text = _normal(host).partition("%")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(text)) if text[:1].isdigit() else None
        except (OSError, UnicodeError, ValueError):
            return None
    return getattr(found, "ipv4_mapped", None) or found


def _normal(host: str) -> str:
    return host.strip().strip("[]").rstrip(".").lower()
