"""The control plane's HTTP shell, and the door to whoever answers the rest of AWS.

No job logic: that is `jobs`.
"""
