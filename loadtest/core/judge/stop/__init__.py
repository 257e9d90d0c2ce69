"""One stop condition a file.

Each looks at what it is given and says whether to stop, and why. What follows from it is the controller's.
"""
