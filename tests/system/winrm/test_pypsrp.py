"""pypsrp's WinRS works unchanged: the endpoint speaks the protocol, not the habits of one client."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.shell import Process, SignalCode, WinRS
from pypsrp.wsman import WSMan

from reconciler.lab.template import PYTHON
from reconciler.lab.winrm import WinrmEndpoint

Psrp = Callable[..., WSMan]
WAYS = {
    "basic": {"auth": "basic", "encryption": "never"},
    "ntlm": {"auth": "ntlm", "encryption": "always"},
    "negotiate": {"auth": "negotiate", "encryption": "always"},
}


@pytest.fixture(params=WAYS)
def wsman(request: pytest.FixtureRequest, endpoint: WinrmEndpoint, psrp: Psrp) -> WSMan:
    return psrp(endpoint, **WAYS[request.param])


@pytest.mark.parametrize("code", [0, 1603, -1073741819])
def test_a_process_runs_to_its_end(wsman: WSMan, code: int) -> None:
    with WinRS(wsman, codepage=65001, environment={"SITE": "Jyväskylä"}, idle_time_out=120) as shell:
        process = Process(shell, "cmd", ["/c", f"echo %SITE%& echo err 1>&2& exit {code}"])
        process.invoke()

    assert (process.stdout.decode(), process.stderr, process.rc) == ("Jyväskylä\r\n", b"err \r\n", code)


def test_a_process_takes_input_and_gives_much(wsman: WSMan) -> None:
    with WinRS(wsman, codepage=65001) as shell:
        process = Process(shell, PYTHON, ["-c", '"import sys; print(sys.stdin.read() * 100000)"'], no_shell=True)
        process.executable = f'"{PYTHON}"'
        process.begin_invoke()
        process.send(b"0123456789", end=True)
        process.end_invoke()

    assert (len(process.stdout), process.rc) == (1_000_002, 0)


def test_a_process_is_interrupted(wsman: WSMan) -> None:
    with WinRS(wsman) as shell:
        process = Process(shell, "ping", ["-n", "50", "127.0.0.1"])
        process.begin_invoke()
        process.signal(SignalCode.CTRL_C)
        process.end_invoke()
        process.signal(SignalCode.TERMINATE)

    assert process.rc == -1073741510  # STATUS_CONTROL_C_EXIT


def test_the_limits_can_be_asked_for(wsman: WSMan) -> None:
    wsman.update_max_payload_size()

    assert wsman.max_envelope_size == 500 * 1024


def test_a_shell_that_is_gone_is_a_fault(wsman: WSMan) -> None:
    shell = WinRS(wsman)
    shell.open()
    wsman.delete(shell.resource_uri, selector_set=shell._selector_set)

    with pytest.raises(WSManFaultError, match="the shell was not found on the server") as raised:
        Process(shell, "ver").invoke()

    assert raised.value.code == 2150858843


def test_a_wrong_password_is_refused(endpoint: WinrmEndpoint, psrp: Psrp) -> None:
    wsman = psrp(endpoint, auth="negotiate", encryption="always", password="wrong")

    with pytest.raises(AuthenticationError):
        WinRS(wsman).open()
