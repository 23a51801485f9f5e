"""The reference has an entry for everything that it is the reference of, and for nothing else."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.agent.settings import InvalidSettings, load_settings
from reconciler.desired.findings import Rule
from reconciler.desired.layout import FileKind
from reconciler.desired.manifests import schema_of
from reconciler.desired.package_manifests import PACKAGE_MANIFESTS
from reconciler.kernel import protocol
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal, Hold
from reconciler.kernel.attempts import CHARGED, ActionResult, Attempt, Cause, Outcome
from reconciler.kernel.exit_codes import ExitClass, classify_msi
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.retries import BACKOFFS
from reconciler.kernel.status import Health, Reason, Sync
from reconciler.kernel.steps import StepKind, Verb
from reconciler.operations.promote import Fate
from reconciler.planning.changes import ChangeKind, WishChange
from reconciler.planning.comparison import Comparison
from reconciler.planning.report import as_text
from reconciler.planning.verification import Witnessed
from reconciler.settings import Settings
from reconciler.store.revisions import Verdict
from tests.docs.conftest import Page

LAB_SETTINGS = {"RECONCILER_CACHE"}
"""Read by the lab, which knows nothing of settings."""

CLIENT_SETTINGS = {f"RECONCILER_{name}" for name in ("SERVER", "CA", "USER", "PASSWORD")}
"""Read by commands that ask the server from elsewhere."""


def test_every_setting_has_its_row_with_its_default() -> None:
    rows = {row[0].strip("`"): row for row in Page.of("reference/settings.md").rows()}
    names = {f"RECONCILER_{name.upper()}": field for name, field in Settings.model_fields.items()}
    assert set(rows) == names.keys() | LAB_SETTINGS | CLIENT_SETTINGS
    for name, field in names.items():
        default = field.default
        if default == "":
            continue
        shown = json.dumps(list(default)) if isinstance(default, tuple) else str(default).removesuffix(".0")
        if default == 0:
            shown = json.dumps(default)
        assert f"`{shown}`" in rows[name][1], f"{name} has the default {default}"


@pytest.mark.parametrize(
    ("heading", "words"),
    [("Sync", Sync), ("Health", Health), ("Reason", Reason), ("Verdicts on revisions", Verdict)],
)
def test_every_status_word_has_its_row(heading: str, words: Any) -> None:
    entries = [row[0].strip("`") for row in Page.of("reference/status.md").section(heading).rows()]
    assert sorted(entries) == sorted(word.value for word in words)


def test_every_reason_says_what_to_do() -> None:
    page = Page.of("how-to/find-out-why.md").section("3. The reason, and what to do about it")
    assert sorted(page.entries()) == sorted(reason.value for reason in Reason)


def keys_of(schema: dict[str, Any], definitions: dict[str, Any], path: str = "") -> Iterator[str]:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    for part in schema.get("anyOf", ()):
        yield from keys_of(part, definitions, path)
    if "items" in schema:
        yield from keys_of(schema["items"], definitions, f"{path}[]")
    for named in (schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()):
        if isinstance(named, dict):
            yield from keys_of(named, definitions, f"{path}.<name>")
    for key, inner in schema.get("properties", {}).items():
        here = f"{path}.{key}" if path else key
        yield here
        yield from keys_of(inner, definitions, here)


@pytest.mark.parametrize(
    ("kind", "heading"),
    [
        (FileKind.SETTINGS, "reconciler.yaml"),
        (FileKind.ENVIRONMENT, "&lt;environment&gt;/environment.yaml"),
        (FileKind.HOST, "&lt;environment&gt;/hosts/&lt;host&gt;.yaml"),
        (FileKind.TENANT, "&lt;tenant&gt;/tenant.yaml"),
    ],
)
def test_every_key_of_a_file_has_its_row(kind: FileKind, heading: str) -> None:
    schema = schema_of(kind)
    rows = Page.of("reference/desired-state.md").section(heading).rows()
    assert {row[0].strip("`") for row in rows} == set(keys_of(schema, schema.get("$defs", {})))
    required = {row[0].strip("`") for row in rows if "[]" not in row[0] and row[1] == "required"}
    assert required == set(schema.get("required", ()))


@pytest.mark.parametrize("kind", PACKAGE_MANIFESTS)
def test_every_key_of_a_kind_of_package_has_its_row(kind: str) -> None:
    schema = schema_of(FileKind.PACKAGE)
    own = schema["$defs"][PACKAGE_MANIFESTS[kind].__name__]
    page = Page.of("reference/desired-state.md").section("catalog/&lt;package&gt;.yaml")
    shared = page.section("Keys of every kind").rows()
    rows = [*shared, *page.section(f"Keys of kind {kind}").rows()]
    assert {row[0].strip("`") for row in rows} == set(keys_of(own, schema["$defs"]))
    required = {row[0].strip("`") for row in rows if "." not in row[0] and row[1] == "required"}
    # In a file of any kind but the one that stands where nothing is said, the kind must be named.
    assert required == set(own.get("required", ())) - {"kind"}


def test_every_kind_of_file_is_told_of() -> None:
    assert len(FileKind) == 5, "a new kind of file needs a section in desired-state.md, and a case above"


def test_every_rule_has_its_place() -> None:
    entries = Page.of("reference/desired-state.md").section("Rules").entries()
    assert sorted(entries) == sorted(rule.value for rule in Rule)


def test_every_word_of_a_promotion_has_its_place() -> None:
    section = Page.of("reference/commands.md").section("reconciler promote")
    witnessed = [row[1].strip("`") for row in section.rows() if len(row) == 2]
    assert sorted(witnessed) == sorted(word.value for word in Witnessed)
    assert {fate.value for fate in Fate} <= set(re.findall(r"`(\w+)`", section.prose))


def test_every_setting_of_the_agent_has_its_row(tmp_path: Path) -> None:
    (tmp_path / "agent.json").write_text('{"nonsense": 1}')
    with pytest.raises(InvalidSettings) as refused:
        load_settings(tmp_path)
    known = (refused.value.hint or "").removeprefix("known are ").split(", ")
    assert sorted(Page.of("reference/agent.md").section("agent.json").entries()) == sorted(known)


def test_every_outcome_has_its_row_and_says_whether_it_is_charged() -> None:
    rows = Page.of("reference/agent.md").section("Outcomes").rows()
    assert {row[0].strip("`"): row[1] == "yes" for row in rows} == {o.value: o in CHARGED for o in Outcome}


def test_every_cause_has_its_row_with_its_delays_and_its_end() -> None:
    rows = {row[0].strip("`"): row[2:] for row in Page.of("reference/agent.md").section("Backoff").rows()}
    assert rows.keys() == {cause.value for cause in Cause}
    seconds = {"s": 1, "min": 60, "h": 3600}
    for cause, backoff in BACKOFFS.items():
        charged, delays, tries = rows[cause]
        assert (charged == "yes") == (backoff.most is not None)
        assert tries == ("without end" if backoff.most is None else str(backoff.most))
        told = [float(number) * seconds[unit] for number, unit in re.findall(r"(\d+) (s|min|h)\b", delays)]
        made = [min(backoff.first * backoff.growth**step, backoff.longest) for step in range(len(told) - 1)]
        last = (
            backoff.longest if "…" in delays else min(backoff.first * backoff.growth ** len(made), backoff.longest)
        )
        assert told == [*made, last]
        assert "…" in delays or len(told) == (backoff.most or 0) - 1


def test_exit_codes_stand_in_the_class_that_they_have() -> None:
    rows = {
        row[0]: row[1] for row in Page.of("reference/agent.md").section("Exit codes of Windows Installer").rows()
    }
    classes = {
        "success": ExitClass.SUCCESS,
        "success, reboot needed": ExitClass.SUCCESS_REBOOT_NEEDED,
        "suspended": ExitClass.SUSPENDED,
        "wait": ExitClass.WAIT,
        "fetch again": ExitClass.FETCH_AGAIN,
        "permanent": ExitClass.PERMANENT,
        "our fault": ExitClass.OUR_FAULT,
    }
    for name, exit_class in classes.items():
        installing, _, removing = rows[name].partition("; on removal also ")
        told = {int(code) for code in re.findall(r"\d+", installing)}
        assert told == {code for code in range(4000) if classify_msi(Verb.INSTALL, code) is exit_class}, name
        for code in re.findall(r"\d+", removing):
            assert classify_msi(Verb.REMOVE, int(code)) is exit_class


@pytest.mark.parametrize(
    "path", [protocol.ENROL, protocol.CHECK_IN, protocol.REPORT, protocol.ARTIFACTS, protocol.LOGS]
)
def test_every_endpoint_has_its_row(path: str) -> None:
    entries = Page.of("reference/protocol.md").section("Endpoints").entries()
    assert any(re.fullmatch(rf"[A-Z]+ {re.escape(path)}(<\w+>)?", entry) for entry in entries)


@pytest.mark.parametrize(
    "message",
    [protocol.EnrolRequest, protocol.CheckIn, protocol.CheckInAnswer, protocol.Report, protocol.ReportAnswer],
)
def test_every_field_of_a_message_has_its_row(message: Any) -> None:
    entries = Page.of("reference/protocol.md").section(message.__name__).entries()
    assert sorted(entries) == sorted(field.name for field in dataclasses.fields(message))


@pytest.mark.parametrize(
    "part",
    [
        Assignment,
        Goal,
        Hold,
        MsiRelease,
        Artifact,
        Observation,
        InstalledProduct,
        Attempt,
        ActionResult,
    ],
)
def test_every_field_of_what_a_message_holds_is_told(part: Any) -> None:
    told = set(re.findall(r"`(\w+)`", Page.of("reference/protocol.md").section("Assignment").text))
    assert {field.name for field in dataclasses.fields(part)} <= told


def test_every_kind_of_step_is_told() -> None:
    protocol_page = Page.of("reference/protocol.md").text
    decisions = Page.of("explanation/how-decisions-are-made.md").section("Which step").text
    for kind in StepKind:
        assert f"`{kind.value}`" in protocol_page
        assert f"`{kind.value}`" in decisions


def word_of(kind: ChangeKind) -> str:
    """Return what the plan calls a change."""
    change = WishChange("prod", "agent", kind, "1.0.0", "2.0.0", ("PROD-01",))
    (line,) = [
        line for line in as_text(Comparison(None, "1" * 40, (change,), None)).splitlines() if "agent" in line
    ]
    return re.split(r"  +", line)[2].partition(":")[0]


def test_every_change_has_its_row_and_is_explained_to_reviewers() -> None:
    rows = [row for row in Page.of("reference/commands.md").section("reconciler plan").rows() if len(row) == 3]
    told = {
        kind: word
        for words, kinds, _ in rows
        for word, kind in zip(words.split(", "), re.findall(r"`(\w+)`", kinds), strict=False)
    }
    words = {kind.value: word_of(kind) for kind in ChangeKind}
    assert words.items() <= told.items()
    explained = Page.of("how-to/review-a-change.md").section('3. Read "What is wanted"').entries()
    assert sorted(explained) == sorted(words.values())
