"""What was measured: outcomes, windows and the values that they are made of, levels, totals.

Values that add up, and no opinion on them: verdicts live in `judge`.
"""
