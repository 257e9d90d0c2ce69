"""A region that is none: the address made of it is nobody's, and nobody answers there."""

from __future__ import annotations

import difflib
import re

import botocore.session

__all__ = ["misspelt"]

_REGION = re.compile(r"\.([a-z0-9-]+)\.amazonaws\.com")


def misspelt(url: str) -> str:
    """What is to be said of an address of AWS that cannot be reached: "boto3 knows no region us-esat-1, but us-east-1
    and us-west-1"; "": its region is known, or it is none of AWS's addresses. A region may be newer than boto3.
    """
    found = _REGION.search(url)
    if found is None:
        return ""
    session = botocore.session.Session()
    known = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("sagemaker", partition)
    }
    if found[1] in known:
        return ""
    near = sorted(difflib.get_close_matches(found[1][:50], known, n=2, cutoff=0.7))
    return f"boto3 knows no region {found[1]}" + (f", but {' and '.join(near)}" if near else "")
