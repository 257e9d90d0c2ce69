"""The performance model of an endpoint: service times, servers, queue, errors.

A function of time, for the mock endpoint and for virtual time. It serves nothing itself.
"""
