"""A job file: JSON or YAML, the request in it and what a scenario adds.

Read without trust. What a request means is the core's.
"""
