"""Benchmarks: each module answers one question and prints JSON lines. `python -m benchmarks [--quick] [NAMES]`."""
