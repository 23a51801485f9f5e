"""What the endpoint refuses, and the faults by which it says so."""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPConnection
from xml.etree import ElementTree

import pytest
import xmltodict
from winrm.exceptions import WinRMTransportError, WSManFaultError
from winrm.protocol import Protocol

from reconciler.lab import LabHost
from reconciler.lab.processes import processes_of
from reconciler.lab.winrm import Limits, WinrmEndpoint, WinrmSettings
from reconciler.testing.waiting import eventually

SignIn = Callable[..., Protocol]
MakeHost = Callable[[str], LabHost]
NOWHERE = "11111111-2222-3333-4444-555555555555"
SHELL_NOT_FOUND = 2150858843


def limited(host: LabHost, **limits: int) -> WinrmEndpoint:
    return host.start_winrm(WinrmSettings(limits=Limits(**limits)))


def post(endpoint: WinrmEndpoint, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection(endpoint.address, 5985, timeout=90)
    connection.request("POST", "/wsman", body, headers)
    response = connection.getresponse()
    answer = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return answer


def test_a_shell_that_was_never_there_is_a_fault(protocol: Protocol) -> None:
    with pytest.raises(WSManFaultError) as raised:
        protocol.run_command(NOWHERE, "ver")

    fault = raised.value
    assert (fault.wsman_fault_code, fault.fault_code, fault.fault_subcode) == (
        SHELL_NOT_FOUND,
        "s:Sender",
        "w:InvalidSelectors",
    )
    assert NOWHERE in str(fault.reason)


def test_a_command_that_was_terminated_is_gone(basic: Protocol) -> None:
    shell = basic.open_shell()
    command_id = basic.run_command(shell, "ver")
    basic.cleanup_command(shell, command_id)

    with pytest.raises(WSManFaultError):
        basic.get_command_output(shell, command_id)


def test_a_program_that_is_not_there_is_a_fault_without_cmd(basic: Protocol) -> None:
    shell = basic.open_shell()

    with pytest.raises(WSManFaultError) as raised:
        basic.run_command(shell, "no-such-program.exe", skip_cmd_shell=True)

    assert raised.value.wsman_fault_code == 2147942402


def test_a_folder_that_is_not_there_is_a_fault(basic: Protocol) -> None:
    shell = basic.open_shell(working_directory=r"C:\no\such\folder")

    with pytest.raises(WSManFaultError) as raised:
        basic.run_command(shell, "ver")

    assert raised.value.wsman_fault_code == 0x8007010B  # ERROR_DIRECTORY


def test_a_user_has_so_many_shells_and_no_more(lab_host: MakeHost, sign_in: SignIn) -> None:
    protocol = sign_in(limited(lab_host("winrm-02"), max_shells_per_user=2))
    first, _ = protocol.open_shell(), protocol.open_shell()

    with pytest.raises(WSManFaultError, match="maximum number of 2 concurrent shells") as raised:
        protocol.open_shell()

    assert (raised.value.wsman_fault_code, raised.value.fault_subcode) == (2150859173, "w:QuotaLimit")
    protocol.close_shell(first)
    protocol.open_shell()


def test_commands_count_until_their_shell_goes(lab_host: MakeHost, sign_in: SignIn) -> None:
    protocol = sign_in(limited(lab_host("winrm-02"), max_concurrent_operations_per_user=2))
    shell = protocol.open_shell()
    for _ in range(2):
        protocol.cleanup_command(shell, protocol.run_command(shell, "ver"))

    with pytest.raises(WSManFaultError, match="maximum number of 2 concurrent operations") as raised:
        protocol.run_command(shell, "ver")

    assert raised.value.wmierror_code == 0x803381A6  # ERROR_WSMAN_QUOTA_MAX_OPERATIONS
    protocol.close_shell(shell)
    protocol.run_command(protocol.open_shell(), "ver")


def test_a_shell_that_nobody_uses_is_removed_with_its_commands(basic: Protocol, winrm_host: LabHost) -> None:
    idle, used = basic.open_shell(idle_timeout="PT10S"), basic.open_shell(idle_timeout="PT600S")
    basic.run_command(idle, r"echo begun> C:\idle-begun & ping -n 490 127.0.0.1")
    eventually(winrm_host.unix_path(r"C:\idle-begun").exists)

    def pings() -> bool:
        return any("490" in process.command for process in processes_of(winrm_host.prefix.directory))

    eventually(lambda: not pings())
    with pytest.raises(WSManFaultError, match=idle):
        basic.run_command(idle, "ver")
    basic.run_command(used, "ver")


def test_an_idle_timeout_out_of_bounds_is_a_fault(lab_host: MakeHost, sign_in: SignIn) -> None:
    protocol = sign_in(limited(lab_host("winrm-02")))

    for timeout in ("PT1S", "P1D"):
        with pytest.raises(WSManFaultError) as raised:
            protocol.open_shell(idle_timeout=timeout)
        assert raised.value.wsman_fault_code == 2150859250


@pytest.mark.parametrize("message", ["<", "<a/>", "no xml"])
def test_what_is_no_envelope_is_a_fault(basic: Protocol, message: str) -> None:
    with pytest.raises(WSManFaultError) as raised:
        basic.send_message(message)

    assert raised.value.fault_subcode == "w:SchemaValidationError"


@pytest.mark.parametrize(("name", "value"), [("w:MaxEnvelopeSize", "large"), ("w:OperationTimeout", "soon")])
def test_a_header_that_cannot_be_read_is_a_fault(basic: Protocol, name: str, value: str) -> None:
    envelope = basic.build_wsman_header(
        "http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete", "http://x", NOWHERE
    )
    envelope["env:Header"][name] = value

    with pytest.raises(WSManFaultError):
        basic.send_message(xmltodict.unparse({"env:Envelope": {**envelope, "env:Body": {}}}))


def test_an_action_that_is_not_known_is_a_fault(basic: Protocol) -> None:
    header = basic.build_wsman_header("http://schemas.xmlsoap.org/ws/2004/09/transfer/Put", "http://x")

    with pytest.raises(WSManFaultError) as raised:
        basic.send_message(xmltodict.unparse({"env:Envelope": {**header, "env:Body": {}}}))

    assert raised.value.fault_subcode == "a:ActionNotSupported"


def test_who_does_not_sign_in_is_told_how(endpoint: WinrmEndpoint) -> None:
    status, headers, body = post(endpoint, b"<x/>", {})

    assert (status, body) == (401, b"")
    assert headers["www-authenticate"] in ("Negotiate", 'Basic realm="WSMAN"')


@pytest.mark.parametrize(
    "authorization", ["Negotiate", "Negotiate AAAA", "Basic ???", "Kerberos AAAA", "Basic QQ=="]
)
def test_a_sign_in_that_is_none_is_refused(endpoint: WinrmEndpoint, authorization: str) -> None:
    assert post(endpoint, b"<x/>", {"Authorization": authorization})[0] == 401


def test_a_message_sealed_for_another_connection_is_refused(endpoint: WinrmEndpoint, sign_in: SignIn) -> None:
    first, second = (sign_in(endpoint, transport="ntlm", message_encryption="always") for _ in range(2))
    first.open_shell()
    second.open_shell()
    second.transport.encryption = first.transport.encryption

    with pytest.raises(WinRMTransportError, match="400"):
        second.open_shell()


def test_identify_needs_no_sign_in(endpoint: WinrmEndpoint) -> None:
    identify = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">'
        "<s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>"
    )

    status, _, body = post(endpoint, identify.encode(), {"WSMANIDENTIFY": "unauthenticated"})

    found = ElementTree.fromstring(body).findtext(
        ".//{http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd}ProtocolVersion"
    )
    assert (status, found) == (200, "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd")
