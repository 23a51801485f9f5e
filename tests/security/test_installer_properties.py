"""No property of a release turns its installation into another operation, whoever sends it to a host."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.desired.findings import Finding
from reconciler.desired.loading import Loaded, load_folder
from reconciler.kernel.attempts import Outcome
from reconciler.kernel.calls import CallKind, InvalidProperty, check_property
from reconciler.kernel.installer_properties import REFUSED
from reconciler.kernel.releases import MsiRelease
from reconciler.testing.inline_agent import InlineAgent
from reconciler.testing.sample_packages import Catalog

NAMED_IN_THE_ISSUE = (
    *("REMOVE", "ADVERTISE", "ADDLOCAL", "ADDSOURCE", "ADDDEFAULT", "COMPADDLOCAL", "COMPADDDEFAULT"),
    *("COMPADDSOURCE", "FILEADDLOCAL", "FILEADDDEFAULT", "FILEADDSOURCE", "REINSTALL", "REINSTALLMODE"),
    *("MSIINSTALLPERUSER", "ALLUSERS", "PATCH", "PATCHREMOVE", "MSIPATCHREMOVE", "TRANSFORMS"),
    *("TRANSFORMSSECURE", "TRANSFORMSATSOURCE", "REBOOT", "ACTION", "SEQUENCE", "MSINEWINSTANCE"),
    *("MSIENFORCEUPGRADECOMPONENTRULES", "MSIRESTARTMANAGERCONTROL", "MSIDISABLERMRESTART", "SHORTFILENAMES"),
    *("EXECUTEACTION", "EXECUTEMODE", "LIMITUI", "LOGACTION"),
)


class Host:
    """A host with an agent that does what its assignment says; the server may be one of mallory's."""

    def __init__(self, folder: Path) -> None:
        self.agent = InlineAgent(folder)
        self.catalog = Catalog(self.agent.files.content)

    def want(self, release: MsiRelease) -> None:
        self.agent.want(self.catalog.goal(release))

    @property
    def calls(self) -> list[CallKind]:
        return [call.kind for call in self.agent.machine.calls]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def load_release(folder: Path, lines: str) -> Loaded:
    (folder / "catalog").mkdir(parents=True)
    (folder / "reconciler.yaml").write_text("version: 1\n")
    (folder / "catalog" / "app.yaml").write_text(
        'upgradeCode: "{00000000-0000-0000-0000-00000000000F}"\nreleases:\n  - version: 1.0.0\n'
        '    productCode: "{00000000-0000-0000-0000-0000000000A1}"\n'
        '    packageCode: "{00000000-0000-0000-0000-0000000000B1}"\n'
        f"    artifact: {{sha256: {'a' * 64}, size: 5, file: app.msi}}\n{lines}"
    )
    return load_folder(folder)


@pytest.mark.parametrize("name", NAMED_IN_THE_ISSUE)
def test_a_property_that_changes_the_operation_is_refused(name: str) -> None:
    assert name in REFUSED
    with pytest.raises(InvalidProperty, match=f"the property {name} "):
        check_property(name, "ALL")


@pytest.mark.parametrize(
    "name", ["INSTALLDIR", "TARGETDIR", "INSTALLLEVEL", "ARPNOREMOVE", "SITE", "REMOVEOLDDATA"]
)
def test_a_property_that_sets_the_product_up_is_taken(name: str) -> None:
    check_property(name, "1")


def test_validation_reports_the_line_and_names_the_key_for_features(tmp_path: Path) -> None:
    (finding,) = load_release(tmp_path / "root", "    properties: {SITE: x, REMOVE: ALL}\n").findings
    assert isinstance(finding, Finding)
    assert finding.path.endswith("root/catalog/app.yaml")
    assert (finding.line, finding.column) == (7, 27)
    assert "could become a removal" in finding.message
    assert "features" in finding.hint


@pytest.mark.parametrize("name", ["REMOVE", "Remove", "REINSTALLMODE", "MSIPATCHREMOVE"])
def test_a_host_runs_nothing_for_a_server_that_sends_such_a_property(host: Host, name: str) -> None:
    release = host.catalog.release("1.0.0", 1)
    host.want(replace(release, properties=((name, "ALL"),)))
    attempt = host.agent.turn_fully()
    assert attempt.outcome is Outcome.FAILED
    assert f"the property {name} " in attempt.message
    assert "nothing was run" in attempt.message
    assert host.calls == []


def test_a_rollback_to_such_a_release_removes_nothing_first(host: Host) -> None:
    old, new = host.catalog.release("1.0.0", 1), host.catalog.release("2.0.0", 2)
    host.want(new)
    assert host.agent.turn_fully().outcome is Outcome.SUCCEEDED
    host.want(replace(old, properties=(("REMOVE", "ALL"),)))
    assert host.agent.turn_fully().outcome is Outcome.FAILED
    assert host.calls == [CallKind.INSTALL]


def test_features_are_chosen_by_a_key_of_their_own(tmp_path: Path) -> None:
    loaded = load_release(tmp_path / "root", "    features: [Main, Tools.Extra]\n")
    assert loaded.state is not None
    (release,) = loaded.state.packages["app"].msi_releases
    assert release.features == ("Main", "Tools.Extra")


@pytest.mark.parametrize(
    ("features", "complaint"),
    [
        ("[Main, Main]", "listed twice"),
        ('["Main,Other"]', "not the name of a feature"),
        ('["Main REMOVE=ALL"]', "not the name of a feature"),
        ('[""]', "not the name of a feature"),
    ],
)
def test_what_is_no_feature_is_refused(tmp_path: Path, features: str, complaint: str) -> None:
    (finding,) = load_release(tmp_path / "root", f"    features: {features}\n").findings
    assert complaint in finding.message


def test_features_reach_the_installer_at_every_kind_of_run(host: Host) -> None:
    first, second = host.catalog.release("1.0.0", 1), host.catalog.release("1.1.0", 1)
    third = host.catalog.release("2.0.0", 2)
    chosen = [replace(release, features=("Main", "Tools")) for release in (first, second, third)]
    host.catalog.releases[:] = chosen
    for release in (*chosen, chosen[0]):
        host.want(release)
        assert host.agent.turn_fully().outcome is Outcome.SUCCEEDED
    install, update, upgrade, removal, rollback = (call.properties for call in host.agent.machine.calls)
    for properties in (install, update, upgrade, rollback):
        assert 'ADDLOCAL="Main,Tools"' in properties
    assert "REINSTALL=ALL" in update
    assert "ADDLOCAL" not in removal


def test_the_reference_lists_every_refused_property() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "desired-state.md").read_text("utf-8")
    section = page.partition("### Properties that are refused")[2].partition("\n##")[0]
    listed = set(re.findall(r"`([A-Z]+)`", section))
    beginnings = {name for name in listed if f"begin with `{name}`" in section}
    assert {name for name in REFUSED if not name.startswith(tuple(beginnings))} == listed - beginnings - {"ALL"}
