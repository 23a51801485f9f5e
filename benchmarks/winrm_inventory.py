"""The inventory of 50 lab hosts by WinRM, against Ansible's raw with the same command on the same hosts."""

from __future__ import annotations

import ipaddress
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.ansible import Ansible, Taken
from benchmarks.measure import Bound, Figure, Spread, progress, ratios
from reconciler.grants.model import WinRMGrant
from reconciler.hosts.winrm.commands import Commands
from reconciler.hosts.winrm.connection import Connection
from reconciler.hosts.winrm.inventory import Scope, inventory_command
from reconciler.hosts.winrm.machine import WinRMMachine
from reconciler.hosts.winrm.opening import open_protocol
from reconciler.hosts.winrm.target import PORT, Target
from reconciler.lab import Lab
from reconciler.lab.winrm import WinrmEndpoint
from reconciler.settings import Settings

HOSTS = 50

_HOST_BYTES = 70 * 1024**2
"""What a lab host with its WinRM service takes of the memory."""

_SHARE_OF_MEMORY = 0.6
_ROUNDS = 3

_WITHOUT_BOOT = Scope(boot=False)
"""What Ansible is to ask. When Windows was started is told here by a stand-in that takes far longer than Windows'
own program, and would make Ansible look slower than it is.
"""

_AT_ONCE = Settings.model_fields["push_concurrency"].default
_VARIABLE = "RECONCILER_BENCH_WINRM"
_END = "===end"


def run() -> tuple[Figure, ...]:
    """Measure, and return the figures.

    Raises:
        LabUnavailable: this machine lacks what lab hosts need.
        AnsibleFailed: Ansible cannot be had, or a host did not answer it.
        MachineError: a host did not answer us.
    """
    count = min(HOSTS, int(_available_bytes() * _SHARE_OF_MEMORY / _HOST_BYTES))
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as name:
        folder = Path(name)
        progress(f"  starting {count} lab hosts with a WinRM service")
        with _endpoints(folder / "lab", count) as endpoints:
            progress("  installing Ansible")
            settings = endpoints[0].settings
            hosts = {f"host-{number}": endpoint.address for number, endpoint in enumerate(endpoints)}
            ansible = Ansible(folder, hosts, settings.user, settings.password)
            machines, connections = _machines(endpoints)
            first = _look(machines)
            ours: list[Taken] = []
            theirs: list[Taken] = []
            for number in range(_ROUNDS + 1):
                progress(f"  round {number} of {_ROUNDS}{'' if number else ' (does not count)'}")
                taken = _look(machines), ansible.run(inventory_command(_WITHOUT_BOOT), _AT_ONCE, _END)
                if number:
                    ours.append(taken[0])
                    theirs.append(taken[1])
            for connection in connections:
                connection.close()
    return _figures(count, first, ours, theirs)


def _figures(count: int, first: Taken, ours: list[Taken], theirs: list[Taken]) -> tuple[Figure, ...]:
    walls = ratios((t.wall for t in ours), (t.wall for t in theirs))
    processors = ratios((t.cpu for t in ours), (t.cpu for t in theirs))
    hosts = f"{count} hosts, {_AT_ONCE} at once"
    return (
        Figure(f"ours ÷ Ansible's raw, {hosts}", "", walls, Bound(0.5, at_most=True)),
        Figure("ours ÷ Ansible's raw, processor time of the client", "", processors, Bound(0.1, at_most=True)),
        Figure("ours", "s", Spread.of(t.wall for t in ours)),
        Figure("ours, processor time", "s", Spread.of(t.cpu for t in ours)),
        Figure("ours the first time, when shells are opened", "s", Spread.of([first.wall])),
        Figure("ours the first time, processor time", "s", Spread.of([first.cpu])),
        Figure("Ansible's raw", "s", Spread.of(t.wall for t in theirs)),
        Figure("Ansible's raw, processor time of all its processes", "s", Spread.of(t.cpu for t in theirs)),
    )


def _look(machines: Sequence[WinRMMachine]) -> Taken:
    """Look at every host as the daemon does, its shells kept from the last time."""
    started, before = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for look in pool.map(WinRMMachine.look, machines):
            assert look.system.startswith("Windows")
    return Taken(time.perf_counter() - started, time.process_time() - before)


def _machines(endpoints: Sequence[WinrmEndpoint]) -> tuple[list[WinRMMachine], list[Connection]]:
    machines, connections = [], []
    for endpoint in endpoints:
        os.environ[_VARIABLE] = endpoint.settings.password
        grant = WinRMGrant("lab", (), (), user=endpoint.settings.user, password=f"env:{_VARIABLE}")
        connection = _connection(Target(endpoint.address, endpoint.url, endpoint.address, PORT, grant))
        connections.append(connection)
        machines.append(WinRMMachine(Commands(endpoint.address, connection)))
    return machines, connections


def _connection(target: Target) -> Connection:
    address = ipaddress.ip_address(target.name)
    return Connection(target.host, lambda: open_protocol(target, address), lambda: None)


@contextmanager
def _endpoints(folder: Path, count: int) -> Iterator[list[WinrmEndpoint]]:
    lab = Lab(folder)
    try:
        yield [host.start_winrm() for host in lab.up([f"BENCH-{number:02}" for number in range(count)])]
    finally:
        lab.down()


def _available_bytes() -> int:
    """Return how much memory is free for more. Linux only.

    Source: the manual page proc_meminfo(5), MemAvailable.
    """
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) * 1024
