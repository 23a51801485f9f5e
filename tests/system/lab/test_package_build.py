"""What the builder builds is what was declared, bit for bit the same each time."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.lab.packages import EXAMPLES, PackageSource, build, plain_package
from reconciler.packaging.errors import PackageBuildFailed
from reconciler.packaging.summary import with_fixed_summary

if TYPE_CHECKING:
    from tests.system.conftest import ExamplePackages


def msiinfo(*arguments: str | Path) -> str:
    return subprocess.run(["msiinfo", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("source", EXAMPLES, ids=lambda source: f"{source.package}-{source.version}")
def test_a_built_file_holds_its_declared_identity(
    source: PackageSource, example_packages: ExamplePackages
) -> None:
    path = example_packages.get(source.package, source.version).path

    properties = msiinfo("export", path, "Property")
    summary = msiinfo("suminfo", path)

    assert path.name == source.file_name
    for name, value in (
        ("ProductCode", source.product_code),
        ("UpgradeCode", source.upgrade_code),
        ("ProductVersion", source.version),
        ("ProductName", source.product_name),
        ("Manufacturer", source.manufacturer),
        ("ALLUSERS", "1"),
    ):
        assert f"\n{name}\t{value}\n" in properties.replace("\r", "")
    assert f"Revision number (UUID): {source.package_code}\n" in summary


def test_package_codes_are_as_many_as_files() -> None:
    assert len({source.package_code for source in EXAMPLES}) == len(EXAMPLES)


def test_releases_with_one_product_code_share_a_file_name() -> None:
    names: dict[str, set[str]] = {}
    for source in EXAMPLES:
        names.setdefault(source.product_code, set()).add(source.file_name)

    assert all(len(found) == 1 for found in names.values())
    assert len(names) < len(EXAMPLES), "a minor update should be among the examples"


def test_equal_sources_give_equal_files(example_packages: ExamplePackages, tmp_path: Path) -> None:
    for package in example_packages.built:
        again = build(package.source, tmp_path / "elsewhere")

        assert again.path.read_bytes() == package.path.read_bytes()


def test_a_built_file_does_not_tell_when_it_was_built(
    example_packages: ExamplePackages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")

    summary = msiinfo("suminfo", example_packages.built[0].path)

    times = [
        line.split(": ", 1)[1] for line in summary.splitlines() if line.startswith(("Created:", "Last saved:"))
    ]
    assert times == ["Mon Jan  1 00:00:00 2024"] * 2


def test_a_plain_package_has_codes_of_its_own(tmp_path: Path) -> None:
    sources = [
        plain_package("bench-1", "1.0.0"),
        plain_package("bench-1", "1.0.1"),
        plain_package("bench-2", "1.0.0"),
    ]

    for source in sources:
        assert build(source, tmp_path).path.is_file()

    assert len({source.product_code for source in sources}) == 3
    assert len({source.package_code for source in sources}) == 3
    assert len({source.upgrade_code for source in sources}) == 2


def test_what_is_not_built_as_declared_is_not_delivered(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    original = EXAMPLES[-1].sources
    for file in original.iterdir():
        text = file.read_text("utf-8").replace('Version="$(var.VERSION)"', 'Version="7.0.0"')
        (sources / file.name).write_text(text, encoding="utf-8")

    with pytest.raises(PackageBuildFailed, match=r"ProductVersion was declared as 5\.2\.0 and built as 7\.0\.0"):
        build(replace(EXAMPLES[-1], sources=sources), tmp_path / "built")

    assert not list((tmp_path / "built").rglob("*.msi"))


def test_what_wixl_says_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "product.wxs").write_text("<Wix", encoding="utf-8")

    with pytest.raises(PackageBuildFailed, match=r"northwind-sync 5\.2\.0: wixl failed: .*\S"):
        build(replace(EXAMPLES[-1], sources=tmp_path), tmp_path / "built")


def test_a_file_without_summary_information_is_refused() -> None:
    with pytest.raises(PackageBuildFailed, match="no summary information"):
        with_fixed_summary(b"not an MSI", EXAMPLES[0].package_code, 0)
