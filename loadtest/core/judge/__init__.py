"""What is concluded from windows: stop rules, verdicts, trust, and the one controller that decides.

A rule keeps no state that it was not given. Formulas of the API live in `result`.
"""
