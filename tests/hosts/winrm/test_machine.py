"""What a pushed host is asked again and what not: a registry in memory answers the commands as `reg` does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import cast

import pytest

from reconciler.agent.machine import MachineError
from reconciler.hosts.winrm.commands import Commands
from reconciler.hosts.winrm.connection import COMMAND_SECONDS, Connection, Finished
from reconciler.hosts.winrm.machine import WinRMMachine
from reconciler.kernel.identity import pack_guid
from reconciler.kernel.observation import InstalledProduct

CURRENT = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion"
USER_DATA = rf"{CURRENT}\Installer\UserData"
SESSION_MANAGER = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager"
SYSTEM = "S-1-5-18"
SOMEBODY = "S-1-5-21-1-2-3-1001"

AGENT = "{996EF96A-22CD-41FD-9DA8-0FCDC4FB4188}"
VIEWER = "{B0676B8E-269C-478F-B4F8-378D8A0F1249}"
PACKAGE, NEWER_PACKAGE = "{DD3F83E4-9206-45C6-AB84-6C729879CDE4}", "{4861A15B-DFAC-4725-A917-9B983D066C0E}"
FAMILY = "{FD34C729-3425-4227-A650-67E900D97658}"
PATCH, NEWER_PATCH = "{A34F5150-9C3E-4B5E-8C4A-2A5E8D3B7A11}", "{0B1F7A52-8E0C-4B0B-9B4F-6C1D2E3F4A5B}"

QUERY = re.compile(r'reg query "?(?P<key>HKLM[^"]*?)"? (?P<deep>/s )?(?:/v (?P<value>\S+) )?/reg:64 2>&1')


@dataclass
class RegistryHost:
    """Stands for a connection to a host: answers what an inventory asks out of ``keys``, as `reg query` would."""

    keys: dict[str, dict[str, str]] = field(
        default_factory=lambda: {USER_DATA: {}, SESSION_MANAGER: {"Mode": "1"}}
    )
    shells: int = 0
    booted: str = "2026-11-20T22:14:05"
    asked: list[str] = field(default_factory=list)
    loses_its_shell: bool = False

    def install(self, code: str, version: str, name: str, account: str = SYSTEM, package: str = PACKAGE) -> None:
        packed = pack_guid(code)
        self.keys.setdefault(rf"{USER_DATA}\{account}", {})
        properties = {"DisplayName": name, "DisplayVersion": version}
        self.keys[rf"{USER_DATA}\{account}\Products\{packed}\InstallProperties"] = properties
        self.keys[rf"HKLM\SOFTWARE\Classes\Installer\Products\{packed}"] = {"PackageCode": pack_guid(package)}
        self.keys[rf"{CURRENT}\Installer\UpgradeCodes\{pack_guid(FAMILY)}"] = {packed: ""}

    def patch(self, code: str, patch: str = PATCH) -> None:
        key = rf"{USER_DATA}\{SYSTEM}\Products\{pack_guid(code)}\Patches\{pack_guid(patch)}"
        self.keys[key] = {"State": "0x1", "Uninstallable": "0x0"}

    def run(self, command: str, _seconds: float = COMMAND_SECONDS, *, repeatable: bool = False) -> Finished:
        assert repeatable
        self.shells = self.shells or 1
        if self.loses_its_shell:
            self.loses_its_shell = False
            self.shells += 1
        self.asked.append(command)
        parts = [part.partition("& ") for part in f"& {command}".split("& echo ===")[1:]]
        lines = [line for name, _, asked in parts for line in (f"==={name.strip()}", *self._answers(asked))]
        return Finished(0, "\r\n".join(lines).encode(), b"")

    def _answers(self, asked: str) -> list[str]:
        if asked.startswith("wevtutil"):
            return [f"<TimeCreated SystemTime='{self.booted}.0000000Z'/>"]
        return [line for query in QUERY.finditer(asked) for line in self._query(**query.groupdict())]

    def _query(self, key: str, deep: str | None, value: str | None) -> list[str]:
        below = [name for name in self.keys if name == key or name.startswith(key + "\\")]
        if not below:
            return ["ERROR: The system was unable to find the specified registry key or value."]
        lines, found = [""], 0
        for name in below:
            values = self.keys[name] if deep or name == key else {}
            held = {named: data for named, data in values.items() if value in (None, named)}
            if value is None or held:
                lines.append(name.replace("HKLM", "HKEY_LOCAL_MACHINE", 1))
                lines += [f"    {named}    REG_SZ    {data}" for named, data in held.items()]
                found += len(held)
        return [*lines, "", *([f"End of search: {found} match(es) found."] if deep and value else [])]


@pytest.fixture
def host() -> RegistryHost:
    host = RegistryHost()
    host.install(AGENT, "2.0.0", "Contoso Agent")
    return host


@pytest.fixture
def machine(host: RegistryHost) -> WinRMMachine:
    return WinRMMachine(Commands("PROD-07", cast(Connection, host)))


def test_a_host_that_is_not_known_is_asked_everything_in_one_command(
    host: RegistryHost, machine: WinRMMachine
) -> None:
    look = machine.look()
    assert look.products == (InstalledProduct(AGENT, "2.0.0", "Contoso Agent", PACKAGE, FAMILY),)
    assert look.booted_at > 0
    assert len(host.asked) == 1


def test_names_families_and_the_last_boot_are_asked_for_once_in_a_shell(
    host: RegistryHost, machine: WinRMMachine
) -> None:
    first = machine.look()
    assert machine.look() == first
    assert len(host.asked) == 2
    assert not [word for word in ("DisplayName", "UpgradeCodes", "wevtutil") if word in host.asked[1]]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda host: host.install(AGENT, "2.1.0", "Contoso Agent 2"), id="a version"),
        pytest.param(lambda host: host.install(AGENT, "2.0.0", "Renamed", package=NEWER_PACKAGE), id="a package"),
        pytest.param(lambda host: host.install(VIEWER, "1.3.0", "Contoso Viewer"), id="a product"),
        pytest.param(lambda host: host.patch(AGENT), id="a patch"),
        pytest.param(lambda host: host.install(VIEWER, "1.3.0", "Viewer", SOMEBODY), id="an account"),
    ],
)
def test_what_changed_is_seen_by_the_next_look_as_if_it_were_the_first(
    host: RegistryHost, machine: WinRMMachine, change: object
) -> None:
    machine.look()
    assert callable(change)
    change(host)
    seen = machine.look()
    assert seen == WinRMMachine(Commands("PROD-07", cast(Connection, host))).look()
    asked = len(host.asked)
    assert machine.look() == seen
    assert len(host.asked) == asked + 1, "what was told is not asked for again"


def test_a_patch_may_have_given_a_product_another_name(host: RegistryHost, machine: WinRMMachine) -> None:
    host.patch(AGENT)
    machine.look()
    host.patch(AGENT, NEWER_PATCH)
    host.keys[rf"{USER_DATA}\{SYSTEM}\Products\{pack_guid(AGENT)}\InstallProperties"]["DisplayName"] = "Agent"
    look = machine.look()
    assert [product.name for product in look.products] == ["Agent"]
    assert len(look.patches) == 2


def test_a_product_that_is_gone_is_seen_without_a_second_question(
    host: RegistryHost, machine: WinRMMachine
) -> None:
    host.install(VIEWER, "1.3.0", "Contoso Viewer")
    machine.look()
    for key in [key for key in host.keys if pack_guid(VIEWER) in key]:
        del host.keys[key]
    assert [product.product_code for product in machine.look().products] == [AGENT]
    assert len(host.asked) == 2


def test_in_a_new_shell_everything_is_asked_for_again(host: RegistryHost, machine: WinRMMachine) -> None:
    before = machine.look()
    host.booted = "2026-11-21T06:00:00"
    host.keys[rf"{USER_DATA}\{SYSTEM}\Products\{pack_guid(AGENT)}\InstallProperties"]["DisplayName"] = "Agent"
    host.loses_its_shell = True
    after = machine.look()
    assert after.booted_at > before.booted_at
    assert [product.name for product in after.products] == ["Agent"]


def test_files_that_the_next_boot_replaces_are_told_from_the_other_values_of_their_key(
    host: RegistryHost, machine: WinRMMachine
) -> None:
    renamed = r"\??\C:\Program Files\x\y.new\0!\??\C:\Program Files\x\y.dll"
    host.keys[SESSION_MANAGER] |= {"PendingFileRenameOperations": renamed, "ExcludeFromKnownDlls": r"a.dll\0b.dll"}
    assert machine.look().pending_renames == (r"C:\Program Files\x\y.dll",)


def test_a_host_that_never_answers_whole_is_told_with_its_name(host: RegistryHost, machine: WinRMMachine) -> None:
    host.keys.clear()
    host.keys[rf"HKLM\SOFTWARE\Classes\Installer\Products\{pack_guid(AGENT)}"] = {
        "PackageCode": pack_guid(PACKAGE)
    }
    with pytest.raises(MachineError, match="PROD-07"):
        machine.look()
