"""How one invocation is made, by target reference; the plug-in point.

Nothing here knows of users, windows or verdicts.
"""
