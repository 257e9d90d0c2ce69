"""The embedding program's side of a run: start, read, stop, reap.

Ordinary threads. Nothing here may import gevent or Locust.
"""
