"""What catalog files of each kind come to: the releases, and how a package wants to be handled."""

from __future__ import annotations

import hashlib
import json

from reconciler.desired.model import DesiredState
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.configuration import (
    PlacedFile,
    RegistryType,
    RegistryValue,
    ServiceSetup,
    ServiceState,
    StartMode,
)
from reconciler.kernel.practice import NO_PRACTICE, HealthCheck, Practice
from reconciler.kernel.probes import Probe, ProbeKind
from reconciler.kernel.releases import ConfigurationRelease, PackageKind, PatchRelease, ProgramRelease
from reconciler.kernel.wire import decode, encode
from reconciler.rollout.assignments import Assigner

BROWSER = r"C:\Program Files\Browser\browser.exe"
KEY = r"HKLM\SOFTWARE\Contoso\Agent"


def test_a_package_is_an_msis_where_nothing_is_said(state: DesiredState) -> None:
    extra = state.packages["extra"]
    assert (extra.kind, extra.practice) == (PackageKind.MSI, NO_PRACTICE)
    assert extra.upgrade_code == "{AAAAAAAA-0000-0000-0000-0000000000EE}"


def test_patches(state: DesiredState) -> None:
    package = state.packages["extra-fix"]
    assert (package.kind, package.upgrade_code) == (PackageKind.MSP, "")
    assert package.releases == (
        PatchRelease(
            version="1.0.1",
            patch_code="{CCCCCCCC-0000-0000-0000-0000000000E1}",
            artifact=Artifact("f1".rjust(64, "0"), 4096, "extra-1.0.1.msp", "O=Contoso Ltd"),
            targets=("{AAAAAAAA-0000-0000-0000-0000000000E1}", "{AAAAAAAA-0000-0000-0000-0000000000E9}"),
            removable=True,
            properties=(("SITE", "head office"),),
            reboot_expected=True,
        ),
        PatchRelease(
            version="1.0.2",
            patch_code="{CCCCCCCC-0000-0000-0000-0000000000E2}",
            artifact=Artifact("f2".rjust(64, "0"), 1, "extra-1.0.2.msp"),
            targets=("{AAAAAAAA-0000-0000-0000-0000000000E1}",),
        ),
    )
    assert len(package.details_of("1.0.1").sources) == 1


def test_programs(state: DesiredState) -> None:
    browser, scanner = state.packages["browser"], state.packages["scanner"]
    older, newer = browser.releases
    assert browser.kind is PackageKind.EXE
    assert newer == ProgramRelease(
        version="120.0.6099.130",
        artifact=Artifact("b2".rjust(64, "0"), 4096, "browser.exe"),
        detect=Probe(ProbeKind.FILE_VERSION, BROWSER),
        arguments="--silent --system-level",
        uninstall=r'"C:\Program Files\Browser\setup.exe" --uninstall --force',
        success_codes=(0, 4294967295),
        reboot_codes=(3010,),
    )
    assert isinstance(older, ProgramRelease)
    assert older.arguments == "/S"
    assert browser.details_of(older.version).issue == "BROWSER-1"
    assert scanner.releases == (
        ProgramRelease(
            version="3.1",
            artifact=Artifact("b3".rjust(64, "0"), 1, "scanner.exe"),
            detect=Probe(ProbeKind.REGISTRY, r"HKLM\SOFTWARE\WOW6432Node\Scanner", "Version"),
        ),
    )


def test_configurations(state: DesiredState) -> None:
    package = state.packages["settings"]
    text = "[agent]\nname = Ä\n"
    logo = Artifact("a1".rjust(64, "0"), 12, "logo.bin")
    assert package.kind is PackageKind.CONFIGURATION
    assert package.releases[0] == ConfigurationRelease(
        "1.0",
        (
            RegistryValue(KEY, "Server", RegistryType.SZ, "agents.example.com"),
            RegistryValue(KEY, "", RegistryType.EXPAND_SZ, r"%ProgramData%\Contoso"),
            RegistryValue(KEY, "Sites", RegistryType.MULTI_SZ, "oslo\nhelsinki"),
            RegistryValue(KEY, "Interval", RegistryType.DWORD, "300"),
            RegistryValue(KEY, "Quota", RegistryType.QWORD, str(2**64 - 1)),
            PlacedFile(
                r"C:\ProgramData\Contoso\agent.ini", hashlib.sha256(text.encode("utf-8")).hexdigest(), text
            ),
            PlacedFile(r"C:\ProgramData\Contoso\logo.bin", logo.sha256, artifact=logo),
            ServiceSetup("ContosoAgent", StartMode.AUTOMATIC, ServiceState.RUNNING),
            ServiceSetup("Spooler", StartMode.DISABLED),
        ),
    )
    assert package.details_of("1.0").file_sources == (("https://downloads.example.com/logo.bin",),)
    assert package.details_of("1.1").notes == "Agents look their server up."


def test_how_a_package_wants_to_be_handled(state: DesiredState) -> None:
    assert goal_of(state, "browser").practice == Practice(
        services=("BrowserUpdate",),
        processes=("browser.exe",),
        before=("cmd /c echo before",),
        after=("cmd /c echo after",),
        checks=(
            HealthCheck(Probe(ProbeKind.SERVICE, "BrowserUpdate"), "running"),
            HealthCheck(Probe(ProbeKind.SERVICE, "BrowserLegacy"), "stopped"),
            HealthCheck(Probe(ProbeKind.FILE_VERSION, BROWSER), "120.0.6099.130"),
            HealthCheck(
                Probe(ProbeKind.FILE_VERSION, r"C:\Program Files\Browser\helper.exe", seconds=10.0), "4.1"
            ),
            HealthCheck(Probe(ProbeKind.PORT, "9222"), "open"),
            HealthCheck(Probe(ProbeKind.HTTP, "http://localhost:9222/health"), "204"),
            HealthCheck(Probe(ProbeKind.COMMAND, f'"{BROWSER}" --check', seconds=60.0), "3"),
        ),
        settle=90.0,
        despite_reboot=True,
        seconds=7200.0,
    )


def test_a_check_of_a_files_version_wants_that_of_the_release(state: DesiredState) -> None:
    package = state.packages["browser"]
    wants = {version: package.practice_at(version).checks[2].wants for version in ("119.0.6045.199", "9.9")}
    assert wants == {"119.0.6045.199": "119.0.6045.199", "9.9": "9.9"}
    assert package.practice_at("9.9").checks[3].wants == "4.1"


def test_hosts_of_one_environment_share_their_goals(state: DesiredState) -> None:
    assigner = Assigner(state)
    first, second = (assigner.assign(host, "qa").assignment.goals for host in ("QA-01", "QA-02"))
    assert first is second
    assert [goal.kind for goal in first] == ["msp", "exe", "exe", "configuration"]


def test_goals_of_every_kind_reach_a_host_as_they_are(state: DesiredState) -> None:
    assignment = Assigner(state).assign("QA-01", "qa").assignment
    message = json.loads(json.dumps(encode(assignment)))
    assert decode(Assignment, message) == assignment
    asked = {probe.kind for probe in assignment.probes}
    assert asked == set(ProbeKind)


def goal_of(state: DesiredState, package: str) -> Goal:
    goals = Assigner(state).assign("QA-01", "qa").assignment.goals
    return next(goal for goal in goals if goal.package == package)
