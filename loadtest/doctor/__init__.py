"""Whether this machine and this installation are fit for a run, a finding for each question, with what to do.

Not here: anything that changes the machine, or sends something off it unless it was asked to.
"""
