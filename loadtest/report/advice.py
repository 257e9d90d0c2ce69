"""What helps against a failure, by how its name begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["failure_advice"]

_KEY = "the access key is none that AWS knows: which profile signs (--aws-profile)?"
_ALLOW = "allow sagemaker:InvokeEndpoint on this endpoint to who signs the requests"
_ADVICE: Mapping[str, str] = {
    "connection certificate": "trust the server's authority: --ca-file, or AWS_CA_BUNDLE",
    "connection tls": "is the endpoint's scheme right? https is spoken by TLS only, http without",
    "connection proxy": "HTTP_PROXY, HTTPS_PROXY and NO_PROXY say which way requests go",
    "connection refused": "nothing listens at that address and port",
    "connection name not resolved": "the host's name is not known here",
    "credentials Expired": "the session token has expired: use credentials that refresh (a role's profile, SSO)",
    "credentials expired": "the credentials have expired and cannot be refreshed: log in again",
    "credentials AccessDenied": _ALLOW,
    "credentials NotAuthorized": _ALLOW,
    "credentials SignatureDoesNotMatch": "is the secret key right, and does nothing on the way change requests?",
    "credentials InvalidSignature": "are the secret key, the region and this machine's clock right?",
    "credentials Request": "this machine's clock is off: set it (NTP)",
    "credentials Unrecognized": _KEY,
    "credentials InvalidClientTokenId": _KEY,
}


def failure_advice(details: Iterable[str]) -> list[str]:
    """One advice for each kind of failure that there is one for. details: names as `Counts.details` has them."""
    names = list(details)
    found = (advice for start, advice in _ADVICE.items() if any(name.startswith(start) for name in names))
    return list(dict.fromkeys(found))
