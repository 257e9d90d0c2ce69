"""What clients say of an account, and of addresses where nobody is."""

from __future__ import annotations

import botocore.exceptions
import pytest
from aws_front import Door

from loadtest.aws.clients import Clients, aws_words, is_unknown_sender
from loadtest.aws.regions import misspelt


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://api.sagemaker.us-east-1.amazonaws.com/", ""),
        ("https://monitoring.cn-north-1.amazonaws.com.cn/", ""),
        ("http://127.0.0.1:4599/", ""),
        (
            "https://api.sagemaker.us-esat-1.amazonaws.com/",
            "boto3 knows no region us-esat-1, but us-east-1 and us-west-1",
        ),
        ("https://runtime.sagemaker.moon.amazonaws.com/endpoints/e/invocations", "boto3 knows no region moon"),
    ],
)
def test_what_is_said_of_an_address_that_cannot_be_reached(url: str, words: str) -> None:
    assert misspelt(url) == words
    unreachable = botocore.exceptions.EndpointConnectionError(endpoint_url=url)
    assert aws_words(unreachable).partition("; ")[2] == words


def test_a_refusal_as_xml_is_read_like_any() -> None:
    """As moto refuses a key that it does not know, whatever the service's protocol is."""
    body = (
        '<?xml version="1.0" encoding="utf-8"?>\n<ErrorResponse><Errors><Error><Code>InvalidClientTokenId</Code>'
        "<Message>The security token included in the request is invalid.</Message></Error></Errors></ErrorResponse>"
    )
    found = botocore.exceptions.ClientError({"Error": {"Code": "403", "Message": body}}, "DescribeEndpoint")
    assert is_unknown_sender(found)
    assert aws_words(found) == (
        "InvalidClientTokenId when calling DescribeEndpoint: The security token included in the request is invalid."
    )
    plain = botocore.exceptions.ClientError({"Error": {"Code": "503", "Message": "<h1>busy</h1>"}}, "DescribeEndpoint")
    assert aws_words(plain) == "503 when calling DescribeEndpoint: <h1>busy</h1>"


def test_whose_credentials_they_are(clients: Clients, door: Door) -> None:
    assert clients.account() == "123456789012"
    door.gone = True
    assert clients.account() is None  # nobody says, which stops nothing
