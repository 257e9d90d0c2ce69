"""How many users, or requests, at which time; and the plan that carries it to an engine.

Arithmetic on seconds. What was really sent is measured elsewhere.
"""
