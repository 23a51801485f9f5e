"""One lab host with an endpoint for all that only looks, and ways to sign in to it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pypsrp.wsman import WSMan
from winrm.protocol import Protocol

from reconciler.lab import Lab, LabHost
from reconciler.lab.winrm import Limits, WinrmEndpoint, WinrmSettings

ANY_IDLE_TIMEOUT = Limits(min_idle_timeout_ms=0)


@pytest.fixture(scope="session")
def winrm_host(lab: Lab) -> LabHost:
    """A host whose endpoint is there for every test of this folder; nobody may stop it."""
    (host,) = lab.up(["winrm-01"])
    return host


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its own certificate, good for every address that a lab host may get."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
    addresses = [x509.IPAddress(ip_address(f"127.0.1.{number}")) for number in range(2, 255)]
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("certificate") / "lab.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(pem)
    )
    return file


@pytest.fixture(scope="session")
def endpoint(winrm_host: LabHost, certificate: Path) -> Iterator[WinrmEndpoint]:
    started = winrm_host.start_winrm(WinrmSettings(certificate=certificate, limits=ANY_IDLE_TIMEOUT))
    yield started
    winrm_host.stop_winrm()


@pytest.fixture
def sign_in() -> Iterator[Callable[..., Protocol]]:
    """Call it with an endpoint for a pywinrm ``Protocol``: by Basic, or as its arguments say."""
    made: list[Protocol] = []

    def protocol(of: WinrmEndpoint, **arguments: object) -> Protocol:
        chosen: dict[str, object] = {
            "endpoint": of.url,
            "transport": "basic",
            "username": of.settings.user,
            "password": of.settings.password,
            "ca_trust_path": None,  # nothing of this machine's environment, of which pywinrm would warn
            "proxy": None,
            **arguments,
        }
        made.append(Protocol(**chosen))  # type: ignore[arg-type]
        return made[-1]

    yield protocol
    for protocol_ in made:
        protocol_.transport.close_session()


@pytest.fixture
def psrp() -> Iterator[Callable[..., WSMan]]:
    """Call it with an endpoint for a pypsrp connection, with what its arguments say."""
    made: list[WSMan] = []

    def connect(endpoint: WinrmEndpoint, **arguments: object) -> WSMan:
        settings = endpoint.settings
        chosen = {"username": settings.user, "password": settings.password, "ssl": False, "port": 5985}
        made.append(WSMan(endpoint.address, **{**chosen, **arguments}))  # type: ignore[arg-type]
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


@pytest.fixture(params=["basic", "ntlm"])
def protocol(
    request: pytest.FixtureRequest, endpoint: WinrmEndpoint, sign_in: Callable[..., Protocol]
) -> Protocol:
    """A pywinrm ``Protocol`` by Basic, and by NTLM with every message encrypted."""
    if request.param == "basic":
        return sign_in(endpoint)
    return sign_in(endpoint, transport="ntlm", message_encryption="always")


@pytest.fixture
def basic(endpoint: WinrmEndpoint, sign_in: Callable[..., Protocol]) -> Protocol:
    return sign_in(endpoint)
