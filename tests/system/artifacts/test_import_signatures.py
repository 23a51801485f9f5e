"""Importing MSIs that are signed with osslsigncode: the signer gets pinned, a broken signature is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.artifacts import signatures
from reconciler.desired.loading import load_folder
from reconciler.lab.packages import build, plain_package
from reconciler.operations.cataloguing.candidate import CannotImport
from reconciler.operations.cataloguing.notices import NoticeKind
from reconciler.operations.import_release import ImportRequest, ImportResult, import_releases
from reconciler.site import Site
from tests.system.signing import SigningAuthority, tampered


@pytest.fixture(scope="module")
def newer(msi: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next version of the same, not signed."""
    return build(plain_package("tool", "1.3.0"), tmp_path_factory.mktemp("newer")).path


def import_one(site: Site, folder: Path, file: Path, authority: SigningAuthority | None) -> ImportResult:
    roots = authority.roots if authority is not None else None
    return import_releases(site, ImportRequest((file,), "tool", signing_roots=roots), folder)


def pins(folder: Path) -> dict[str, str]:
    """Return what the catalog pins, by version."""
    state = load_folder(folder).state
    assert state is not None
    return {release.version: release.artifact.signer for release in state.packages["tool"].msi_releases}


def test_the_signer_of_a_release_is_pinned_and_stays(
    site: Site, folder: Path, signed: Path, newer: Path, authority: SigningAuthority, tmp_path: Path
) -> None:
    result = import_one(site, folder, signed, authority)
    assert (result.releases[0].artifact.signer, result.notices) == ("CN=Contoso Ltd", ())
    catalog = folder / "catalog" / "tool.yaml"
    catalog.write_text(catalog.read_text().replace("CN=Contoso Ltd", "O=Contoso/CN=Northwind Ltd"))
    result = import_one(site, folder, authority.sign(newer, tmp_path / "newer.msi"), authority)
    assert result.notices == ()
    assert set(pins(folder).values()) == {"O=Contoso/CN=Northwind Ltd"}
    assert not import_one(site, folder, signed, authority).releases[0].added


def test_a_release_that_is_signed_no_longer_is_pointed_out(
    site: Site, folder: Path, signed: Path, newer: Path, authority: SigningAuthority
) -> None:
    import_one(site, folder, signed, authority)
    result = import_one(site, folder, newer, authority)
    assert [notice.kind for notice in result.notices] == [NoticeKind.SIGNATURE_MISSING]
    assert pins(folder) == {"1.2.0": "CN=Contoso Ltd", "1.3.0": ""}


def test_a_release_that_somebody_else_has_signed_is_pointed_out(
    site: Site, folder: Path, signed: Path, newer: Path, authority: SigningAuthority, tmp_path: Path
) -> None:
    import_one(site, folder, signed, authority)
    result = import_one(site, folder, authority.sign(newer, tmp_path / "newer.msi", "renamed"), authority)
    assert [notice.kind for notice in result.notices] == [NoticeKind.SIGNER_CHANGED]
    assert pins(folder)["1.3.0"] == "CN=Contoso Software Ltd"


def test_a_file_that_was_changed_after_it_was_signed_is_refused(
    site: Site, folder: Path, signed: Path, authority: SigningAuthority, tmp_path: Path
) -> None:
    with pytest.raises(CannotImport, match="it is signed, but it was changed after it was signed"):
        import_one(site, folder, tampered(signed, tmp_path), authority)
    assert not (folder / "catalog").exists()


@pytest.mark.parametrize(("name", "words"), [("self", "authority"), ("old", "expired"), ("web", "code")])
def test_a_signature_that_cannot_be_trusted_pins_nobody(
    site: Site, folder: Path, msi: Path, authority: SigningAuthority, name: str, words: str
) -> None:
    (notice,) = import_one(site, folder, authority.sign(msi, folder.parent / "a.msi", name), authority).notices
    assert notice.kind is NoticeKind.SIGNATURE_UNTRUSTED
    assert "CN=Contoso Ltd, but" in notice.message
    assert words in notice.message
    assert "no signer is pinned" in notice.message
    assert pins(folder) == {"1.2.0": ""}


def test_authorities_that_the_system_does_not_know_must_be_named(site: Site, folder: Path, signed: Path) -> None:
    (notice,) = import_one(site, folder, signed, None).notices
    assert "--signing-roots" in notice.message
    assert pins(folder) == {"1.2.0": ""}


def test_without_the_tool_the_pin_of_the_release_before_stays(
    site: Site,
    folder: Path,
    signed: Path,
    newer: Path,
    authority: SigningAuthority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_one(site, folder, signed, authority)
    monkeypatch.setattr(signatures, "_TOOL", "osslsigncode-that-is-missing")
    (notice,) = import_one(site, folder, authority.sign(newer, folder.parent / "newer.msi"), authority).notices
    assert notice.kind is NoticeKind.SIGNATURE_UNCHECKED
    assert pins(folder)["1.3.0"] == "CN=Contoso Ltd"


def test_without_the_tool_what_is_not_signed_goes_through(
    site: Site, folder: Path, msi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "_TOOL", "osslsigncode-that-is-missing")
    assert import_one(site, folder, msi, None).notices == ()


def test_the_command_says_whom_it_pinned(
    folder: Path, signed: Path, authority: SigningAuthority, tmp_path: Path
) -> None:
    words = ["import", str(signed), "--environments", str(folder), "--data", str(tmp_path / "data")]
    done = subprocess.run(
        [sys.executable, "-m", "reconciler.cli.main", *words, "--signing-roots", str(authority.roots)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "its signer is pinned as CN=Contoso Ltd: hosts check it" in done.stdout
