"""The plan of packages that are no MSIs: which step each takes, what it fetches, and what differs."""

from __future__ import annotations

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.configuration import PlacedFile, RegistryType, RegistryValue, ServiceSetup, ServiceState
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.probes import Answer, Probe, ProbeKind
from reconciler.kernel.releases import ConfigurationRelease, PackageKind, PatchRelease, ProgramRelease, Release
from reconciler.planning.comparison import Comparison
from reconciler.planning.hosts import KnownHost
from reconciler.planning.plan import Plan, plan
from reconciler.planning.report import as_text

NOW = 1_000_000.0
DETECT = Probe(ProbeKind.FILE_VERSION, r"C:\browser.exe")
KEY = r"HKLM\SOFTWARE\Contoso"
FIX = PatchRelease("1.0.1", "patch", Artifact("1" * 64, 100, "fix.msp"), ("product",))
BROWSER = ProgramRelease("120.0.6099.130", Artifact("2" * 64, 2000, "browser.exe"), DETECT)
SETTINGS = ConfigurationRelease(
    "1.1",
    (
        RegistryValue(KEY, "Server", RegistryType.SZ, "a"),
        RegistryValue(KEY, "Port", RegistryType.DWORD, "1"),
        PlacedFile(r"C:\logo.bin", "3" * 64, artifact=Artifact("3" * 64, 30, "logo.bin")),
        ServiceSetup("Spooler", state=ServiceState.STOPPED),
    ),
)


def planned(package: str, kind: PackageKind, target: Release, *answers: Answer, product: str = "product") -> Plan:
    goals = (Goal(package, "", target, kind=kind, fingerprint=package),)
    observation = Observation((InstalledProduct(product, "1.0.0", "App", "code", "family"),), answers=answers)
    hosts = [
        KnownHost(n, "prod", Assignment(n, "prod", "r", goals), "d", "d", observation, NOW) for n in ("A", "B")
    ]
    return plan("r", hosts, NOW, 3600)


def lines(found: Plan) -> list[str]:
    text = as_text(Comparison("before", "r", (), found))
    return [" ".join(line.split()) for line in text.splitlines() if line.startswith("prod ")]


def test_a_patch_for_what_is_there() -> None:
    assert lines(planned("fix", PackageKind.MSP, FIX)) == ["prod fix patch - -> 1.0.1 2 A, B 200 B now"]
    assert lines(planned("fix", PackageKind.MSP, FIX, product="other")) == []


def test_a_program_that_is_older() -> None:
    older = Answer(DETECT.key, "119.0.6045.199")
    assert lines(planned("browser", PackageKind.EXE, BROWSER, older)) == [
        "prod browser upgrade 119.0.6045.199 -> 120.0.6099.130 2 A, B 4.0 KB now"
    ]
    same = Answer(DETECT.key, "120.0.6099.130")
    assert lines(planned("browser", PackageKind.EXE, BROWSER, same)) == []


def test_settings_that_differ_are_named() -> None:
    answers = [
        Answer(SETTINGS.settings[0].probe.key, "REG_SZ:a"),
        Answer(SETTINGS.settings[1].probe.key, "REG_DWORD:2"),
        Answer(SETTINGS.settings[2].probe.key, "absent"),
        Answer(SETTINGS.settings[3].probe.key, "running manual"),
    ]
    (line,) = lines(planned("settings", PackageKind.CONFIGURATION, SETTINGS, *answers))
    assert line.startswith("prod settings configure - -> 1.1 2 A, B 60 B now: differs: ")
    assert line.endswith(rf"differs: {KEY}\Port, C:\logo.bin, service Spooler")
