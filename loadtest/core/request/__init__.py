"""A job's request: AWS's members, their bounds and rules, and the typed form of them.

The only place that knows AWS's member names. Nothing here knows of measurements or engines.
"""
