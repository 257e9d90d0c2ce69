"""The patched process that sends traffic: users, recorder, probe, and the line to the parent.

Reached as a process of its own; only modules of that process import these.
"""
