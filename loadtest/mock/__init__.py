"""A SageMaker-runtime-shaped HTTP server process around the model of `endpoint`.

It speaks to nobody and keeps nothing.
"""
