"""Importing real MSIs: identity from the file itself, a catalog edited with care, foreign files refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.artifacts.msi_file import UnreadableMsi, read_msi
from reconciler.desired.loading import load_folder
from reconciler.lab.packages import build, plain_package
from reconciler.operations.cataloguing.candidate import CannotImport
from reconciler.operations.import_release import Imported, ImportRequest, import_releases
from reconciler.site import Site
from tests.system.conftest import ExamplePackages


def import_msi(site: Site, file: Path, package: str, folder: Path) -> Imported:
    """Import one file, and return what became of it."""
    (imported,) = import_releases(site, ImportRequest((file,), package), folder).releases
    return imported


def test_identity_is_what_msiinfo_says(example_packages: ExamplePackages) -> None:
    for built in example_packages.built:
        source, identity = built.source, read_msi(built.path)
        assert (identity.version, identity.product_code, identity.package_code, identity.upgrade_code) == (
            source.version,
            source.product_code,
            source.package_code,
            source.upgrade_code,
        )
        table = subprocess.run(
            ["msiinfo", "export", str(built.path), "Property"], capture_output=True, text=True, check=True
        ).stdout
        assert f"ProductCode\t{identity.product_code}" in table
        assert f"ProductName\t{identity.product_name}" in table


def test_the_file_name_says_nothing(
    site: Site, folder: Path, example_packages: ExamplePackages, tmp_path: Path
) -> None:
    built = example_packages.get("contoso-agent", "2.1.0")
    misnamed = tmp_path / "setup-9.9.9.msi"
    shutil.copy(built.path, misnamed)
    imported = import_msi(site, misnamed, "contoso-agent", folder)
    assert imported.identity.version == "2.1.0"
    state = load_folder(folder).state
    assert state is not None
    (release,) = state.packages["contoso-agent"].releases
    assert (release.version, release.artifact.file_name) == ("2.1.0", "setup-9.9.9.msi")
    kept = site.artifacts.find(release.artifact.sha256)
    assert kept is not None
    assert kept.read_bytes() == built.path.read_bytes()


def test_importing_keeps_comments_and_importing_again_changes_nothing(
    site: Site, folder: Path, example_packages: ExamplePackages
) -> None:
    import_msi(site, example_packages.get("contoso-agent", "2.0.0").path, "contoso-agent", folder)
    catalog = folder / "catalog" / "contoso-agent.yaml"
    catalog.write_text("# ours since 2019\n" + catalog.read_text())
    newer = example_packages.get("contoso-agent", "2.1.0").path
    assert import_msi(site, newer, "contoso-agent", folder).added
    text = catalog.read_text()
    assert text.startswith("# ours since 2019\n")
    assert not import_msi(site, newer, "contoso-agent", folder).added
    assert catalog.read_text() == text


def test_another_products_msi_is_refused(site: Site, folder: Path, example_packages: ExamplePackages) -> None:
    import_msi(site, example_packages.get("contoso-agent", "2.0.0").path, "contoso-agent", folder)
    viewer = example_packages.get("contoso-viewer", "1.3.0").path
    with pytest.raises(CannotImport, match="UpgradeCode"):
        import_msi(site, viewer, "contoso-agent", folder)
    with pytest.raises(CannotImport, match="is that of contoso-agent"):
        import_msi(site, example_packages.get("contoso-agent", "2.1.0").path, "new-name", folder)
    assert sorted(path.name for path in (folder / "catalog").iterdir()) == ["contoso-agent.yaml"]


def test_two_files_with_one_package_code_are_refused(site: Site, folder: Path, tmp_path: Path) -> None:
    source = plain_package("tool", "1.0.0")
    import_msi(site, build(source, tmp_path / "one").path, "tool", folder)
    other = build(replace(source, product_name="Tool, built again"), tmp_path / "two").path
    with pytest.raises(CannotImport, match="another file"):
        import_msi(site, other, "tool", folder)


@pytest.mark.parametrize("content", [b"", b"MZ" + b"\0" * 4096, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600])
def test_what_is_no_msi_is_refused(site: Site, folder: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "setup.msi"
    file.write_bytes(content)
    with pytest.raises(UnreadableMsi):
        import_msi(site, file, "tool", folder)
    assert not (folder / "catalog").exists()


def test_damaged_msis_never_raise_anything_else(example_packages: ExamplePackages, tmp_path: Path) -> None:
    whole = example_packages.get("northwind-sync", "5.0.0").path.read_bytes()
    file = tmp_path / "damaged.msi"
    for position in range(0, len(whole), max(1, len(whole) // 300)):
        damaged = bytearray(whole)
        damaged[position : position + 8] = b"\xff" * 8
        file.write_bytes(damaged)
        try:
            read_msi(file)
        except UnreadableMsi:
            continue
    for length in range(0, len(whole), max(1, len(whole) // 100)):
        file.write_bytes(whole[:length])
        try:
            read_msi(file)
        except UnreadableMsi:
            continue


def test_the_command_says_what_it_read(folder: Path, example_packages: ExamplePackages, tmp_path: Path) -> None:
    built = example_packages.get("contoso-agent", "2.1.0")
    words = ("import", str(built.path), "--package", "contoso-agent", "--environments", str(folder))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "reconciler.cli.main",
            *words,
            "--data",
            str(tmp_path / "data"),
            "--format",
            "json",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    (shown,) = json.loads(done.stdout)["releases"]
    assert shown["identity"]["product_code"] == built.source.product_code
    assert shown["identity"]["architecture"] == "x64"
    assert shown["added"] is True
