"""Commands over WinRM: output, deadlines, connections that drop and shells that go, on the wire as Windows is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reconciler.hosts.winrm.connection import (
    LONGEST_COMMAND,
    CommandLost,
    CommandTimeout,
    CommandTooLong,
    Connection,
)
from reconciler.hosts.winrm.faults import HostRefused, HostUnreachable
from tests.hosts.winrm.conftest import (
    HANGS_UP,
    NOT_ALLOWED,
    SHELL_GONE,
    TIMED_OUT,
    Reply,
    Service,
    done,
    fault,
    running,
)


def test_output_comes_together_with_the_true_exit_code(service: Service, connection: Connection) -> None:
    service.play("Receive", running("grü".encode()[:3]), running("grü".encode()[3:]), done(b"n\r\n", 3221225477))
    finished = connection.run("echo")
    assert (finished.output, finished.exit_code) == ("grün\r\n", -1073741819)


def test_the_shell_is_kept_and_speaks_utf_8(service: Service, connection: Connection) -> None:
    connection.run("first")
    connection.run("second")
    assert service.actions() == ["Create", "Command", "Receive", "Signal", "Command", "Receive", "Signal"]
    assert 'Name="WINRS_CODEPAGE">65001<' in service.requests[0].message


def test_a_quiet_command_is_waited_for_and_counts_as_life(
    service: Service, connection: Connection, answered: list[str]
) -> None:
    service.play("Receive", fault(TIMED_OUT), fault(TIMED_OUT), done(b"at last"))
    assert connection.run("long").output == "at last"
    assert len(answered) == 5


def test_a_command_that_does_not_end_in_its_time_is_ended(service: Service, connection: Connection) -> None:
    service.play("Receive", *[running(b".")] * 100_000)
    with pytest.raises(CommandTimeout, match="PROD-07"):
        connection.run("endless", seconds=0.2)
    assert service.actions()[-1] == "Signal"
    assert "signal/terminate" in service.requests[-1].message


def test_of_output_without_end_only_the_end_is_kept(
    service: Service, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.hosts.winrm.connection.LONGEST_OUTPUT", 10)
    service.play("Receive", *[running(b"x" * 100)] * 3, done(b"the end"))
    assert connection.run("endless").output == "xxxthe end"


def test_a_connection_that_drops_is_picked_up_by_the_ids_of_shell_and_command(
    service: Service, connection: Connection
) -> None:
    service.play("Receive", running(b"one "), HANGS_UP, running(b"two "), done(b"three"))
    assert connection.run("msiexec").output == "one two three"
    assert service.actions().count("Command") == 1
    last = service.requests[-2].message
    assert "SHELL-1" in last
    assert 'CommandId="COMMAND"' in last


def test_what_may_have_begun_is_lost_and_not_run_again(service: Service, connection: Connection) -> None:
    connection.run("before")
    service.play("Command", HANGS_UP)
    with pytest.raises(CommandLost):
        connection.run("schtasks /run")
    assert service.actions().count("Command") == 2


def test_what_only_looks_runs_again_where_it_was_lost(service: Service, connection: Connection) -> None:
    service.play("Command", HANGS_UP)
    service.play("Receive", done(b"seen"))
    assert connection.run("reg query", repeatable=True).output == "seen"
    assert service.actions().count("Create") == 2


def test_a_shell_that_is_gone_is_opened_anew_before_a_command(service: Service, connection: Connection) -> None:
    connection.run("before the service was restarted")
    service.play("Command", fault(SHELL_GONE))
    service.play("Receive", done(b"after"))
    assert connection.run("once").output == "after"
    assert service.shells == 2


def test_a_shell_that_goes_while_a_command_runs_takes_it_along(service: Service, connection: Connection) -> None:
    service.play("Receive", running(b"half"), fault(SHELL_GONE))
    with pytest.raises(CommandLost):
        connection.run("once")
    assert service.actions().count("Command") == 1


def test_what_only_looks_is_not_tried_for_ever(service: Service, connection: Connection) -> None:
    service.play("Command", *[HANGS_UP] * 5)
    with pytest.raises(HostUnreachable, match="twice"):
        connection.run("reg query", repeatable=True)
    assert service.actions().count("Command") == 2


@pytest.mark.parametrize(("repeatable", "error"), [(True, HostUnreachable), (False, CommandLost)])
def test_a_host_that_goes_away_during_a_look_is_given_up_soon(
    service: Service,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    repeatable: bool,
    error: type[Exception],
) -> None:
    """A look is given up while most of its time is left; a command that changes something is held on to."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    clock = SimpleNamespace(monotonic=lambda: now, sleep=sleep)
    monkeypatch.setattr("reconciler.hosts.winrm.connection.time", clock)
    service.play("Receive", *[HANGS_UP] * 1000)
    with pytest.raises(error):
        connection.run("reg query", 100.0, repeatable=repeatable)
    assert (now < 50) is repeatable


def test_a_command_line_that_windows_would_cut_is_refused(service: Service, connection: Connection) -> None:
    with pytest.raises(CommandTooLong, match=f"{LONGEST_COMMAND + 1} characters"):
        connection.run("x" * (LONGEST_COMMAND + 1))
    assert service.requests == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0x803381A5, "MaxShellsPerUser"),
        (0x803381E4, "MaxShellsPerUser"),
        (0x803381E9, "MaxProcessesPerShell"),
        (0x803381E8, "MaxConcurrentOperationsPerUser"),
        (0x803381AC, "AllowRemoteShellAccess"),
        (5, "Administrators"),
    ],
)
def test_a_quota_is_told_with_what_to_do_about_it(
    service: Service, connection: Connection, code: int, words: str
) -> None:
    service.play("Create", fault(code))
    with pytest.raises(HostRefused) as refused:
        connection.run("anything")
    assert words in str(refused.value)
    assert f"0x{code:08X}" in str(refused.value)


def test_an_unknown_fault_is_told_in_the_hosts_words(service: Service, connection: Connection) -> None:
    service.play("Create", fault(0x80338999, "The moon is in the wrong house."))
    with pytest.raises(HostRefused, match="moon"):
        connection.run("anything")


def test_refused_credentials_are_told_without_them(service: Service, connection: Connection) -> None:
    service.play("Create", NOT_ALLOWED)
    with pytest.raises(HostUnreachable) as refused:
        connection.run("anything")
    assert "credentials" in str(refused.value)
    assert "correct horse" not in str(refused.value)


def test_a_host_that_is_away_is_told_as_such(service: Service, connection: Connection) -> None:
    service.close()
    with pytest.raises(HostUnreachable, match="does not answer"):
        connection.run("anything")


def test_something_that_is_no_winrm_service_is_told_as_such(service: Service, connection: Connection) -> None:
    service.play("Create", Reply("", status=200))
    with pytest.raises(HostUnreachable, match="WinRM failed"):
        connection.run("anything")
