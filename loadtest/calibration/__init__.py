"""How much load this machine can generate, and whether that is enough for a job.

Measured once and kept. It says nothing about an endpoint.
"""
