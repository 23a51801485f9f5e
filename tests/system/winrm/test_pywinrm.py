"""pywinrm finds in the endpoint what it finds in Windows, by Basic and by NTLM with encrypted messages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from winrm import Session
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError
from winrm.protocol import Protocol

from reconciler.lab import LabHost
from reconciler.lab.processes import processes_of
from reconciler.lab.template import PYTHON
from reconciler.lab.winrm import WinrmEndpoint
from reconciler.testing.waiting import eventually
from tests.system.certificates import Authority

SignIn = Callable[..., Protocol]
UTF_8 = 65001


@pytest.fixture
def shell(protocol: Protocol) -> Iterator[str]:
    shell_id = protocol.open_shell(codepage=UTF_8)
    yield shell_id
    protocol.close_shell(shell_id)


def run(protocol: Protocol, shell: str, command: str, *arguments: str, **more: bool) -> tuple[str, str, int]:
    command_id = protocol.run_command(shell, command, arguments, **more)  # type: ignore[arg-type]
    out, err, code = protocol.get_command_output(shell, command_id)
    protocol.cleanup_command(shell, command_id)
    return out.decode(), err.decode(), code


def python(code: str) -> tuple[str, str, str]:
    return f'"{PYTHON}"', "-c", f'"{code}"'


def test_a_command_returns_its_output(protocol: Protocol, shell: str) -> None:
    assert run(protocol, shell, "echo", "out& echo err 1>&2") == ("out\r\n", "err \r\n", 0)


@pytest.mark.parametrize("code", [0, 1603, 3010, -1073741819, -2147024894])
def test_exit_codes_come_whole(protocol: Protocol, shell: str, code: int) -> None:
    assert run(protocol, shell, "exit", str(code)) == ("", "", code)


def test_output_is_utf_8_where_the_shell_asks_for_it(protocol: Protocol, shell: str) -> None:
    assert run(protocol, shell, "echo Jyväskylä €")[0] == "Jyväskylä €\r\n"


def test_a_shell_that_asks_for_no_code_page_has_the_oem_one(basic: Protocol) -> None:
    shell = basic.open_shell()
    command_id = basic.run_command(shell, "echo Jyväskylä €")

    assert basic.get_command_output(shell, command_id)[0] == "Jyväskylä ?\r\n".encode("cp437")


def test_a_megabyte_of_output_comes_whole(protocol: Protocol, shell: str) -> None:
    code = "import sys; sys.stdout.write('0123456789abcdef' * 65536); sys.stderr.write('e' * 300000)"

    out, err, exit_code = run(protocol, shell, *python(code))

    assert hashlib.sha256(out.encode()).digest() == hashlib.sha256(b"0123456789abcdef" * 65536).digest()
    assert (err, exit_code) == ("e" * 300000, 0)


def test_a_shell_has_its_environment_and_its_folder(protocol: Protocol) -> None:
    shell = protocol.open_shell(
        codepage=UTF_8, working_directory=r"C:\windows\temp", env_vars={"Site": "Jyväskylä", "B": "2"}
    )

    assert run(protocol, shell, "cd & echo %SITE% %B%")[0] == "C:\\windows\\temp\r\nJyväskylä 2\r\n"
    protocol.close_shell(shell)


def test_a_command_sees_nothing_of_the_endpoint_s_own_settings(basic: Protocol) -> None:
    shell = basic.open_shell(codepage=UTF_8)

    assert "NTLM_USER_FILE" not in run(basic, shell, "set")[0]


def test_a_program_runs_without_cmd_where_it_is_told_to(protocol: Protocol, shell: str) -> None:
    out, _, code = run(protocol, shell, *python("import sys; print('%OS%'); sys.exit(7)"), skip_cmd_shell=True)

    assert (out, code) == ("%OS%\r\n", 7)


def test_input_reaches_the_command(protocol: Protocol, shell: str) -> None:
    command, *arguments = python("import sys; print(sys.stdin.read().upper())")
    command_id = protocol.run_command(shell, command, arguments)

    protocol.send_command_input(shell, command_id, "first ")
    protocol.send_command_input(shell, command_id, "second", end=True)

    assert protocol.get_command_output(shell, command_id)[0] == b"FIRST SECOND\r\n"


def test_a_command_may_outlast_several_operation_timeouts(endpoint: WinrmEndpoint, sign_in: SignIn) -> None:
    protocol = sign_in(endpoint, operation_timeout_sec=1, read_timeout_sec=60)
    shell = protocol.open_shell(codepage=UTF_8)
    command, *arguments = python("import time; time.sleep(3); print('done')")
    command_id = protocol.run_command(shell, command, arguments)
    timeouts, seen = 0, None

    while seen is None:
        try:
            seen = protocol.get_command_output_raw(shell, command_id)
        except WinRMOperationTimeoutError:
            timeouts += 1

    assert timeouts >= 2
    assert seen[0] == b"done\r\n"


def test_terminate_ends_the_command_with_all_it_has_started(
    protocol: Protocol, shell: str, winrm_host: LabHost
) -> None:
    child = "import time; time.sleep(50)"
    parent = f"import subprocess, sys; print(1, flush=True); subprocess.run([sys.executable, '-c', '{child}'])"
    command, *arguments = python(parent)

    def sleepers() -> list[int]:
        return [p.pid for p in processes_of(winrm_host.prefix.directory) if child in " ".join(p.command)]

    command_id = protocol.run_command(shell, command, arguments)
    protocol.get_command_output_raw(shell, command_id)
    eventually(lambda: len(sleepers()) >= 3)  # cmd, the parent and the child

    protocol.cleanup_command(shell, command_id)

    eventually(lambda: not sleepers())


def test_several_clients_at_once_get_each_their_own(endpoint: WinrmEndpoint, sign_in: SignIn) -> None:
    def work(number: int) -> list[tuple[str, str, int]]:
        protocol = sign_in(endpoint, transport="ntlm" if number % 2 else "basic")
        shell = protocol.open_shell(codepage=UTF_8)
        seen = [run(protocol, shell, f"echo {number}-{turn}& exit {number}") for turn in range(3)]
        protocol.close_shell(shell)
        return seen

    with ThreadPoolExecutor(6) as clients:
        found = list(clients.map(work, range(6)))

    assert found == [[(f"{number}-{turn}\r\n", "", number) for turn in range(3)] for number in range(6)]


@pytest.mark.parametrize("transport", ["basic", "ntlm"])
@pytest.mark.parametrize(("user", "password"), [("Administrator", "wrong"), ("Somebody", "Lab-Passw0rd")])
def test_whoever_is_not_known_is_refused(
    endpoint: WinrmEndpoint, sign_in: SignIn, transport: str, user: str, password: str
) -> None:
    protocol = sign_in(endpoint, transport=transport, username=user, password=password)

    with pytest.raises(InvalidCredentialsError):
        protocol.open_shell()


@pytest.mark.parametrize("user", ["administrator", r".\Administrator", r"WINRM-01\Administrator"])
@pytest.mark.parametrize("transport", ["basic", "ntlm"])
def test_the_user_may_be_named_in_several_ways(
    endpoint: WinrmEndpoint, sign_in: SignIn, transport: str, user: str
) -> None:
    protocol = sign_in(endpoint, transport=transport, username=user)

    protocol.close_shell(protocol.open_shell())


@pytest.mark.parametrize("transport", ["ssl", "ntlm"])
def test_the_same_over_https(
    endpoint: WinrmEndpoint, sign_in: SignIn, tls_authority: Authority, transport: str
) -> None:
    protocol = sign_in(
        endpoint, endpoint=endpoint.tls_url, transport=transport, ca_trust_path=str(tls_authority.file)
    )
    shell = protocol.open_shell(codepage=UTF_8)

    assert run(protocol, shell, "exit", "1603") == ("", "", 1603)
    protocol.close_shell(shell)


def test_a_session_runs_a_command(endpoint: WinrmEndpoint) -> None:
    settings = endpoint.settings
    how = {"transport": "ntlm", "message_encryption": "always", "ca_trust_path": None, "proxy": None}
    session = Session(endpoint.url, (settings.user, settings.password), **how)

    response = session.run_cmd("ver")

    assert response.status_code == 0
    assert b"Windows" in response.std_out
