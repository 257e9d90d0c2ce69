"""What differs between the runs of one side and those of another, and how surely: docs/method.md.

Values in, values out: no clock, no I/O, no words for people. Nothing in here decides how a run goes.
"""
