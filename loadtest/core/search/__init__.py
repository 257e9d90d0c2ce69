"""The largest load that meets the objective, with an interval: which load comes next, and what is known so far.

Decides, and does nothing: no clock, no I/O. Engines hand it the windows of a run and carry out its moves.
"""
