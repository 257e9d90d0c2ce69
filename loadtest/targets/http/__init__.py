"""Invocations over our own sockets under gevent: the hot path.

One job a file. What is not about one connection or one request lives elsewhere.
"""
