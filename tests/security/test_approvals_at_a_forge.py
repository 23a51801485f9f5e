"""An approval at a forge counts for what it was given for, by the account that gave it. What is unknown does not.

Each situation is a file of exchanges. The real adapter reads it, and the policy judges what the adapter says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest
from pytest_httpserver import HTTPServer

from reconciler.approval.evidence import Change, Evidence
from reconciler.approval.policy import Judgement, judge
from reconciler.desired.approvals import ApprovalPolicy, Person
from reconciler.desired.people import People
from tests.approval.served import COMMITS, Reference, Served, load
from tests.approval.test_odd_answers import FORGES

MERGE = COMMITS["<merge>"]
GROUPS = {"managers": ("@ben", "@cleo", "ben@example.com", "cleo@example.com")}
PEOPLE = People({}, GROUPS)
LISTED = People({"ben": Person("ben", ("@ben", "ben@example.com"))}, GROUPS)
PINNED = People({"ben": Person("ben", ("@ben", "ben@example.com"), accounts=("2", "80", "0"))}, GROUPS)
ONE = ApprovalPolicy(1, ("managers",))
CHECKED = replace(ONE, checks=("build",))
EVERY = ("github", "gitlab", "forgejo", "azure_devops")


def told(server: HTTPServer, forge: str, situation: str) -> Change:
    """Return what the adapter says of a merged change."""
    reference = Reference.of(forge)
    served = Served(reference, load(forge, situation, reference))
    server.clear()
    server.expect_request(re.compile("/.*")).respond_with_handler(served.answer)
    change = FORGES[forge](server.url_for(reference.base)).merged_change(MERGE)
    assert served.surprises == []
    assert change is not None
    return change


def verdict(change: Change, policy: ApprovalPolicy = ONE, people: People = LISTED) -> Judgement:
    return judge(policy, people, "", Evidence(MERGE, change))


@pytest.mark.parametrize("forge", EVERY)
def test_a_plain_approval_counts(httpserver: HTTPServer, forge: str) -> None:
    assert verdict(told(httpserver, forge, "merged-by-merge-commit")).approved


@pytest.mark.parametrize("always", [True, False], ids=["voided by push", "kept after push"])
@pytest.mark.parametrize(
    ("forge", "situation"),
    [
        *((forge, "retargeted") for forge in EVERY),
        ("github", "retargeted-by-github"),
        ("gitlab", "retargeted-at-an-unknown-time"),
    ],
)
def test_an_approval_for_another_target_branch_does_not_count(
    httpserver: HTTPServer, forge: str, situation: str, always: bool
) -> None:
    judged = verdict(told(httpserver, forge, situation), replace(ONE, voided_by_push=always))
    assert not judged.approved
    assert "ben approved it before its target branch was changed to main" in " ".join(judged.reasons)


@pytest.mark.parametrize("forge", ["github", "gitlab", "forgejo"])
def test_an_approval_after_the_target_branch_was_changed_counts(httpserver: HTTPServer, forge: str) -> None:
    assert verdict(told(httpserver, forge, "approved-after-retarget")).approved


@pytest.mark.parametrize(
    ("forge", "situation"),
    [
        ("github", "pusher-unknown"),
        ("github", "pusher-forbidden"),
        ("github", "pushed-by-nobody"),
        ("github", "fork-gone"),
        ("gitlab", "pusher-unknown"),
        ("gitlab", "pusher-forbidden"),
        ("gitlab", "pushed-by-nobody"),
        ("gitlab", "pushed-elsewhere-by-another"),
        ("forgejo", "pushed-by-nobody"),
        ("azure_devops", "pushed-by-nobody"),
    ],
)
def test_where_nobody_knows_who_pushed_no_approval_counts(
    httpserver: HTTPServer, forge: str, situation: str
) -> None:
    judged = verdict(told(httpserver, forge, situation))
    assert not judged.approved
    assert "it is not known who pushed f1f1f1f1f1" in judged.reasons[1]


@pytest.mark.parametrize("forge", ["github", "gitlab", "forgejo"])
def test_an_address_that_the_forge_made_is_its_account(httpserver: HTTPServer, forge: str) -> None:
    judged = verdict(told(httpserver, forge, "written-by-a-private-address"), people=PEOPLE)
    assert not judged.approved
    assert "@ben approved it, and wrote a part of it or asked for it" in judged.reasons


def test_an_author_known_by_address_alone_may_be_the_approver(httpserver: HTTPServer) -> None:
    change = told(httpserver, "gitlab", "written-by-an-approver")
    judged = verdict(change, people=PEOPLE)
    assert not judged.approved
    assert "it is not known whether @ben wrote it" in judged.reasons[1]
    assert verdict(change, people=LISTED).approved, "the addresses of ben are listed, and this is none of them"
    known = Person("ben", ("@ben", "ben@home.example"))
    assert verdict(change, people=People({"ben": known}, GROUPS)).reasons[1:] == (
        "ben approved it, and wrote a part of it or asked for it",
    )


@dataclass(frozen=True)
class Reused:
    """The account that has ben's login now, and the one that had it before."""

    forge: str
    login: str
    account: str = "666"


REUSED = [
    *(Reused(forge, "@ben") for forge in ("github", "gitlab", "forgejo")),
    Reused("azure_devops", "ben@example.com"),
]


@pytest.mark.parametrize("reused", REUSED, ids=lambda reused: reused.forge)
def test_a_login_that_somebody_else_took_approves_nothing(httpserver: HTTPServer, reused: Reused) -> None:
    change = told(httpserver, reused.forge, "login-reused")
    assert change.accounts[reused.login] == reused.account
    judged = verdict(change, people=PINNED)
    assert not judged.approved
    assert f"{reused.login} approved it with the account 666, and ben has" in judged.reasons[1]
    judged = verdict(replace(change, pins={reused.login: "2"}))
    assert not judged.approved
    assert f"{reused.login} approved it with the account 666, and was 2 before" in judged.reasons[1]


@pytest.mark.parametrize("forge", EVERY)
def test_the_account_that_is_pinned_approves(httpserver: HTTPServer, forge: str) -> None:
    change = told(httpserver, forge, "merged-by-merge-commit")
    assert verdict(change, people=PINNED).approved
    assert verdict(replace(change, pins=change.accounts)).approved


def test_ids_at_a_forge_are_not_asked_of_other_approvals(httpserver: HTTPServer) -> None:
    """Signatures and the built-in review know no ids."""
    change = replace(told(httpserver, "github", "merged-by-merge-commit"), accounts={})
    assert verdict(change, people=PINNED).approved


@pytest.mark.parametrize("forge", EVERY)
def test_a_check_that_the_author_reported_does_not_count(httpserver: HTTPServer, forge: str) -> None:
    change = told(httpserver, forge, "check-set-by-the-author")
    judged = verdict(change, CHECKED)
    assert not judged.approved
    assert "who has a part in the change" in judged.reasons[0]
    listed = replace(CHECKED, reporters=(("build", ("@ann", "ann@example.com")),))
    assert verdict(change, listed).approved, "the policy says that ann's report counts"


def test_a_check_counts_by_the_app_that_reports_it(httpserver: HTTPServer) -> None:
    by_name = replace(CHECKED, reporters=(("build", ("app:github-actions",)),))
    by_id = replace(CHECKED, reporters=(("build", ("app:15368",)),))
    change = told(httpserver, "github", "check-set-by-an-app")
    assert verdict(change, by_name).approved
    assert verdict(change, by_id).approved
    other = told(httpserver, "github", "check-set-by-another-app")
    assert verdict(other, by_id).reasons == ("the check build was not reported by app:15368",)
    only = replace(CHECKED, reporters=(("build", ("app:99",)),))
    assert verdict(other, only).approved, "nobody else can make it fail, either"
    assert verdict(other, CHECKED).reasons == ("the check build has failed",)


def test_a_check_that_nobody_known_reported_does_not_count(httpserver: HTTPServer) -> None:
    judged = verdict(told(httpserver, "github", "check-set-by-nobody"), CHECKED)
    assert judged.reasons == (
        "the check build was reported by an account that is not known: name who may report it under reporters",
    )


def test_the_pipeline_that_our_own_status_makes_is_none(httpserver: HTTPServer) -> None:
    policy = replace(ONE, checks=("pipeline",))
    change = told(httpserver, "gitlab", "external-pipeline")
    assert verdict(change, policy).reasons == ("the check pipeline was never reported",)
    assert verdict(told(httpserver, "gitlab", "ci-pipeline"), policy).approved


def test_a_job_is_reported_by_the_ci_and_not_by_who_pushed(httpserver: HTTPServer) -> None:
    policy = replace(ONE, checks=("build",), reporters=(("build", ("app:gitlab-ci",)),))
    assert verdict(told(httpserver, "gitlab", "ci-pipeline"), policy).approved
    assert not verdict(told(httpserver, "gitlab", "check-set-by-the-author"), policy).approved


def test_a_status_from_before_a_push_says_nothing_of_the_new_head(httpserver: HTTPServer) -> None:
    checks = told(httpserver, "azure_devops", "checked-before-a-push").checks
    assert "ci/ticket" not in checks, "it has no iteration, and is older than the newest"
    assert checks["ci/scan"] == "passed"
