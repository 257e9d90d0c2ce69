"""SageMaker's control plane, by boto3: what an endpoint is, endpoints made for a test, and their removal.

What the account does not permit is said and is no failure; nothing here sends load, and nothing imports gevent.
"""
