"""A whole recommendation job without a server: the job service run once, with a folder and a page for what came of it.

What is decided is decided in `jobs`; here it is started, waited for and written down.
"""
