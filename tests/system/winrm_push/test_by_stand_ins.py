"""What a push shows on a lab host thanks to the lab's stand-ins: signers, leftovers of runs, and more.

The stand-in for PowerShell knows these very scripts, and asks Wine's own functions. Of an MSI, Wine says that its
signature holds whatever was changed in it, so programs (PE) are shown here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.agent.machine import Run, RunResult
from reconciler.hosts.winrm.commands import Commands
from reconciler.hosts.winrm.machine import WinRMMachine
from reconciler.hosts.winrm.remote_run import RemoteRun
from reconciler.hosts.winrm.signatures import WinRMSignatures
from reconciler.kernel.calls import STOPPED, Call, CallKind
from reconciler.kernel.configuration import RegistryType, RegistryValue
from reconciler.kernel.probes import ABSENT, Probe, ProbeKind
from reconciler.kernel.signatures import Signature, Trust
from reconciler.lab import Lab, LabHost
from reconciler.lab.processes import processes_of
from reconciler.lab.template import PYTHON
from reconciler.lab.winrm.tools import install_reg
from reconciler.testing.waiting import eventually
from tests.system.contract_host import reached_by_winrm

ENDLESS = "import time; time.sleep(600)"
FOLDER = r"C:\It's signed"
SPOOLER = r"C:\windows\system32\spoolsv.exe"
SERVICES = ("LabBase", "LabMiddle", "LabTop")


@pytest.fixture(scope="module")
def reached(lab: Lab) -> Iterator[tuple[LabHost, Commands]]:
    with reached_by_winrm(lab, "by-stand-ins") as host_and_commands:
        yield host_and_commands


def examined(reached: tuple[LabHost, Commands], tmp_path: Path, name: str, content: bytes) -> Signature:
    source = tmp_path / name
    source.write_bytes(content)
    reached[0].copy_in(source, rf"{FOLDER}\{name}")
    return WinRMSignatures(reached[1]).examine(rf"{FOLDER}\{name}")


def test_the_folder_of_runs_is_closed_to_users(reached: tuple[LabHost, Commands]) -> None:
    """The stand-in notes what it is asked for. It protects nothing."""
    host, commands = reached
    folder = commands.root()
    asked = [json.loads(line) for line in host.read(r"C:\windows\temp\icacls.jsonl").decode().splitlines()]
    assert folder == r"C:\Program Files\Reconciler Push"
    assert [folder, "/inheritance:r", "/grant:r", "*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F", "/q"] in asked


def test_who_signed_a_program_is_told(reached: tuple[LabHost, Commands], tmp_path: Path) -> None:
    signature = examined(reached, tmp_path, "signed.exe", reached[0].read(PYTHON))

    assert signature.trust is Trust.HOLDS
    assert signature.subject is not None
    assert signature.subject.is_named("CN=Python Software Foundation")


def test_a_program_that_was_changed_after_it_was_signed_does_not_hold(
    reached: tuple[LabHost, Commands], tmp_path: Path
) -> None:
    content = bytearray(reached[0].read(PYTHON))
    content[len(content) // 3] ^= 1

    assert examined(reached, tmp_path, "changed.exe", bytes(content)).trust is Trust.CHANGED


def test_a_program_without_a_signature_is_not_signed(reached: tuple[LabHost, Commands], tmp_path: Path) -> None:
    content = reached[0].read(r"C:\windows\system32\hostname.exe")

    signature = examined(reached, tmp_path, "plain.exe", content)

    assert (signature.trust, signature.subject) == (Trust.NOT_SIGNED, None)


def test_what_is_left_of_a_run_is_ended_and_nothing_else(reached: tuple[LabHost, Commands]) -> None:
    """No task is there to end: the processes are found by their command lines."""
    host, commands = reached
    for name in ("stray-run", "other-run"):
        host.start([PYTHON, "-c", ENDLESS, name])

    def running(name: str) -> bool:
        return any(process.command[-1] == name for process in processes_of(host.prefix.directory))

    eventually(lambda: running("stray-run") and running("other-run"))

    RemoteRun(commands, "stray-run", rf"{commands.root()}\runs\stray-run").kill()

    eventually(lambda: not running("stray-run"))
    assert running("other-run")


@pytest.mark.exhaustive
def test_dependent_services_are_stopped_before_and_started_after_a_service(
    reached: tuple[LabHost, Commands],
) -> None:
    """LabTop depends on LabBase through LabMiddle, which does not run."""
    host, commands = reached
    for name, needed in zip(SERVICES, ("RpcSs", *SERVICES), strict=False):
        assert host.run(f"sc create {name} binPath= {SPOOLER} start= demand depend= {needed}").exit_code == 0
    machine = WinRMMachine(commands)

    def carried_out(name: str, call: Call) -> tuple[RunResult | None, list[str]]:
        run = machine.start(Run(name, call))
        assert run.wait(120)
        asked = [Probe(ProbeKind.SERVICE, service) for service in SERVICES]
        return run.result(), [answer.text.partition(" ")[0] for answer in machine.look(asked).answers]

    started = RunResult(0, "")
    start = Call(CallKind.START, services=("LabBase", "LabTop"))
    assert carried_out("dependents-1", start) == (started, ["running", "stopped", "running"])

    stopped = RunResult(0, f"{STOPPED}LabBase; LabTop")
    stop = Call(CallKind.STOP, services=("LabBase",))
    assert carried_out("dependents-2", stop) == (stopped, ["stopped"] * 3)
    assert carried_out("dependents-3", start) == (started, ["running", "stopped", "running"])


@pytest.mark.exhaustive
def test_a_registry_value_of_64_bits_is_set_read_and_deleted(lab: Lab) -> None:
    """With the stand-in for reg, on a host of its own: it makes every look slow."""
    key = r"HKLM\SOFTWARE\Reconciler Contract\Wide"
    values = [
        RegistryValue(key, "largest number", RegistryType.QWORD, "18446744073709551615"),
        RegistryValue(key, "", RegistryType.QWORD, "4294967296"),
        RegistryValue(key, "text", RegistryType.SZ, 'a "quoted" wörd; %PATH% & more'),
    ]
    probes = [value.probe for value in values]
    with reached_by_winrm(lab, "wide-values") as (host, commands):
        install_reg(host.prefix.drive_c)
        machine = WinRMMachine(commands)

        def carried_out(name: str, call: Call) -> list[str]:
            run = machine.start(Run(name, call))
            assert run.wait(120)
            assert run.result() == RunResult(0, "")
            return [answer.text for answer in machine.look(probes).answers]

        answers = carried_out("wide-1", Call(CallKind.CONFIGURE, settings=tuple(values)))
        assert [value.is_so(answer) for value, answer in zip(values, answers, strict=True)] == [True] * 3, answers
        assert answers[:2] == ["REG_QWORD:18446744073709551615", "REG_QWORD:4294967296"]
        gone = carried_out("wide-2", Call(CallKind.CONFIGURE, leftovers=tuple(values)))
        assert gone == [ABSENT] * 3
