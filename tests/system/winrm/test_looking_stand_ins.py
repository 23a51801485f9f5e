"""The stand-ins for netstat and powershell tell what Windows tells, and refuse what they do not know."""

from __future__ import annotations

import base64
import socket

import pytest

from reconciler.hosts.winrm.questions import Questions
from reconciler.kernel.probes import Probe, ProbeKind
from reconciler.lab import LabHost
from reconciler.lab.template import PYTHON
from reconciler.lab.winrm import WinrmEndpoint
from tests.system.listening import listening
from tests.system.winrm.conftest import Run


def encoded(script: str) -> str:
    return base64.b64encode(script.encode("utf-16-le")).decode("ascii")


def rows(told: str) -> list[list[str]]:
    return [line.split() for line in told.splitlines() if line.startswith("  TCP ")]


def test_netstat_lists_listeners_and_connections(run: Run, winrm_host: LabHost, endpoint: WinrmEndpoint) -> None:
    with listening(winrm_host) as (port, other):
        everything, connected = run("netstat -a -n -p TCP"), run("netstat -n -p TCP")

    assert everything.exit_code == connected.exit_code == 0
    assert everything.stdout.startswith(
        "\nActive Connections\n\n  Proto  Local Address          Foreign Address        State\n"
    )
    assert f"  TCP    {f'127.0.0.1:{port}':<21}  {'0.0.0.0:0':<21}  LISTENING\n" in everything.stdout
    assert ["TCP", f"{endpoint.address}:5985", "0.0.0.0:0", "LISTENING"] in rows(everything.stdout)
    assert ["TCP", f"127.0.0.1:{port}", "0.0.0.0:0", "LISTENING"] not in rows(connected.stdout)
    for told in (everything, connected):
        assert ["TCP", f"127.0.0.1:{port}", f"127.0.0.1:{other}", "ESTABLISHED"] in rows(told.stdout)


def test_netstat_tells_addresses_of_six_apart(run: Run, winrm_host: LabHost) -> None:
    try:
        with listening(winrm_host, "::1", socket.AF_INET6) as (port, _):
            row = ["TCP", f"[::1]:{port}", "[::]:0", "LISTENING"]
            assert row in rows(run("netstat -an -p TCPv6").stdout)
            assert row in rows(run("netstat -an").stdout)
            assert row not in rows(run("netstat -an -p TCP").stdout)
            # The process id is not compared: Wine 8 names none.
            assert row in [found[:4] for found in rows(run("netstat -ano").stdout) if found[4].isdecimal()]
    except OSError:
        assert rows(run("netstat -an -p TCPv6").stdout) == []  # this machine has no IPv6


@pytest.mark.parametrize("arguments", ["-a", "-anb", "-an -p UDP", "-n 5"])
def test_netstat_refuses_what_it_does_not_know(run: Run, arguments: str) -> None:
    done = run(f"netstat {arguments}")
    assert done.exit_code == 1
    assert done.stdout.startswith("this stand-in of the lab ")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (PYTHON, "version 3.13.2150.1013"),
        (r"C:\windows\win.ini", "version none"),
        (r"C:\windows", "version none"),
        (r"C:\it's missing.dll", "absent"),
    ],
)
def test_powershell_tells_the_version_of_a_file(run: Run, path: str, answer: str) -> None:
    (asked, _end) = Questions([Probe(ProbeKind.FILE_VERSION, path)]).commands()

    assert run(f"cmd /c {asked}").stdout.splitlines() == ["===probe 0", answer]


@pytest.mark.parametrize(
    "arguments",
    ["", "-Command Get-Date", f"-EncodedCommand {encoded('Get-Date')}", "-EncodedCommand %%%", "-File x.ps1"],
)
def test_powershell_refuses_every_other_script(run: Run, arguments: str) -> None:
    done = run(f"cmd /c powershell -NoProfile {arguments}")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "is no PowerShell" in done.stderr
