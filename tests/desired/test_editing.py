"""Edits: comments, order and style stay, and only what was asked for changes."""

from __future__ import annotations

import difflib
from dataclasses import replace

import pytest

from reconciler.desired.editing import EditError, add_release, new_package, remove_version, set_version
from reconciler.desired.model import ABSENT, Wanted
from reconciler.desired.yaml_reader import read_yaml
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.releases import MsiRelease

ENVIRONMENT = """\
# yaml-language-server: $schema=../../schemas/environment.schema.json
# Production. Two people must agree.
promotesFrom: uat   # never dev


packages:   # what all hosts get
    # The agent goes first.
    contoso-agent: 2.0.0     # since March
    "quoted": '1.0.0'
    two-fields: 23.10

    old-tool: absent   # until everybody has moved
"""

CATALOG = """\
# yaml-language-server: $schema=../../schemas/package.schema.json
upgradeCode: "{11111111-1111-1111-1111-111111111111}" # never changes

releases:
  # The first that was rolled out everywhere.
  - version: 1.0.0
    productCode: "{AAAAAAAA-0000-0000-0000-000000000001}"
    packageCode: "{BBBBBBBB-0000-0000-0000-000000000001}"
    artifact: {sha256: aa, size: 1, file: a.msi}   # built by hand
  - version: 3.0.0
    productCode: "{AAAAAAAA-0000-0000-0000-000000000003}"
    packageCode: "{BBBBBBBB-0000-0000-0000-000000000003}"
    artifact:
      sha256: cc
      size: 3
      file: c.msi
    properties:
      SERVER: "one two"
"""

RELEASE = MsiRelease(
    version="2.0.0",
    product_code="{AAAAAAAA-0000-0000-0000-000000000002}",
    package_code="{BBBBBBBB-0000-0000-0000-000000000002}",
    artifact=Artifact("b" * 64, 2, "b setup.msi"),
    properties=(("INSTALLDIR", r"C:\Program Files\B"),),
)


def changes(before: str, after: str) -> list[str]:
    compared = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in compared if line.startswith(("-", "+"))]


@pytest.mark.parametrize(
    ("package", "version", "expected"),
    [
        (
            "contoso-agent",
            "2.1.0",
            ["-     contoso-agent: 2.0.0     # since March", "+     contoso-agent: 2.1.0     # since March"],
        ),
        ("quoted", "1.0.1", ["-     \"quoted\": '1.0.0'", "+     \"quoted\": '1.0.1'"]),
        ("two-fields", "23.11", ["-     two-fields: 23.10", "+     two-fields: '23.11'"]),
        (
            "old-tool",
            "4.0.0",
            [
                "-     old-tool: absent   # until everybody has moved",
                "+     old-tool: 4.0.0    # until everybody has moved",
            ],
        ),
        (
            "contoso-agent",
            ABSENT,
            ["-     contoso-agent: 2.0.0     # since March", "+     contoso-agent: absent    # since March"],
        ),
        ("new-tool", "1.2.3", ["+     new-tool: 1.2.3"]),
        ("contoso-agent", "2.0.0", []),
    ],
)
def test_set_version_changes_one_line(package: str, version: Wanted, expected: list[str]) -> None:
    assert changes(ENVIRONMENT, set_version(ENVIRONMENT, package, version)) == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "packages:\n  tool: 1.0.0\n"),
        ("# A host.\n# Ask first.", "# A host.\n# Ask first.\npackages:\n  tool: 1.0.0\n"),
        ("labels: {site: oslo}  # north\n", "labels: {site: oslo}  # north\npackages:\n  tool: 1.0.0\n"),
        ("packages:\n", "packages:\n  tool: 1.0.0\n"),
        ("packages: {}  # none yet\n", "packages:     # none yet\n  tool: 1.0.0\n"),
        ("---\npackages: {tool: 0.9.0, b: 2.0.0}\n", "---\npackages: {tool: 1.0.0, b: 2.0.0}\n"),
        ("packages:\r\n  tool: 0.9.0  # x\r\n", "packages:\r\n  tool: 1.0.0  # x\r\n"),
        ("\ufeffpackages:\n  tool: 0.9.0\n", "\ufeffpackages:\n  tool: 1.0.0\n"),
        ("packages:\n  on: 1:30\n  tool: 2024-01-01\n", "packages:\n  on: 1:30\n  tool: 1.0.0\n"),
    ],
)
def test_set_version_keeps_the_style_of_the_file(before: str, after: str) -> None:
    assert set_version(before, "tool", "1.0.0") == after


def test_a_version_is_text_to_every_reader() -> None:
    assert set_version("", "tool", "23.10") == "packages:\n  tool: '23.10'\n"


AWKWARD = (
    "True",
    "~",
    "-0",
    "+1",
    "1_000",
    "0x1F",
    "010",
    ".5",
    "1e1000",
    "2001-12-14 21:59:43.10 -5",
    "12:30:45",
)
STYLED = ("'it''s'", '"a\\tb"', "|\n    x\n    y", ">-\n    a\n    b", "'%s'" % ("word " * 99), "a # c", "é")


@pytest.mark.parametrize("value", [*AWKWARD, *STYLED])
def test_every_other_value_stays_as_it_is_written(value: str) -> None:
    before = f"labels:\n  x: {value}\n  y: 1\npackages:\n  tool: 1.2.3\n"
    assert set_version(before, "tool", "1.2.4") == before.replace("1.2.3", "1.2.4")


def test_an_edit_that_would_change_more_than_was_asked_is_refused() -> None:
    with pytest.raises(EditError, match="cannot be kept"):
        set_version("packages: {tool: 1.2.3, other: }\n", "tool", "1.2.4")


def test_properties_that_look_like_other_things_stay_text() -> None:
    values = (
        "8080",
        "true",
        "null",
        "",
        "~",
        "1.5",
        "- x",
        "a: b",
        "it's",
        " x",
        "C:\\a\\",
        "0",
        "no",
        "#x",
        "{a}",
        "\u00e9",
    )
    properties = tuple((f"P{number}", value) for number, value in enumerate(values))
    content, faults = read_yaml(add_release(CATALOG, replace(RELEASE, properties=properties)).encode())
    assert faults == []
    assert tuple(content["releases"][1]["properties"].items()) == properties


def test_remove_version_takes_one_line_out() -> None:
    assert changes(ENVIRONMENT, remove_version(ENVIRONMENT, "contoso-agent")) == [
        "-     contoso-agent: 2.0.0     # since March"
    ]
    assert remove_version(ENVIRONMENT, "unknown") == ENVIRONMENT
    assert remove_version("", "unknown") == ""


def test_add_release_only_adds_lines_and_keeps_the_order() -> None:
    after = add_release(CATALOG, RELEASE)
    assert changes(CATALOG, after) == [
        "+   - version: 2.0.0",
        "+     productCode: '{AAAAAAAA-0000-0000-0000-000000000002}'",
        "+     packageCode: '{BBBBBBBB-0000-0000-0000-000000000002}'",
        "+     artifact:",
        f"+       sha256: {'b' * 64}",
        "+       size: 2",
        "+       file: b setup.msi",
        "+     properties:",
        r"+       INSTALLDIR: 'C:\Program Files\B'",
    ]
    assert [release["version"] for release in read_yaml(after.encode())[0]["releases"]] == [
        "1.0.0",
        "2.0.0",
        "3.0.0",
    ]


@pytest.mark.parametrize(
    ("standing", "added", "expected"),
    [
        (["3.0.0", "1.0.0"], "4.0.0", ["4.0.0", "3.0.0", "1.0.0"]),
        (["3.0.0", "1.0.0"], "2.0.0", ["3.0.0", "2.0.0", "1.0.0"]),
        (["3.0.0", "1.0.0"], "0.5.0", ["3.0.0", "1.0.0", "0.5.0"]),
        (["1.0.0", "2.0.0"], "2.0.0.1", ["1.0.0", "2.0.0", "2.0.0.1"]),
        (["1.0.0"], "23.10", ["1.0.0", "23.10"]),
        (["not a version"], "1.0.0", ["not a version", "1.0.0"]),
        ([], "1.0.0", ["1.0.0"]),
    ],
)
def test_add_release_finds_its_place(standing: list[str], added: str, expected: list[str]) -> None:
    text = "upgradeCode: x\nreleases:\n" + "".join(f"- version: {version}\n" for version in standing)
    after = add_release(text, replace(RELEASE, version=added))
    assert [release["version"] for release in read_yaml(after.encode())[0]["releases"]] == expected
    assert after.startswith(text[: text.index("releases:") + len("releases:\n")])


def test_a_new_package_can_be_read_and_added_to() -> None:
    text = new_package("{11111111-1111-1111-1111-111111111111}", RELEASE)
    assert text.startswith("# yaml-language-server: $schema=")
    content, faults = read_yaml(add_release(text, replace(RELEASE, version="2.1.0", properties=())).encode())
    assert faults == []
    assert [release["version"] for release in content["releases"]] == ["2.0.0", "2.1.0"]
    assert content["releases"][0]["properties"] == {"INSTALLDIR": r"C:\Program Files\B"}
    assert "properties" not in content["releases"][1]


@pytest.mark.parametrize(
    "text",
    [
        "packages: [\n",
        "a: &x 1\nb: *x\n",
        "packages: {tool: 1, tool: 2}\n",
        "- a\n",
        "[" * 5000,
        "a: \x00\n",
        "\ud800",
    ],
)
def test_a_file_that_is_wrong_already_is_not_edited(text: str) -> None:
    with pytest.raises(EditError):
        set_version(text, "tool", "1.0.0")
    with pytest.raises(EditError):
        add_release(text, RELEASE)


def test_a_release_is_not_added_twice() -> None:
    with pytest.raises(EditError, match=r"has a release 3\.0\.0 already"):
        add_release(CATALOG, replace(RELEASE, version="3.0.0"))
    with pytest.raises(EditError, match="not a list"):
        add_release("releases: none\n", RELEASE)
