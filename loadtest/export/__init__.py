"""The figures of a run as it goes, for dashboards: Prometheus and OpenTelemetry.

Fed from windows, never from requests. Lives in the parent's process; nothing here may end or delay a run, and nothing
is concluded here: verdicts and trust come from `core.judge`.
"""
