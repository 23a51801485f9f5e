"""Importing patches and programs: what the file says is taken from it, what it does not is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.artifacts.installer_files import Patch
from reconciler.artifacts.program_file import UnreadableProgram, read_program
from reconciler.desired.catalog import Package
from reconciler.desired.findings import Rule
from reconciler.desired.loading import load_folder
from reconciler.kernel.releases import PackageKind, PatchRelease, ProgramRelease
from reconciler.operations.cataloguing.candidate import CannotImport
from reconciler.operations.cataloguing.notices import NoticeKind
from reconciler.operations.import_release import ImportRequest, ImportResult, import_releases
from reconciler.site import Site
from tests.system.artifacts.conftest import InstallerFiles, program
from tests.system.signing import SigningAuthority

PATCH_CODE = "{11111111-2222-3333-4444-555555555555}"
TARGETS = "{6505A677-144D-4850-9A93-4ECA59FA6BEE};{6505A677-144D-4850-9A93-4ECA59FA6BEF}"
BROWSER = """\
# How the browser is found.
kind: exe
detect: {fileVersion: C:\\Browser\\browser.exe}   # by its own file
arguments: "/silent"
releases:
  - version: 119.0.6045.199   # the old one
    artifact: {sha256: 00000000000000000000000000000000000000000000000000000000000000b1, size: 1, file: b.exe}
"""


def run(site: Site, folder: Path, file: Path, package: str | None = None, version: str = "") -> ImportResult:
    return import_releases(site, ImportRequest((file,), package, version=version), folder)


def package(folder: Path, name: str) -> Package:
    loaded = load_folder(folder)
    assert loaded.state is not None, loaded.findings
    return loaded.state.packages[name]


@pytest.fixture
def browser(folder: Path) -> Path:
    file = folder / "catalog" / "browser.yaml"
    file.parent.mkdir()
    file.write_text(BROWSER)
    return file


def test_a_patch_says_what_it_is_and_what_for(
    site: Site, folder: Path, installer_files: InstallerFiles, tmp_path: Path
) -> None:
    metadata = {"AllowRemoval": "1", "DisplayName": "Fix of the Agent"}
    file = installer_files.patch(tmp_path / "agent.msp", PATCH_CODE, TARGETS, metadata)
    result = run(site, folder, file, "agent-fix", "2.1.1")
    (release,) = package(folder, "agent-fix").releases
    assert isinstance(release, PatchRelease)
    assert (release.version, release.patch_code, release.removable) == ("2.1.1", PATCH_CODE, True)
    assert release.targets == tuple(TARGETS.split(";"))
    assert site.artifacts.find(release.artifact.sha256) is not None
    (imported,) = result.releases
    assert imported.identity == Patch(
        PATCH_CODE, tuple(TARGETS.split(";")), removable=True, name="Fix of the Agent"
    )
    assert result.notices == ()
    assert {finding.rule for finding in load_folder(folder).findings} == {Rule.UNKNOWN_TARGET}
    again = run(site, folder, file)
    assert [item.added for item in again.releases] == [False]


def test_patches_of_one_package_stand_in_order(
    site: Site, folder: Path, installer_files: InstallerFiles, tmp_path: Path
) -> None:
    for version in ("300.1.2", "300.1.10", "300.1.1"):
        code = PATCH_CODE.replace("1", version[-1])
        file = installer_files.patch(tmp_path / f"agent-{version}.msp", code, TARGETS)
        result = run(site, folder, file, "agent-fix", version)
        assert [notice.kind for notice in result.notices] == [NoticeKind.NOT_REMOVABLE]
    found = package(folder, "agent-fix")
    assert (found.kind, [release.version for release in found.releases]) == (
        PackageKind.MSP,
        ["300.1.1", "300.1.2", "300.1.10"],
    )


def test_what_a_patch_does_not_say_is_asked_for(
    site: Site, folder: Path, installer_files: InstallerFiles, tmp_path: Path
) -> None:
    file = installer_files.patch(tmp_path / "agent.msp", PATCH_CODE, TARGETS)
    with pytest.raises(CannotImport, match="does not say which version"):
        run(site, folder, file, "agent-fix")
    with pytest.raises(CannotImport, match="nothing in the file says which package"):
        run(site, folder, file, version="1.0.1")
    with pytest.raises(CannotImport, match="is not a version"):
        run(site, folder, file, "agent-fix", "1.0.1-beta")
    nameless = installer_files.patch(tmp_path / "nameless.msp", PATCH_CODE, "none")
    with pytest.raises(CannotImport, match="does not say which products"):
        run(site, folder, nameless, "agent-fix", "1.0.1")
    assert not (folder / "catalog").exists()


def test_a_patch_that_is_another_file_or_another_release_is_refused(
    site: Site, folder: Path, installer_files: InstallerFiles, tmp_path: Path
) -> None:
    file = installer_files.patch(tmp_path / "agent.msp", PATCH_CODE, TARGETS)
    run(site, folder, file, "agent-fix", "2.1.1")
    with pytest.raises(CannotImport, match=r"as agent-fix 2\.1\.1"):
        run(site, folder, file, "agent-fix", "2.1.2")
    with pytest.raises(CannotImport, match=r"as agent-fix 2\.1\.1"):
        run(site, folder, file, "other-fix", "2.1.1")
    twin = installer_files.patch(tmp_path / "twin.msp", PATCH_CODE, TARGETS, {"AllowRemoval": "0"})
    with pytest.raises(CannotImport, match="but is another file"):
        run(site, folder, twin, "agent-fix", "2.1.3")
    other = installer_files.patch(tmp_path / "other.msp", PATCH_CODE.replace("1", "2"), TARGETS)
    with pytest.raises(CannotImport, match=r"has a release 2\.1\.1 already"):
        run(site, folder, other, "agent-fix", "2.1.1.0")


def test_a_program_goes_into_the_package_that_says_how_it_is_found(
    site: Site, folder: Path, browser: Path, tmp_path: Path
) -> None:
    file = program(tmp_path / "setup.exe", "The Browser", "120.0.6099.130")
    result = run(site, folder, file, "browser")
    assert [(notice.kind, imported.version) for notice in result.notices for imported in result.releases] == [
        (NoticeKind.VERSION_FROM_FILE, "120.0.6099.130")
    ]
    release = package(folder, "browser").releases[1]
    assert isinstance(release, ProgramRelease)
    assert release.arguments == "/silent"
    assert browser.read_text().startswith(BROWSER), "what was there stays to the letter"
    assert [item.added for item in run(site, folder, file).releases] == [False]
    named = program(tmp_path / "other.exe", "The Browser", "121.0")
    assert run(site, folder, named, "browser", "121.0.1").notices == ()
    assert package(folder, "browser").releases[2].version == "121.0.1"


def test_a_program_that_says_too_little_is_refused(
    site: Site, folder: Path, browser: Path, tmp_path: Path
) -> None:
    with pytest.raises(CannotImport, match="does not say which version"):
        run(site, folder, program(tmp_path / "bare.exe"), "browser")
    worded = program(tmp_path / "worded.exe", "The Browser", "0 beta")
    with pytest.raises(CannotImport, match="does not say which version"):
        run(site, folder, worded, "browser")
    named = program(tmp_path / "setup.exe", "The Browser", "120.0")
    with pytest.raises(CannotImport, match="how it is found on a host") as refused:
        run(site, folder, named, "new-browser")
    assert "catalog/new-browser.yaml" in str(refused.value)
    with pytest.raises(CannotImport, match="nothing in the file says which package"):
        run(site, folder, named)
    assert browser.read_text() == BROWSER


def test_a_package_takes_files_of_its_kind_only(
    site: Site, folder: Path, browser: Path, installer_files: InstallerFiles, tmp_path: Path
) -> None:
    patch = installer_files.patch(tmp_path / "agent.msp", PATCH_CODE, TARGETS)
    with pytest.raises(CannotImport, match="browser is a package of kind exe"):
        run(site, folder, patch, "browser", "1.0.1")
    with pytest.raises(CannotImport, match="browser is a package of kind exe"):
        run(site, folder, installer_files.msi, "browser")
    run(site, folder, patch, "agent-fix", "1.0.1")
    with pytest.raises(CannotImport, match="agent-fix is a package of kind msp"):
        run(site, folder, program(tmp_path / "setup.exe", "x", "1.0"), "agent-fix")
    with pytest.raises(CannotImport, match="a version goes with one patch or program"):
        run(site, folder, installer_files.msi, version="1.0")


@pytest.mark.parametrize("content", [b"", b"MZ", b"MZ" + b"\0" * 2000, b"\x7fELF" + b"\0" * 100])
def test_what_is_no_program_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "setup.exe"
    file.write_bytes(content)
    with pytest.raises(UnreadableProgram, match="not a program for Windows"):
        read_program(file)
    with pytest.raises(UnreadableProgram, match="cannot be read"):
        read_program(tmp_path / "nowhere.exe")


def test_the_signer_of_a_program_is_pinned(
    site: Site, folder: Path, browser: Path, authority: SigningAuthority, tmp_path: Path
) -> None:
    plain = program(tmp_path / "plain.exe", "The Browser", "120.0")
    signed = authority.sign(plain, tmp_path / "signed.exe")
    request = ImportRequest((signed,), "browser", signing_roots=authority.roots)
    import_releases(site, request, folder)
    release = package(folder, "browser").releases[1]
    assert isinstance(release, ProgramRelease)
    assert release.artifact.signer == "CN=Contoso Ltd"
    unsigned = program(tmp_path / "unsigned.exe", "The Browser", "121.0")
    result = run(site, folder, unsigned, "browser")
    assert {notice.kind for notice in result.notices} == {
        NoticeKind.VERSION_FROM_FILE,
        NoticeKind.SIGNATURE_MISSING,
    }
    changed = tmp_path / "changed.exe"
    content = bytearray(signed.read_bytes())
    content[0x300] ^= 1
    changed.write_bytes(content)
    with pytest.raises(CannotImport, match="it is signed, but"):
        run(site, folder, changed, "browser", "122.0")
