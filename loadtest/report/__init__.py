"""A result as files and as words on a terminal.

Functions of a `RunResult`. Nothing is concluded here that is not in it.
"""
