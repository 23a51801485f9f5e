"""One lab host with an endpoint for all that only looks, and ways to sign in to it.

These tests prove the lab's own endpoint and each stand-in. The suites of `winrm_push` use both all the time, so
only `make test-all` runs these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pypsrp.wsman import WSMan
from winrm.protocol import Protocol

from reconciler.lab import Finished, Lab, LabHost
from reconciler.lab.winrm import Limits, WinrmEndpoint, WinrmSettings
from tests.system.certificates import LAB_ADDRESSES, Authority

ANY_IDLE_TIMEOUT = Limits(min_idle_timeout_ms=0)
Run = Callable[[str], Finished]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.exhaustive)


@pytest.fixture(scope="session")
def winrm_host(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    """A host whose endpoint is there for every test of this folder; nobody may stop it.

    In a lab of its own, once it is known that there can be one: other folders' tests look at every host of theirs.
    """
    own = Lab(tmp_path_factory.mktemp("winrm-lab"))
    try:
        (host,) = own.up(["winrm-01"])
        yield host
    finally:
        own.down()


@pytest.fixture(scope="session")
def tls_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "lab authority")


@pytest.fixture(scope="session")
def endpoint(winrm_host: LabHost, tls_authority: Authority) -> Iterator[WinrmEndpoint]:
    certificate = tls_authority.give("lab host", *LAB_ADDRESSES)
    started = winrm_host.start_winrm(WinrmSettings(certificate=certificate, limits=ANY_IDLE_TIMEOUT))
    yield started
    winrm_host.stop_winrm()


@pytest.fixture
def run(endpoint: WinrmEndpoint, winrm_host: LabHost) -> Run:
    """Run a command line on the host that has the stand-ins."""
    return winrm_host.run


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
