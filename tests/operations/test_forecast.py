"""What merging an open change would do is told to its reviewers, whatever the change is like."""

from __future__ import annotations

import pygit2
import pytest

from reconciler.approval.evidence import Approval, Change, CheckState
from reconciler.approval.forge import OpenChange
from reconciler.kernel.observation import InstalledProduct
from reconciler.operations import forecast as module
from reconciler.operations.desired import mirror_of
from reconciler.operations.forecast import LONGEST_SUMMARY, Forecast, forecast, forget_changes
from tests.operations.conftest import APP, Installation, package_code, product_code

DEV = "environments/dev/environment.yaml"
APP_1 = InstalledProduct(product_code(1), "1.0.0", "App", package_code(1), APP)
POLICY = {
    "environments/reconciler.yaml": 'version: 1\ngroups: {managers: ["@ben"]}\n',
    DEV: "approvals: {required: 1, from: [managers]}\npackages:\n  app: 1.0.0\n",
}


def proposed(installation: Installation, files: dict[str, str], ref: str = "refs/pull/12/head") -> OpenChange:
    """Commit files on top of the branch, as a fork's pull request has them: on no branch of the repository."""
    workspace = installation.workspace
    back = workspace.head
    workspace.write(files)
    head = workspace.commit("a change")
    git = pygit2.Repository(str(workspace.folder))
    git.remotes["origin"].push([f"refs/heads/main:{ref}"])
    workspace.reset(back)
    change = Change("#12", "https://forge.example/12", "a change", "@ann", head, 1.0, ref=ref)
    return OpenChange(12, "ann:a-change", change)


def told(installation: Installation, opened: OpenChange) -> Forecast:
    return forecast(installation.site, mirror_of(installation.site), opened)


def test_a_change_that_validates_is_told_with_its_plan(installation: Installation) -> None:
    installation.enrol("DEV-01")
    installation.report("DEV-01", APP_1)
    found = told(installation, proposed(installation, {DEV: "packages:\n  app: 2.0.0\n"}))
    assert found.state is CheckState.PASSED
    assert found.summary == "1 change(s); 1 of 1 hosts have something to do"
    assert "| dev | app | upgrade | 1.0.0 -> 2.0.0 | 1 | DEV-01 |" in found.report
    assert "nothing: it may be merged" in found.report


def test_the_branch_goes_on_and_the_change_is_told_as_merged_into_it(installation: Installation) -> None:
    opened = proposed(installation, {"environments/dev/hosts/DEV-02.yaml": ""})
    installation.publish({DEV: "packages:\n  app: 2.0.0\n"})
    found = told(installation, opened)
    assert found.state is CheckState.PASSED
    assert "2.0.0 -> 1.0.0" not in found.report


def test_a_change_that_does_not_validate_fails_with_the_first_finding(installation: Installation) -> None:
    found = told(installation, proposed(installation, {DEV: "packages:\n  app: 9.9.9\n  nonsense: 1.0.0\n"}))
    assert found.state is CheckState.FAILED
    assert found.summary.startswith(f"{DEV}:2: ")
    assert len(found.summary) <= LONGEST_SUMMARY
    assert f"{DEV}:2:" in found.report
    assert f"{DEV}:3:" in found.report


def test_a_change_that_conflicts_fails_and_says_where(installation: Installation) -> None:
    opened = proposed(installation, {DEV: "packages:\n  app: 2.0.0\n"})
    installation.publish({DEV: "packages:\n  app: absent\n"})
    found = told(installation, opened)
    assert (found.state, found.summary) == (CheckState.FAILED, f"it conflicts with main: {DEV}")


def test_a_head_that_cannot_be_had_is_told_as_pending(installation: Installation) -> None:
    missing = Change("#12", "", "", "@ann", "f" * 40, 1.0, ref="refs/pull/12/head")
    found = told(installation, OpenChange(12, "gone", missing))
    assert found.state is CheckState.PENDING
    assert "cannot be fetched" in found.summary


def test_what_it_waits_for_is_told_and_goes_when_it_is_there(installation: Installation) -> None:
    installation.publish(POLICY)
    opened = proposed(installation, {DEV: POLICY[DEV].replace("1.0.0", "2.0.0")})
    assert "dev: 1 approval from managers required, 0 given" in told(installation, opened).report
    given = (Approval("@ben", opened.change.head),)
    approved = Change("#12", "", "", "@ann", opened.change.head, 1.0, given, ref=opened.change.ref)
    assert "nothing: it may be merged" in told(installation, OpenChange(12, "", approved)).report


def test_the_same_is_told_twice(installation: Installation) -> None:
    opened = proposed(installation, {DEV: "packages:\n  app: 2.0.0\n"})
    objects = len(list(mirror_of(installation.site).handle()))
    first = told(installation, opened)
    after = len(list(mirror_of(installation.site).handle()))
    assert told(installation, opened) == first
    assert objects < after == len(list(mirror_of(installation.site).handle()))


def test_a_report_that_is_too_long_is_cut(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_REPORT", 300)
    opened = proposed(installation, {DEV: "packages:\n  app: 2.0.0\n"})
    report = told(installation, opened).report
    assert len(report) <= 300
    assert f"reconciler plan --revision {opened.change.head}" in report
    assert "nothing: it may be merged" in report


def test_heads_of_changes_pollute_no_branch_and_are_let_go(installation: Installation) -> None:
    mirror = mirror_of(installation.site)
    told(installation, proposed(installation, {DEV: "packages:\n  app: 2.0.0\n"}))
    assert "refs/reconciler/changes/12" in mirror.handle().references
    assert mirror.branches("") == {"main": mirror.head("main")}
    installation.follow()
    assert "refs/reconciler/changes/12" in mirror.handle().references
    forget_changes(mirror, [13])
    assert "refs/reconciler/changes/12" not in mirror.handle().references
