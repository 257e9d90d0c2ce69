"""A finished run, complete, and the API's figures that follow from it.

Every report is a function of it; none is made here.
"""
