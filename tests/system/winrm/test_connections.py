"""Shells and commands outlive connections: what was not delivered can be fetched over another one."""

from __future__ import annotations

import base64
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import xmltodict
from winrm.exceptions import WinRMOperationTimeoutError
from winrm.protocol import Protocol

from reconciler.lab import LabError, LabHost
from reconciler.lab.processes import processes_of
from reconciler.lab.template import PYTHON
from reconciler.lab.winrm import WinrmEndpoint
from reconciler.testing.waiting import eventually

SignIn = Callable[..., Protocol]
MakeHost = Callable[[str], LabHost]
RECEIVE = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Receive"
CMD = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"


def receive_message(protocol: Protocol, shell: str, command_id: str, message_id: str | None = None) -> str:
    envelope = protocol.build_wsman_header(RECEIVE, CMD, shell, message_id)
    stream = {"@CommandId": command_id, "#text": "stdout stderr"}
    return xmltodict.unparse(
        {"env:Envelope": {**envelope, "env:Body": {"rsp:Receive": {"rsp:DesiredStream": stream}}}}
    )


def ask_and_hang_up(endpoint: WinrmEndpoint, message: str, *, abruptly: bool = False) -> None:
    """Send a request over a connection of its own, and cut that without reading the answer."""
    settings = endpoint.settings
    token = base64.b64encode(f"{settings.user}:{settings.password}".encode()).decode()
    body = message.encode()
    head = (
        f"POST /wsman HTTP/1.1\r\nHost: {endpoint.address}\r\nAuthorization: Basic {token}\r\n"
        f"Content-Type: application/soap+xml;charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)  # a long answer stays on the way
        connection.connect((endpoint.address, 5985))
        connection.sendall(head.encode() + body)
        time.sleep(0.3)  # nothing tells that the request has been read
        if abruptly:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def gated(host: LabHost, name: str) -> tuple[str, Path]:
    """Return a command that says ``done`` once the file that is returned too is there."""
    gate = rf"C:\gate-{name}"
    code = f"import os, time, sys\nwhile not os.path.exists(r'{gate}'): time.sleep(0.02)\nprint('done')"
    script = host.unix_path(rf"C:\wait-{name}.py")
    script.write_text(code, encoding="utf-8")
    return rf'"{PYTHON}" C:\wait-{name}.py', host.unix_path(gate)


@pytest.mark.parametrize("abruptly", [False, True])
def test_a_connection_cut_in_the_middle_of_receive_loses_nothing(
    winrm_host: LabHost, endpoint: WinrmEndpoint, sign_in: SignIn, abruptly: bool
) -> None:
    command, gate = gated(winrm_host, f"cut-{abruptly}")
    before = sign_in(endpoint)
    shell = before.open_shell(codepage=65001)
    command_id = before.run_command(shell, command)
    ask_and_hang_up(endpoint, receive_message(before, shell, command_id), abruptly=abruptly)
    before.transport.close_session()

    gate.touch()
    after = sign_in(endpoint, transport="ntlm", message_encryption="always")

    assert after.get_command_output(shell, command_id) == (b"done\r\n", b"", 0)
    after.close_shell(shell)


def stream_in(answer: bytes) -> str:
    found = xmltodict.parse(answer)["s:Envelope"]["s:Body"]["rsp:ReceiveResponse"]["rsp:Stream"]
    first = found[0] if isinstance(found, list) else found
    return base64.b64decode(first["#text"]).decode()


def test_a_receive_whose_answer_was_lost_is_sent_again_and_gets_it(
    winrm_host: LabHost, endpoint: WinrmEndpoint, sign_in: SignIn
) -> None:
    before = sign_in(endpoint)
    shell = before.open_shell(codepage=65001)
    code = "import sys; sys.stdout.write(' '.join(map(str, range(9000))))"
    command_id = before.run_command(shell, f'"{PYTHON}"', ["-c", f'"{code}"'])
    eventually(lambda: not any(code in " ".join(p.command) for p in processes_of(winrm_host.prefix.directory)))
    message = receive_message(before, shell, command_id)
    ask_and_hang_up(endpoint, message, abruptly=True)
    after = sign_in(endpoint, transport="ntlm", message_encryption="always")

    assert stream_in(after.send_message(message)) == " ".join(map(str, range(9000)))
    assert after.get_command_output(shell, command_id) == (b"", b"", 0)
    after.close_shell(shell)


def test_a_waiting_receive_keeps_a_shell_from_being_idle(
    winrm_host: LabHost, endpoint: WinrmEndpoint, sign_in: SignIn
) -> None:
    protocol = sign_in(endpoint, operation_timeout_sec=2, read_timeout_sec=60)
    command, gate = gated(winrm_host, "idle")
    shell = protocol.open_shell(codepage=65001, idle_timeout="PT1S")
    command_id = protocol.run_command(shell, command)

    with pytest.raises(WinRMOperationTimeoutError):
        protocol.get_command_output_raw(shell, command_id)

    gate.touch()
    assert protocol.get_command_output(shell, command_id)[0] == b"done\r\n"


def test_an_endpoint_is_found_ended_and_started_again_where_it_was(lab_host: MakeHost, sign_in: SignIn) -> None:
    host = lab_host("winrm-02")
    first = host.start_winrm()
    sign_in(first).open_shell()
    with pytest.raises(LabError, match="runs already"):
        host.start_winrm()

    host.stop_winrm()
    assert not host.winrm_running()
    second = host.start_winrm()

    assert second.address == first.address
    sign_in(second).open_shell()


def test_two_endpoints_have_an_address_each(endpoint: WinrmEndpoint, lab_host: MakeHost) -> None:
    other = lab_host("winrm-02").start_winrm()

    assert other.address != endpoint.address
    assert other.address.startswith("127.0.1.")


def test_commands_end_with_the_endpoint_and_the_host_with_both(lab_host: MakeHost, sign_in: SignIn) -> None:
    host = lab_host("winrm-02")
    protocol = sign_in(host.start_winrm())
    shell = protocol.open_shell()
    protocol.run_command(shell, "ping -n 50 127.0.0.1")

    def pings() -> int:
        return sum("50" in process.command for process in processes_of(host.prefix.directory))

    eventually(lambda: pings() == 1)

    host.stop_winrm()

    eventually(lambda: pings() == 0)
    host.start_winrm()
    host.shutdown()
    assert not processes_of(host.prefix.directory)
