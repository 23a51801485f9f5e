"""The files of patches, programs and configurations are held against the catalog as those of MSIs are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from reconciler.artifacts.store import ArtifactStore
from reconciler.desired.findings import Severity
from reconciler.operations.validate_artifacts import validate_with_artifacts
from tests.system.artifacts.conftest import InstallerFiles, program
from tests.system.artifacts.vendor import GRANTED, address_of

PATCH_CODE = "{11111111-2222-3333-4444-555555555555}"
TARGET = "{6505A677-144D-4850-9A93-4ECA59FA6BEE}"


def findings(folder: Path, text: str, kept: ArtifactStore | None = None) -> list[tuple[str, int, str]]:
    """Check a catalog of one file; return each error's rule, line and message."""
    file = folder / "catalog" / "tool.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    loaded = validate_with_artifacts(folder, None, kept, None, lambda _: None, GRANTED)
    errors = [finding for finding in loaded.findings if finding.severity is Severity.ERROR]
    assert (loaded.state is None) == bool(errors)
    return [(finding.rule.value, finding.line, finding.message) for finding in errors]


def named(file: Path, name: str, *, source: bool = True) -> str:
    content = file.read_bytes()
    sources = f", sources: [{address_of(file)}]" if source else ""
    sha256 = hashlib.sha256(content).hexdigest()
    return f"{{sha256: {sha256}, size: {len(content)}, file: {name}{sources}}}"


def patch(file: Path, *, code: str = PATCH_CODE, target: str = TARGET, removable: bool = True) -> str:
    return f"""\
kind: msp
releases:
  - version: 1.0.1
    patchCode: "{code}"
    targets: ["{target}"]
    removable: {str(removable).lower()}
    artifact: {named(file, "tool.msp")}
"""


def test_a_patch_holds_what_the_catalog_says(
    folder: Path, installer_files: InstallerFiles, tmp_path: Path
) -> None:
    file = installer_files.patch(tmp_path / "tool.msp", PATCH_CODE, TARGET, {"AllowRemoval": "1"})
    assert findings(folder, patch(file)) == []
    firm = installer_files.patch(tmp_path / "firm.msp", PATCH_CODE, TARGET)
    assert findings(folder, patch(firm, removable=False)) == []
    wrong = patch(firm, code=PATCH_CODE.replace("1", "2"), target=TARGET.replace("E", "F"))
    assert findings(folder, wrong) == [
        ("identity-mismatch", 4, f"the patch's patchCode is {PATCH_CODE}"),
        ("identity-mismatch", 5, f"the patch is for {TARGET}"),
        ("identity-mismatch", 6, "the patch does not say that it can be taken off again"),
    ]
    assert findings(folder, patch(installer_files.msi)) == [
        ("unreadable-artifact", 7, "this is not a patch (.msp) of Windows Installer")
    ]


def test_a_program_is_one(folder: Path, tmp_path: Path) -> None:
    def package(file: Path, *, source: bool = True, more: str = "") -> str:
        return f"""\
kind: exe
detect: {{fileVersion: C:\\tool.exe}}
releases:
  - version: 1.0.1
    artifact: {named(file, "tool.exe", source=source)[:-1]}{more}}}
"""

    file = program(tmp_path / "tool.exe", "Tool", "7.7")
    assert findings(folder, package(file)) == []
    assert findings(folder, package(file, source=False)) == [
        ("missing-artifact", 5, "the file is neither among the installation's artifacts nor at a source")
    ]
    store = ArtifactStore(tmp_path / "artifacts")
    store.add(file)
    assert findings(folder, package(file, source=False), store) == []
    ((rule, line, message),) = findings(folder, package(file, more=", signer: CN=Contoso Ltd"))
    assert (rule, line) == ("untrusted-signature", 5)
    assert "CN=Contoso Ltd" in message
    (tmp_path / "text.exe").write_text("no program")
    assert findings(folder, package(tmp_path / "text.exe")) == [
        ("unreadable-artifact", 5, "this is not a program for Windows")
    ]


@pytest.mark.parametrize("source", [True, False])
def test_files_that_are_placed_are_at_hand(source: bool, folder: Path, tmp_path: Path) -> None:
    logo = tmp_path / "logo.bin"
    logo.write_bytes(b"logo")
    text = f"""\
kind: configuration
releases:
  - version: "1.0"
    files:
      - {{path: C:\\Contoso\\a.ini, text: a}}
      - path: C:\\Contoso\\logo.bin
        artifact: {named(logo, "logo.bin", source=source)}
      - path: C:\\Contoso\\other.bin
        artifact: {named(logo, "other.bin")}
"""
    missing = ("missing-artifact", 7, "the file is neither among the installation's artifacts nor at a source")
    assert findings(folder, text) == ([] if source else [missing])
    store = ArtifactStore(tmp_path / "artifacts")
    kept = store.find(store.add(logo).sha256)
    assert kept is not None
    assert findings(folder, text, store) == []
    kept.write_bytes(b"gone")
    assert {(rule, line) for rule, line, _ in findings(folder, text, store)} == {
        ("artifact-mismatch", 7),
        ("artifact-mismatch", 9),
    }
