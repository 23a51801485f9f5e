"""Importing folders, transforms and what is none of it: all or nothing, and what looks wrong is pointed out."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.artifacts.installer_files import InstallerKind, kind_of, read_patch, read_transform
from reconciler.artifacts.msi_file import UnreadableMsi, read_msi
from reconciler.desired.catalog import Architecture, Package
from reconciler.desired.loading import load_folder
from reconciler.lab.packages import build, plain_package
from reconciler.operations.cataloguing.candidate import CannotImport
from reconciler.operations.cataloguing.notices import NoticeKind
from reconciler.operations.import_release import ImportRequest, SeveralProblems, import_releases
from reconciler.operations.text_files import CannotWrite
from reconciler.packaging.summary import with_fixed_summary
from reconciler.site import Site
from tests.system.artifacts.conftest import InstallerFiles
from tests.system.conftest import ExamplePackages

PATCH_CODE = "{11111111-2222-3333-4444-555555555555}"


def packages(folder: Path) -> dict[str, Package]:
    loaded = load_folder(folder)
    assert loaded.state is not None, loaded.findings
    return dict(loaded.state.packages)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def installers(tmp_path: Path, example_packages: ExamplePackages) -> Path:
    """A folder with every example release, as a vendor's share has them."""
    root = tmp_path / "installers"
    for built in example_packages.built:
        place = root / built.source.package / built.source.version / built.path.name
        place.parent.mkdir(parents=True)
        shutil.copy(built.path, place)
    return root


def test_a_folder_is_sorted_into_packages_by_upgrade_code(site: Site, folder: Path, installers: Path) -> None:
    result = import_releases(site, ImportRequest((installers,)), folder)
    found = packages(folder)
    assert {name: [release.version for release in package.releases] for name, package in found.items()} == {
        "contoso-agent": ["2.0.0", "2.1.0", "2.1.1", "3.0.0"],
        "contoso-viewer": ["1.3.0", "1.4.0.1", "1.4.0.2"],
        "northwind-sync": ["5.0.0", "5.1.0", "5.2.0"],
    }
    assert all(site.artifacts.find(r.artifact.sha256) for package in found.values() for r in package.releases)
    assert {notice.kind for notice in result.notices} == {NoticeKind.NAMED_AFTER_PRODUCT}
    assert len(result.notices) == 3, "once for each new package"
    again = import_releases(site, ImportRequest((installers,)), folder)
    assert not any(imported.added for imported in again.releases)
    assert again.notices == ()


def test_a_known_family_needs_no_name(site: Site, folder: Path, example_packages: ExamplePackages) -> None:
    old, new = (example_packages.get("contoso-agent", version).path for version in ("2.0.0", "2.1.0"))
    import_releases(site, ImportRequest((old,), "agents-of-ours"), folder)
    (imported,) = import_releases(site, ImportRequest((new,)), folder).releases
    assert imported.package == "agents-of-ours"
    assert list(packages(folder)) == ["agents-of-ours"]


def test_of_a_folder_with_problems_nothing_is_imported_and_every_problem_told(
    site: Site, folder: Path, installers: Path, installer_files: InstallerFiles
) -> None:
    before = snapshot(folder)
    (installers / "broken.msi").write_bytes(b"MZ" + b"\0" * 2000)
    installer_files.patch(installers / "agent.msp", PATCH_CODE, "{6505A677-144D-4850-9A93-4ECA59FA6BEE}")
    twin = plain_package("tool", "1.0.0")
    build(twin, installers)
    build(replace(twin, product_name="Tool, built again", package="other"), installers)
    with pytest.raises(SeveralProblems) as caught:
        import_releases(site, ImportRequest((installers,)), folder)
    told = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "broken.msi: this is not a Windows Installer package" in told
    assert "agent.msp: nothing in the file says which package it belongs to" in told
    assert "is another file" in told
    assert snapshot(folder) == before


def test_where_a_catalog_file_cannot_be_written_nothing_is(site: Site, folder: Path, installers: Path) -> None:
    import_releases(site, ImportRequest((installers / "contoso-agent" / "2.0.0",)), folder)
    (folder / "catalog" / "northwind-sync.yaml").mkdir()
    (folder / "catalog" / "northwind-sync.yaml" / "notes.md").write_text("in the way")
    before = snapshot(folder)
    with pytest.raises(CannotWrite):
        import_releases(site, ImportRequest((installers,)), folder)
    assert snapshot(folder) == before


def test_with_a_name_foreign_families_are_problems(site: Site, folder: Path, installers: Path) -> None:
    with pytest.raises(CannotImport, match="UpgradeCode"):
        import_releases(site, ImportRequest((installers,), "contoso-agent"), folder)
    assert not (folder / "catalog").exists()


def test_comments_order_and_line_ends_of_the_catalog_are_kept(site: Site, folder: Path, installers: Path) -> None:
    import_releases(site, ImportRequest((installers / "contoso-agent" / "2.0.0",), "contoso-agent"), folder)
    import_releases(site, ImportRequest((installers / "contoso-agent" / "3.0.0",), "contoso-agent"), folder)
    file = folder / "catalog" / "contoso-agent.yaml"
    lines = file.read_text().splitlines()
    at = next(index for index, line in enumerate(lines) if "3.0.0" in line)
    lines.insert(at, "  # the big one")
    file.write_bytes("\r\n".join(["# ours", *lines, ""]).encode())
    before = file.read_bytes().decode()
    import_releases(site, ImportRequest((installers / "contoso-agent" / "2.1.0",)), folder)
    after = file.read_bytes().decode()
    assert [release.version for release in packages(folder)["contoso-agent"].releases] == [
        "2.0.0",
        "2.1.0",
        "3.0.0",
    ]
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert after.replace("\r\n", "").count("\n") == 0, "every line ends as before"
    kept = [line for line in after.splitlines() if line not in added]
    assert [line for line in before.splitlines() if line not in kept] == []


def test_architecture_issue_and_notes_are_on_record(site: Site, folder: Path, installers: Path) -> None:
    request = ImportRequest(
        (installers / "contoso-viewer" / "1.3.0",),
        issue="https://example.com/issues/7",
        notes="for the scanners: all",
    )
    import_releases(site, request, folder)
    details = packages(folder)["contoso-viewer"].details_of("1.3.0")
    assert details.architecture is Architecture.X86
    assert details.issue == "https://example.com/issues/7"
    assert details.notes == "for the scanners: all"
    import_releases(site, ImportRequest((installers / "contoso-agent" / "2.0.0",)), folder)
    assert packages(folder)["contoso-agent"].details_of("2.0.0").architecture is Architecture.X64


def test_transforms_go_with_the_release(
    site: Site, folder: Path, example_packages: ExamplePackages, installer_files: InstallerFiles, tmp_path: Path
) -> None:
    built = example_packages.get("contoso-agent", "2.1.0")
    source = built.source
    fitting = installer_files.transform(tmp_path / "site.mst", source.product_code, source.upgrade_code)
    foreign = installer_files.transform(tmp_path / "other.mst", PATCH_CODE, PATCH_CODE)
    request = ImportRequest((built.path,), "contoso-agent", (fitting, foreign))
    result = import_releases(site, request, folder)
    (release,) = packages(folder)["contoso-agent"].releases
    assert [artifact.file_name for artifact in release.transforms] == ["site.mst", "other.mst"]
    assert all(site.artifacts.find(artifact.sha256) for artifact in release.transforms)
    (notice,) = result.notices
    assert (notice.kind, notice.where) == (NoticeKind.TRANSFORM_OF_ANOTHER, str(foreign))


def test_a_transform_is_for_one_msi(
    site: Site, folder: Path, installers: Path, installer_files: InstallerFiles, tmp_path: Path
) -> None:
    transform = installer_files.transform(tmp_path / "site.mst", PATCH_CODE, PATCH_CODE)
    with pytest.raises(CannotImport, match="several MSIs"):
        import_releases(site, ImportRequest((installers,), transforms=(transform,)), folder)
    msi = installers / "contoso-agent" / "2.1.0" / "contoso-agent.msi"
    with pytest.raises(UnreadableMsi, match="not a transform"):
        import_releases(site, ImportRequest((msi,), transforms=(msi,)), folder)
    with pytest.raises(CannotImport, match="this is a transform"):
        import_releases(site, ImportRequest((transform,)), folder)
    assert not (folder / "catalog").exists()


def test_a_transform_in_a_folder_is_pointed_out(
    site: Site, folder: Path, installers: Path, installer_files: InstallerFiles
) -> None:
    transform = installer_files.transform(installers / "site.mst", PATCH_CODE, PATCH_CODE)
    result = import_releases(site, ImportRequest((installers,)), folder)
    assert [n.where for n in result.notices if n.kind is NoticeKind.NOT_APPLIED] == [str(transform)]


def test_patches_and_transforms_are_told_apart_by_what_they_are(
    example_packages: ExamplePackages, installer_files: InstallerFiles, tmp_path: Path
) -> None:
    msi = example_packages.get("contoso-agent", "2.1.0").path
    targets = f"{PATCH_CODE.replace('1', '2')};{PATCH_CODE.replace('1', '3')}"
    patch = installer_files.patch(tmp_path / "named.msi", PATCH_CODE + PATCH_CODE.replace("1", "4"), targets)
    transform = installer_files.transform(tmp_path / "named.msp", PATCH_CODE, PATCH_CODE.replace("1", "5"))
    assert [kind_of(file) for file in (msi, patch, transform)] == [
        InstallerKind.PACKAGE,
        InstallerKind.PATCH,
        InstallerKind.TRANSFORM,
    ]
    assert read_patch(patch).patch_code == PATCH_CODE
    assert read_patch(patch).product_codes == tuple(targets.split(";"))
    assert read_transform(transform).upgrade_code == PATCH_CODE.replace("1", "5")
    (tmp_path / "text").write_text("no installer")
    assert kind_of(tmp_path / "text") is None
    assert kind_of(tmp_path / "nowhere") is None


@pytest.mark.parametrize("at_once", [True, False])
def test_a_lower_version_in_a_newer_file_is_pointed_out(
    site: Site, folder: Path, tmp_path: Path, at_once: bool
) -> None:
    files = []
    for version, built_at in (("2.0.0", 1_700_000_000), ("1.9.0", 1_800_000_000), ("2.1.0", 1_900_000_000)):
        source = plain_package("tool", version)
        path = build(source, tmp_path / "installers").path
        path.write_bytes(with_fixed_summary(path.read_bytes(), source.package_code, built_at))
        assert read_msi(path).saved_at == built_at
        files.append(path)
    requests = [tuple(files)] if at_once else [(file,) for file in files]
    notices = [
        n for paths in requests for n in import_releases(site, ImportRequest(paths, "tool"), folder).notices
    ]
    (notice,) = [notice for notice in notices if notice.kind is NoticeKind.VERSION_WENT_DOWN]
    assert "1.9.0 is lower than 2.0.0" in notice.message


def test_properties_go_over_to_the_next_release_and_it_says_so(site: Site, folder: Path, installers: Path) -> None:
    import_releases(site, ImportRequest((installers / "contoso-agent" / "2.0.0",)), folder)
    file = folder / "catalog" / "contoso-agent.yaml"
    file.write_text(file.read_text() + "    properties:\n      SITE: head office\n")
    result = import_releases(site, ImportRequest((installers / "contoso-agent" / "2.1.0",)), folder)
    assert packages(folder)["contoso-agent"].releases[1].properties == (("SITE", "head office"),)
    (notice,) = result.notices
    assert notice.kind is NoticeKind.PROPERTIES_TAKEN_OVER
    assert "SITE from 2.0.0" in notice.message


def test_a_minor_update_called_otherwise_is_pointed_out(
    site: Site, folder: Path, installers: Path, tmp_path: Path
) -> None:
    import_releases(site, ImportRequest((installers / "contoso-agent" / "2.1.0",)), folder)
    renamed = tmp_path / "contoso-agent-2.1.1.msi"
    shutil.copy(installers / "contoso-agent" / "2.1.1" / "contoso-agent.msi", renamed)
    (notice,) = import_releases(site, ImportRequest((renamed,)), folder).notices
    assert notice.kind is NoticeKind.OTHER_FILE_NAME


def test_another_build_of_a_version_that_is_there_is_refused(
    site: Site, folder: Path, tmp_path: Path, installers: Path
) -> None:
    source = plain_package("tool", "1.0.0")
    first = build(source, tmp_path / "one").path
    again = build(replace(source, package_code=PATCH_CODE), tmp_path / "two").path
    import_releases(site, ImportRequest((first,), "tool"), folder)
    with pytest.raises(CannotImport, match="of another build"):
        import_releases(site, ImportRequest((again,), "tool"), folder)


def test_a_name_that_cannot_be_made_or_is_taken_must_be_given(site: Site, folder: Path, tmp_path: Path) -> None:
    nameless = build(replace(plain_package("tool", "1.0.0"), product_name="(64-bit) 1.0.0"), tmp_path).path
    with pytest.raises(CannotImport, match="no name can be made") as caught:
        import_releases(site, ImportRequest((nameless,)), folder)
    assert "--package" in (caught.value.hint or "")
    with pytest.raises(CannotImport, match="cannot name a package"):
        import_releases(site, ImportRequest((nameless,), "../tool"), folder)
    import_releases(site, ImportRequest((nameless,), "tool"), folder)
    other = build(replace(plain_package("gadget", "1.0.0"), product_name="Tool v1.0.0 (x64)"), tmp_path).path
    with pytest.raises(CannotImport, match="tool is the name of another package"):
        import_releases(site, ImportRequest((other,)), folder)


def test_an_empty_folder_is_a_problem(site: Site, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CannotImport, match=r"no \.msi file"):
        import_releases(site, ImportRequest((tmp_path / "empty",)), folder)
