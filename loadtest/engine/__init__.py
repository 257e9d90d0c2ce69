"""Who runs the users: real processes, several of them, or virtual time.

A plan goes in, windows come out; what they mean is the core's.
"""
