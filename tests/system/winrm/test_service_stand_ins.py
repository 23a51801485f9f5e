"""The stand-ins for sc and net do what the real tools do, with services of Wine's service manager."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.winrm.conftest import Run

SPOOLER = r"C:\windows\system32\spoolsv.exe"
START = r"reg query HKLM\SYSTEM\CurrentControlSet\Services\LabBase /v Start"
STATUS = """
SERVICE_NAME: {name}
        TYPE               : 10  WIN32_OWN_PROCESS {blank}
        STATE              : 1  STOPPED{blank}
                                (NOT_STOPPABLE, NOT_PAUSABLE, IGNORES_SHUTDOWN)
        WIN32_EXIT_CODE    : 1077  (0x435)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0
"""


@pytest.fixture
def services(run: Run) -> Iterator[None]:
    """Make LabBase, LabMiddle that depends on it, and LabTop that depends on both."""
    needs = {"LabBase": "", "LabMiddle": "depend= LabBase", "LabTop": "depend= LabBase/LabMiddle"}
    for name, depends in needs.items():
        made = run(f"sc create {name} binPath= {SPOOLER} start= demand {depends}")
        assert (made.exit_code, made.stdout) == (0, "[SC] CreateService SUCCESS\n")
    yield
    for name in reversed(needs):
        run(f"net stop {name}")
        assert run(f"sc delete {name}").stdout == "[SC] DeleteService SUCCESS\n"


def state_of(run: Run, name: str) -> str:
    told = run(f"sc query {name}").stdout
    return next(line.split()[-1] for line in told.splitlines() if "STATE" in line)


@pytest.mark.usefixtures("services")
@pytest.mark.parametrize(
    ("word", "number", "name"),
    [("auto", 2, "AUTO_START"), ("demand", 3, "DEMAND_START"), ("disabled", 4, "DISABLED")],
)
def test_sc_config_sets_the_start_mode_and_nothing_else(run: Run, word: str, number: int, name: str) -> None:
    done = run(f'sc config "LabBase" start= {word}')

    assert (done.exit_code, done.stdout) == (0, "[SC] ChangeServiceConfig SUCCESS\n")
    assert f"REG_DWORD    0x{number}" in run(START).stdout
    told = run("sc qc LabBase").stdout
    assert f"        START_TYPE         : {number}   {name}\n" in told
    assert f"        BINARY_PATH_NAME   : {SPOOLER}\n" in told


@pytest.mark.usefixtures("services")
def test_sc_tells_of_a_service_as_windows_does(run: Run) -> None:
    shown = STATUS.format(name="LabBase", blank=" ")
    asked = run("sc query LabBase")
    assert (asked.exit_code, asked.stdout) == (0, shown)
    assert run("sc queryex LabBase").stdout.startswith(f"{shown}        PID                : 0\n")
    assert "SERVICE_NAME: LabBase\n" in run("sc query state= all").stdout
    assert "SERVICE_NAME: LabBase\n" not in run("sc query").stdout


@pytest.mark.usefixtures("services")
def test_dependent_services_are_told_in_the_order_to_stop_them_in(run: Run) -> None:
    told = run("sc enumdepend LabBase 65536").stdout
    assert told.startswith("[SC] EnumDependentServices: entriesread = 2\n")
    assert [line for line in told.splitlines() if line.startswith("SERVICE_NAME")] == [
        "SERVICE_NAME: LabTop",
        "SERVICE_NAME: LabMiddle",
    ]
    assert run("sc enumdepend LabTop 65536").stdout == "[SC] EnumDependentServices: entriesread = 0\n"


@pytest.mark.usefixtures("services")
def test_net_starts_and_stops_a_service_once(run: Run) -> None:
    assert run("net start LabBase").exit_code == 0
    assert state_of(run, "LabBase") == "RUNNING"
    again = run("net start LabBase")
    assert (again.exit_code, "NET HELPMSG 2182" in again.stderr) == (2, True)

    assert run('net stop "LabBase"').exit_code == 0
    assert state_of(run, "LabBase") == "STOPPED"
    again = run("net stop LabBase")
    assert (again.exit_code, "NET HELPMSG 3521" in again.stderr) == (2, True)


@pytest.mark.usefixtures("services")
def test_net_stops_what_depends_on_a_service_only_where_it_may(run: Run) -> None:
    for name in ("LabBase", "LabTop"):
        assert run(f"net start {name}").exit_code == 0

    refused = run("net stop LabBase")

    assert (refused.exit_code, "   LabTop\n" in refused.stdout) == (2, True)
    assert (state_of(run, "LabBase"), state_of(run, "LabTop")) == ("RUNNING", "RUNNING")
    assert run("net stop LabBase /y").exit_code == 0
    assert (state_of(run, "LabBase"), state_of(run, "LabTop")) == ("STOPPED", "STOPPED")


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("sc query no-such", 1060, "[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\n"),
        ("sc config no-such start= auto", 1060, "[SC] OpenService FAILED 1060:\n"),
        ("sc enumdepend no-such 65536", 1060, "[SC] OpenService FAILED 1060:\n"),
        ("sc start no-such", 1060, "[SC] StartService: OpenService FAILED 1060:\n"),
        ("sc delete no-such", 1060, "[SC] OpenService FAILED 1060:\n"),
        ("sc config Spooler start=auto", 1639, "ERROR: this stand-in of the lab "),
        ("sc config Spooler start= sometimes", 1639, "ERROR: this stand-in of the lab "),
        (r"sc \\other query Spooler", 1639, "ERROR: this stand-in of the lab "),
        ("sc", 1639, "ERROR: this stand-in of the lab "),
        ("net start no-such", 2, "The service name is invalid."),
        ("net stop no-such /y", 2, "The service name is invalid."),
        ("net use", 2, "This stand-in of the lab "),
    ],
)
def test_what_is_not_there_or_not_known_is_refused(run: Run, command: str, code: int, says: str) -> None:
    done = run(command)

    assert done.exit_code == code
    assert (done.stdout + done.stderr).startswith(says)
