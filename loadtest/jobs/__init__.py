"""The control plane without HTTP: jobs, their tests, their results, kept in SQLite.

Dicts in, dicts out. Addresses, headers and signatures are the emulator's.
"""
