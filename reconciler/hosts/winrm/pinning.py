"""Keeps a pywinrm transport to one URL at one IP address. Sends nothing itself.

A name could lead elsewhere when it is looked up again, and a host could redirect to another one. Either would be
sent the credentials that were meant for the address that was checked.
"""

from __future__ import annotations

import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from winrm.transport import Transport

from reconciler.desired.host_addresses import IPAddress


def pin(transport: Transport, url: str, address: IPAddress) -> None:
    """Let each session of ``transport`` send requests for ``url`` to ``address``, and no others.

    Args:
        transport: a transport that has sent nothing yet.
        url: the URL of the WinRM service. Its name is still the one that certificates are checked against.
        address: the address to connect to.
    """
    build, encrypt = transport.build_session, transport.setup_encryption

    def confine(session: requests.Session) -> requests.Session:
        if url not in session.adapters:
            session.trust_env = False  # else a proxy or a .netrc file of the environment would come in between
            session.max_redirects = 0
            session.adapters.clear()
            session.mount(url, _Pinned(str(address)))
        return session

    def build_session() -> requests.Session:
        return confine(build())

    def setup_encryption(session: requests.Session) -> None:
        encrypt(confine(session))  # sends the first message, before the session is returned

    transport.build_session = build_session  # type: ignore[method-assign]
    transport.setup_encryption = setup_encryption  # type: ignore[method-assign]


class _Pinned(HTTPAdapter):
    """Connects to one address, whatever the name in the URL resolves to."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **settings)
        self.poolmanager.pool_classes_by_scheme = _pools_to(self._address)


def _pools_to(address: str) -> dict[str, type[HTTPConnectionPool]]:
    """Return connection pools that connect to ``address``."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            name, self._dns_host = self._dns_host, address
            try:
                return super()._new_conn()
            finally:
                self._dns_host = name

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            name, self._dns_host = self._dns_host, address
            try:
                return super()._new_conn()
            finally:
                self._dns_host = name

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
