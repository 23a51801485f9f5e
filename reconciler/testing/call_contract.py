"""What every adapter of the machine port must do beside installing: probes, commands, settings, services, limits.

The second half of the conformance suite (`reconciler.testing.machine_contract` is the first). It needs the
standard library, the kernel and the agent only, so that it can be run on a managed host itself.
"""

from __future__ import annotations

import hashlib
import time
import unittest
import uuid
from dataclasses import replace

from reconciler.agent.machine import Machine, Run, Running, RunResult
from reconciler.kernel.calls import STOPPED, Call, CallKind
from reconciler.kernel.configuration import (
    PlacedFile,
    RegistryType,
    RegistryValue,
    ServiceSetup,
    ServiceState,
    Setting,
    StartMode,
)
from reconciler.kernel.probes import ABSENT, Probe, ProbeKind

_LONGEST = 180.0
_KEY = r"HKLM\SOFTWARE\Reconciler Contract\Values"
_NO_SUCH_SERVICE = 1060

VALUES = (
    RegistryValue(_KEY, "text", RegistryType.SZ, 'a "quoted" wörd; %PATH% & more'),
    RegistryValue(_KEY, "expanded", RegistryType.EXPAND_SZ, r"%SystemRoot%\x"),
    RegistryValue(_KEY, "lines", RegistryType.MULTI_SZ, "one\ntwo words"),
    RegistryValue(_KEY, "number", RegistryType.DWORD, "4294967295"),
    RegistryValue(_KEY, "long", RegistryType.QWORD, "18446744073709551615"),
    RegistryValue(_KEY, "", RegistryType.SZ, "the default value"),
)
"""One registry value of each type."""


class CallContract(unittest.TestCase):
    r"""The suite. An adapter's test class derives from it and says what to run it on.

    ``folder`` is a folder of the machine (``C:\…``) that is the suite's own. ``service`` can be started and
    stopped, and is started by hand only. ``versioned`` is a file with a version resource that says ``version``.
    ``values`` are the registry values that are set and deleted; a number must be the fourth.
    """

    machine: Machine
    folder: str
    service: str
    versioned: str
    version: str
    values: tuple[RegistryValue, ...] = VALUES

    def command(self, exit_code: int, says: str) -> str:
        """Return a command line that writes ``says`` and ends with ``exit_code``."""
        raise NotImplementedError

    def endless_command(self) -> str:
        """Return a command line that starts another program, which does not end by itself."""
        raise NotImplementedError

    def wait_until_endless_runs(self) -> None:
        """Wait until the endless command has started that program."""
        raise NotImplementedError

    def endless_runs(self) -> bool:
        """Return whether that program runs."""
        raise NotImplementedError

    def open_port(self) -> str:
        """Return a port that something listens at until the test ends."""
        raise NotImplementedError

    def serve(self, status: int) -> str:
        """Return an address where a GET is answered with ``status`` until the test ends."""
        raise NotImplementedError

    def ask_for_reboot(self, asked: bool) -> None:
        """Leave, or take back, a sign of Windows' that a reboot is pending."""
        raise NotImplementedError

    def replace_at_boot(self, path: str) -> None:
        """Have a file be replaced at the next boot; none where ``path`` is empty."""
        raise NotImplementedError

    def run_to_end(self, call: Call) -> RunResult:
        """Carry a call out."""
        running = self.begin(call)
        assert running.wait(_LONGEST), "the run did not end"
        result = running.result()
        assert result is not None, "the run left no result"
        self.last_run = running
        return result

    def begin(self, call: Call) -> Running:
        """Start a run."""
        self.name = f"contract-{uuid.uuid4().hex}"
        return self.machine.start(Run(self.name, call))

    def ask(self, *probes: Probe) -> list[str]:
        """Return the texts of the answers, which bear their probes' keys and come in order."""
        answers = self.machine.look(probes).answers
        assert [answer.probe for answer in answers] == [probe.key for probe in probes]
        return [answer.text for answer in answers]

    def configure(self, *settings: Setting, leftovers: tuple[Setting, ...] = ()) -> RunResult:
        """Set and delete."""
        return self.run_to_end(Call(CallKind.CONFIGURE, settings=settings, leftovers=leftovers))

    def placed(self, name: str, text: str) -> PlacedFile:
        """Return a file of the suite's own."""
        sha256 = hashlib.sha256(text.encode("utf-8")).hexdigest()
        return PlacedFile(rf"{self.folder}\placed\{name}", sha256, text)

    def test_what_is_not_there_is_absent(self) -> None:
        """A service, a file and a registry value; an address is unreachable."""
        nothing = rf"{self.folder}\none.dll"
        asked = [
            Probe(ProbeKind.SERVICE, "no-such-service"),
            Probe(ProbeKind.FILE_HASH, nothing),
            Probe(ProbeKind.REGISTRY, r"HKLM\SOFTWARE\No Such Key", "x"),
            Probe(ProbeKind.HTTP, "http://127.0.0.1:1/"),
        ]
        assert self.ask(*asked) == [ABSENT] * 3 + ["unreachable"]

    def test_a_file_version_is_told_in_four_numbers(self) -> None:
        """As the file's properties show it; that of no file is absent."""
        paths = self.versioned, rf"{self.folder}\none.dll"
        assert self.ask(*(Probe(ProbeKind.FILE_VERSION, path) for path in paths)) == [self.version, ABSENT]

    def test_what_listens_is_found(self) -> None:
        """A port is open or closed."""
        asked = Probe(ProbeKind.PORT, self.open_port()), Probe(ProbeKind.PORT, "1")
        assert self.ask(*asked) == ["open", "closed"]

    def test_what_answers_is_found(self) -> None:
        """By the status of a GET, whatever it is."""
        fine, broken = self.serve(200), self.serve(503)
        assert self.ask(Probe(ProbeKind.HTTP, fine), Probe(ProbeKind.HTTP, broken)) == ["200", "503"]

    def test_a_command_answers_with_its_exit_code(self) -> None:
        """All 32 bits of it."""
        lines = self.command(0, "well"), self.command(1603, "ill"), self.command(-1073741510, "")
        assert self.ask(*(Probe(ProbeKind.COMMAND, line) for line in lines)) == ["0", "1603", "-1073741510"]

    def test_a_probe_ends_at_its_time_with_all_it_started(self) -> None:
        """A look is not held up."""
        began = time.monotonic()
        probe = Probe(ProbeKind.COMMAND, self.endless_command(), seconds=1.5)
        assert self.ask(probe) == ["timeout"]
        assert time.monotonic() - began < 15
        assert not self.endless_runs()

    def test_a_command_gives_its_code_last_line_and_log(self) -> None:
        """The exit code is true in all its bits."""
        assert self.run_to_end(Call(CallKind.COMMAND, self.command(0, "done"))) == RunResult(0, "done")
        assert self.run_to_end(Call(CallKind.COMMAND, self.command(3010, "boot me"))) == RunResult(3010, "boot me")
        assert "boot me" in self.last_run.log()
        assert self.run_to_end(Call(CallKind.COMMAND, self.command(-1073741510, ""))).exit_code == -1073741510

    def test_a_hanging_command_is_ended_with_all_it_started(self) -> None:
        """It leaves no result, and no process."""
        running = self.begin(Call(CallKind.COMMAND, self.endless_command()))
        self.wait_until_endless_runs()
        assert self.endless_runs()
        running.kill()
        assert running.wait(_LONGEST)
        assert running.result() is None
        assert not self.endless_runs()

    def test_a_hanging_command_is_found_and_ended_after_a_restart(self) -> None:
        """By whoever knows its name."""
        started = self.begin(Call(CallKind.COMMAND, self.endless_command()))
        self.wait_until_endless_runs()
        found = self.machine.find(self.name)
        assert found is not None
        assert not found.wait(0.05)
        found.kill()
        assert found.wait(_LONGEST)
        assert started.wait(_LONGEST)
        assert found.result() is None
        assert not self.endless_runs()

    def test_registry_values_of_every_type_are_set_and_deleted(self) -> None:
        """And read as they were set; deleting what is not there is no error."""
        values = self.values
        probes = [value.probe for value in values]
        assert self.configure(*values).exit_code == 0
        for value, answer in zip(values, self.ask(*probes), strict=True):
            assert value.is_so(answer), (value, answer)
        assert self.configure(replace(values[3], data="7")).exit_code == 0
        assert self.ask(probes[3]) == ["REG_DWORD:7"]
        for _ in range(2):
            assert self.configure(leftovers=values).exit_code == 0
            assert self.ask(*probes) == [ABSENT] * len(probes)

    def test_files_are_placed_replaced_and_deleted(self) -> None:
        """With the folders they need; deleting what is not there is no error."""
        first, second = self.placed(r"deep\a.ini", "[a]\r\nx=ü\r\n"), self.placed(r"deep\a.ini", "")
        for file in (first, second):
            assert self.configure(file) == RunResult(0, "")
            assert self.ask(file.probe) == [file.sha256]
        for _ in range(2):
            assert self.configure(leftovers=(second,)).exit_code == 0
            assert self.ask(second.probe) == [ABSENT]

    def test_a_service_is_set_up(self) -> None:
        """Its start mode and its state; each can be left as it is."""
        probe = Probe(ProbeKind.SERVICE, self.service)
        ways = (
            (ServiceSetup(self.service, StartMode.AUTOMATIC, ServiceState.RUNNING), "running automatic"),
            (ServiceSetup(self.service, StartMode.MANUAL), "running manual"),
            (ServiceSetup(self.service, state=ServiceState.STOPPED), "stopped manual"),
            (ServiceSetup(self.service, StartMode.DISABLED), "stopped disabled"),
            (ServiceSetup(self.service, StartMode.MANUAL), "stopped manual"),
        )
        for setup, wanted in ways:
            assert self.configure(setup) == RunResult(0, "")
            assert self.ask(probe) == [wanted]

    def test_a_setting_that_fails_is_named(self) -> None:
        """By what it is."""
        result = self.configure(ServiceSetup("no-such-service", StartMode.MANUAL))
        assert result.exit_code == _NO_SUCH_SERVICE
        assert "no-such-service" in result.message
        assert "there is no such service" in result.message

    def test_services_that_ran_are_stopped_and_started_again(self) -> None:
        """Those that did not run are not named, nor are those that are not there; all that is no error."""
        probe = Probe(ProbeKind.SERVICE, self.service)
        stop = Call(CallKind.STOP, services=(self.service, "no-such-service"), processes=("no-such-image.exe",))
        start = Call(CallKind.START, services=(self.service, "no-such-service"))
        assert self.run_to_end(start).exit_code == 0
        assert self.ask(probe) == ["running manual"]
        assert self.run_to_end(stop) == RunResult(0, STOPPED + self.service)
        assert self.ask(probe) == ["stopped manual"]
        assert self.run_to_end(stop) == RunResult(0, STOPPED)
        assert self.run_to_end(start).exit_code == 0
        assert self.ask(probe) == ["running manual"]
        assert self.run_to_end(stop) == RunResult(0, STOPPED + self.service)

    def test_a_disabled_service_is_not_started(self) -> None:
        """Somebody wanted it so."""
        self.configure(ServiceSetup(self.service, StartMode.DISABLED))
        assert self.run_to_end(Call(CallKind.START, services=(self.service,))).exit_code == 0
        assert self.ask(Probe(ProbeKind.SERVICE, self.service)) == ["stopped disabled"]
        self.configure(ServiceSetup(self.service, StartMode.MANUAL))

    def test_a_pending_reboot_is_seen_until_it_is_not(self) -> None:
        """In words."""
        assert self.machine.look().reboot_pending == ()
        self.ask_for_reboot(True)
        (signal,) = self.machine.look().reboot_pending
        self.ask_for_reboot(False)
        assert signal
        assert self.machine.look().reboot_pending == ()

    def test_pending_renames_are_told_apart_from_signals(self) -> None:
        """By the path that will be replaced."""
        before = self.machine.look().pending_renames
        path = rf"{self.folder}\in use.dll"
        assert path not in before
        self.replace_at_boot(path)
        look = self.machine.look()
        self.replace_at_boot("")
        assert set(look.pending_renames) - set(before) == {path}
        assert look.reboot_pending == ()
