"""Adding releases with everything that can be said of them, to files that people have commented."""

from __future__ import annotations

import difflib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.catalog import Architecture, Package, ReleaseDetails
from reconciler.desired.editing import add_release, new_package, remove_version, set_version
from reconciler.desired.loading import load_folder
from reconciler.desired.model import ABSENT
from reconciler.desired.yaml_reader import read_yaml
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.releases import MsiRelease
from tests.properties import examples

CORPUS = Path(__file__).parent / "corpus"
UPGRADE_CODE = "{11111111-1111-1111-1111-111111111111}"
FULL = MsiRelease(
    "2.0.0",
    "{AAAAAAAA-0000-0000-0000-000000000002}",
    "{BBBBBBBB-0000-0000-0000-000000000002}",
    Artifact("b" * 64, 2, "b setup.msi", "CN=Contoso: Ltd"),
    (("INSTALLDIR", r"C:\Program Files\B"), ("MODE", "yes")),
    (Artifact("c" * 64, 3, "finnish.mst"), Artifact("1" * 64, 4, "site one.mst")),
    reboot_expected=True,
)
DETAILS = ReleaseDetails(
    Architecture.ARM64,
    ("https://example.com/b.msi", "http://files.example/b%20setup.msi?x=1", "https://example.com/b.msi?x=1#y"),
    ((), ("https://files.example/site%20one.mst",)),
    "https://example.com/issues/7",
    "Replaces the driver.\n\n  - ask first: the desk\n",
)
COMMENTED = """\
# yaml-language-server: $schema=../../schemas/package.schema.json
# Ours since 2019.
title: The "B"   # as on its box
upgradeCode: "{11111111-1111-1111-1111-111111111111}"
owners: [desk]   # ring first
releases:
    # The first.
    - version: 1.0.0
      productCode: "{AAAAAAAA-0000-0000-0000-000000000001}"
      packageCode: "{BBBBBBBB-0000-0000-0000-000000000001}"
      artifact: {sha256: aa, size: 1, file: a.msi, sources: [https://example.com/a.msi]}   # built by hand
      transforms:   # in this order
          - {sha256: bb, size: 1, file: a.mst}
      expectsReboot: true   # a driver
      notes: |
        Two lines   # not a comment
        of notes.
      issue: >-
        B-7
"""


def test_everything_that_can_be_said_is_written_and_read_back() -> None:
    text = new_package(UPGRADE_CODE, FULL, DETAILS, 'The "B": in full')
    (package,) = loaded(text)
    assert package.title == 'The "B": in full'
    assert package.releases == (FULL,)
    assert package.details_of("2.0.0") == DETAILS
    assert "notes: |\n" in text
    assert "expectsReboot: true\n" in text


def test_a_release_without_details_has_no_needless_keys() -> None:
    text = new_package(
        UPGRADE_CODE, MsiRelease("1.0.0", UPGRADE_CODE, UPGRADE_CODE, Artifact("a" * 64, 1, "a.msi"))
    )
    data, _ = read_yaml(text.encode())
    assert list(data) == ["upgradeCode", "releases"]
    assert list(data["releases"][0]) == ["version", "productCode", "packageCode", "artifact"]
    assert list(data["releases"][0]["artifact"]) == ["sha256", "size", "file"]


def test_what_stands_is_kept_to_the_letter() -> None:
    text = add_release(COMMENTED, FULL, DETAILS)
    changed = [line for line in difflib.ndiff(COMMENTED.splitlines(), text.splitlines()) if line[0] in "-+?"]
    assert all(line.startswith("+ ") for line in changed)
    data, faults = read_yaml(text.encode())
    assert faults == []
    assert [release["version"] for release in data["releases"]] == ["1.0.0", "2.0.0"]
    assert data["releases"][0] == read_yaml(COMMENTED.encode())[0]["releases"][0]


words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=30)
lines = words.filter(lambda text: text.strip() and text.isprintable())
details = st.builds(
    ReleaseDetails,
    st.none() | st.sampled_from(Architecture),
    st.lists(lines.map(lambda text: f"/srv/{text}"), max_size=2).map(tuple),
    st.tuples(st.lists(lines.map(lambda text: f"/srv/{text}"), max_size=2).map(tuple), st.just(())),
    st.just("") | lines,
    st.just("")
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn", "Co"]), min_size=1)
    | st.lists(words, min_size=1, max_size=4).map("\n".join),
)


@examples(150)
@given(details, st.just("") | lines.map(lambda text: f"CN={text.strip()}"))
def test_any_details_come_back_as_they_were(given_details: ReleaseDetails, signer: str) -> None:
    release = replace(FULL, artifact=replace(FULL.artifact, signer=signer))
    for text in (
        new_package(UPGRADE_CODE, release, given_details),
        add_release(COMMENTED, release, given_details),
    ):
        data, faults = read_yaml(text.encode())
        assert faults == []
        entry = data["releases"][-1]
        assert entry.get("issue", "") == given_details.issue
        assert entry.get("notes", "") == given_details.notes
        assert entry["artifact"].get("signer", "") == signer
        assert tuple(entry["artifact"].get("sources", ())) == given_details.sources
        assert entry["expectsReboot"] is True


@pytest.mark.parametrize(
    "path",
    sorted(path for path in (CORPUS / "everything").rglob("*.yaml") if "packages" in path.read_text()),
    ids=lambda path: path.relative_to(CORPUS).as_posix(),
)
def test_edits_leave_every_other_key_alone(path: Path) -> None:
    text = "# ours\n" + path.read_text().replace("\n", "   # why\n", 1)
    before: dict[str, Any] = read_yaml(text.encode())[0]
    packages = before.get("packages", {})
    for version in ("9.9.9", ABSENT):
        after = read_yaml(set_version(text, "extra", version).encode())[0]
        wanted = "absent" if version is ABSENT else version
        assert after == {**before, "packages": {**packages, "extra": wanted}}
    after = read_yaml(remove_version(text, "extra").encode())[0]
    assert after.get("packages", {}) == {name: version for name, version in packages.items() if name != "extra"}
    assert {**after, "packages": 0} == {**before, "packages": 0}


def loaded(text: str) -> list[Package]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "reconciler.yaml").write_text("version: 1\n")
        (folder / "catalog").mkdir()
        (folder / "catalog" / "b.yaml").write_text(text)
        outcome = load_folder(folder)
        assert outcome.state is not None, outcome.findings
        return list(outcome.state.packages.values())
