"""The report: few lines for many hosts, nothing quiet about removals, and no markup from outside."""

from __future__ import annotations

from reconciler.kernel.status import Reason
from reconciler.kernel.steps import StepKind
from reconciler.planning.changes import ChangeKind, WishChange
from reconciler.planning.comparison import Comparison, ReleaseNote
from reconciler.planning.plan import Plan, PlannedStep, UnknownHost
from reconciler.planning.report import as_markdown, as_text, size


def step(host: str, **changes: object) -> PlannedStep:
    values = {
        "host": host,
        "environment": "prod",
        "package": "app",
        "kind": StepKind.MAJOR_UPGRADE,
        "from_version": "1.0.0",
        "to_version": "2.0.0",
        "fetch": 1_500_000,
        "reason": Reason.STEP_DUE,
        **changes,
    }
    return PlannedStep(**values)  # type: ignore[arg-type]


UPGRADE = WishChange("prod", "app", ChangeKind.UPGRADED, "1.0.0", "2.0.0", ("H1", "H2"))
MANY = Comparison(
    "a" * 40, "b" * 40, (UPGRADE,), Plan("b" * 40, tuple(step(f"H{n}") for n in range(400)), (), 500)
)


def test_four_hundred_hosts_are_one_line() -> None:
    lines = [line for line in as_text(MANY).splitlines() if "majorUpgrade" in line]
    assert len(lines) == 1
    assert "400" in lines[0]
    assert "and 396 more" in lines[0]
    assert "600.0 MB" in lines[0]
    assert "400 of 500 hosts have something to do" in as_text(MANY)


def test_removals_and_omissions_are_in_capitals() -> None:
    gone = WishChange("prod", "tool", ChangeKind.REMOVED, "1.0.0", None, ("H1",))
    dropped = WishChange("prod", "other", ChangeKind.DROPPED, "1.0.0", None, ("H1",))
    text = as_text(Comparison("a", "b", (gone, dropped), None))
    assert "REMOVE" in text
    assert "DROP: no longer named, left as it is" in text
    assert "not known: there is no installation" in text


def test_hosts_it_cannot_tell_about_are_named() -> None:
    plan = Plan("b", (), (UnknownHost("NEW-1", "prod", Reason.NEVER_REPORTED),), 1)
    assert "Cannot tell about 1 host(s) that never reported: NEW-1" in as_text(Comparison("a", "b", (), plan))


def test_reboots_are_announced_and_waits_explained() -> None:
    steps = (step("H1", reboot_expected=True), step("H2", reason=Reason.HELD, message="audit week"))
    text = as_text(Comparison("a", "b", (), Plan("b", steps, (), 2)))
    assert "A reboot is expected on 1 host(s)." in text
    assert "Held: audit week" in text


def test_releases_in_between_are_told_with_issue_and_notes() -> None:
    note = ReleaseNote("app", "2.0.0", "OPS-12", "Mends the clock,\nsays @sam.")
    text = as_text(Comparison("a", "b", (UPGRADE,), None, (note,)))
    assert "- app 2.0.0 (OPS-12): Mends the clock, says @sam." in text
    assert "@sam" not in as_markdown(Comparison("a", "b", (UPGRADE,), None, (note,)))


def test_markdown_tables_hold_and_nobody_is_called_by_them() -> None:
    nasty = WishChange("prod", "a|b", ChangeKind.ADDED, None, "<img>", ("@everyone", "[x](y)"))
    row = next(line for line in as_markdown(Comparison("a", "b", (nasty,), None)).splitlines() if "ADD" in line)
    assert row.count(" | ") == 5
    assert "<img>" not in row
    assert "@everyone" not in row
    assert "\\[x\\](y)" in row, "a link only while the bracket is not escaped"


def test_sizes() -> None:
    assert [size(n) for n in (0, 999, 1500, 2_500_000, 3_000_000_000)] == [
        "0 B",
        "999 B",
        "1.5 KB",
        "2.5 MB",
        "3.0 GB",
    ]
