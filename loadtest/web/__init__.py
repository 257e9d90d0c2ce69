"""Pages while something goes on, served by this process itself.

What lives here: a small WSGI application for one run and the thread that serves it. What does not: drawing
(report/html), runs (engine), and anything that may keep a process alive: every thread here is a daemon.
"""
