"""The mock endpoint over HTTPS."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from mock_wire import Wire, post

from loadtest.endpoint.latency import MockSettings
from loadtest.errors import EngineError
from loadtest.mock.process import MockProcess

x509 = pytest.importorskip("cryptography.x509")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mock")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder: Path = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


def test_requests_are_served_over_tls_and_strangers_do_no_harm(files: tuple[str, str]) -> None:
    with MockProcess(MockSettings(service_ms=2), tls=files) as process:
        assert process.url.startswith("https://127.0.0.1:")
        plain = Wire(process.url)
        plain.send(post())  # not TLS: the server says nothing that HTTP would understand
        plain.rest()
        plain.close()
        client = Wire(process.url)
        context = ssl.create_default_context(cafile=files[0])
        client.socket = context.wrap_socket(client.socket, server_hostname="127.0.0.1")
        for _ in range(3):
            client.send(post())
            assert client.answer()[0] == 200
        client.send(post("/invocations", b"", "Connection: close"))
        assert client.answer()[0] == 200
        assert client.rest() == b""
        client.close()


def test_a_key_that_does_not_fit_is_wrong_usage(files: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("not a key")

    with pytest.raises(EngineError, match="error: "):
        MockProcess(tls=(files[0], str(tmp_path / "key.pem"))).start()
