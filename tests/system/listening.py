"""A program on a lab host that listens on a port. Wine 10 shows a host the ports of its own programs only."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.lab import LabHost
from reconciler.lab.template import PYTHON
from reconciler.testing.waiting import eventually

_PROGRAM = (
    "import socket, time; server = socket.create_server(({address!r}, {port}), family=socket.{family}); "
    "kept = [server.accept() for _ in range(2)]; time.sleep(600)"
)


@contextmanager
def listening(
    host: LabHost, address: str = "127.0.0.1", family: socket.AddressFamily = socket.AF_INET
) -> Iterator[tuple[int, int]]:
    """Have a program of the host listen, and connect to it.

    Args:
        host: a lab host that runs.
        address: where the program listens.
        family: the family of that address.

    Returns:
        the port, and the port that is connected to it.

    Raises:
        OSError: this machine has no such address.
    """
    with socket.create_server((address, 0), family=family) as free:
        port: int = free.getsockname()[1]
    program = host.start([PYTHON, "-c", _PROGRAM.format(address=address, port=port, family=family.name)])
    try:
        eventually(lambda: _accepted(address, port, family))
        with socket.create_connection((address, port)) as near:
            yield port, near.getsockname()[1]
    finally:
        program.kill()


def _accepted(address: str, port: int, family: socket.AddressFamily) -> bool:
    with socket.socket(family) as probe:
        return probe.connect_ex((address, port)) == 0
