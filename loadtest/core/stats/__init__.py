"""Evidence of a run, events and spells, rates of levels, plateaus and the curve fitted to them.

Statistics on counts and rates. What is done about an answer is decided in `judge`.
"""
