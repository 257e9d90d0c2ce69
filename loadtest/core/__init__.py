"""The functional core: what a load test is, what was measured, what follows from it.

Pure: time is an argument. No clock, no I/O, no gevent, no AWS client; what moves bytes or waits lives elsewhere.
"""
