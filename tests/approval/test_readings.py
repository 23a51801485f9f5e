"""What is particular to one forge is read as that forge means it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from structlog.testing import capture_logs
from werkzeug import Request, Response

from reconciler.approval.evidence import Change, CheckState
from reconciler.approval.forge import ForgeUnavailable, Queued
from reconciler.approval.forge_client import Malformed, NotAllowed, Refused
from reconciler.approval.keeping import keep_change, keep_comment
from tests.approval.served import COMMITS, Reference, Served, load
from tests.approval.test_odd_answers import FORGES


@pytest.fixture
def server(httpserver: HTTPServer) -> HTTPServer:
    return httpserver


def merged(server: HTTPServer, forge: str, situation: str) -> Change:
    reference = Reference.of(forge)
    served = Served(reference, load(forge, situation, reference))
    server.expect_request(re.compile("/.*")).respond_with_handler(served.answer)
    change = FORGES[forge](server.url_for(reference.base)).merged_change(COMMITS["<merge>"])
    assert change is not None
    assert served.surprises == []
    return change


def test_a_dismissed_rejection_brings_no_approval_back(server: HTTPServer) -> None:
    change = merged(server, "github", "rejection-dismissed")
    assert (change.approvals, change.rejections) == ((), ())


def test_whose_account_is_gone_approves_nothing(server: HTTPServer) -> None:
    change = merged(server, "github", "approved-by-nobody")
    assert (change.approvals, change.rejections) == ((), ("@ghost",))


def test_a_pull_request_whose_commits_are_not_all_listed_is_not_judged(server: HTTPServer) -> None:
    with pytest.raises(ForgeUnavailable, match="251 commits"):
        merged(server, "github", "too-many-commits")


def test_github_itself_is_no_author(server: HTTPServer) -> None:
    assert merged(server, "github", "merged-by-merge-commit").authors == ("@ann",)


def test_a_skipped_check_passes_at_github_and_not_at_gitlab(server: HTTPServer) -> None:
    assert merged(server, "github", "checked").checks["docs"] is CheckState.PASSED
    server.clear()
    found = merged(server, "gitlab", "checked").checks
    assert (found["deploy"], found["pipeline"]) == (CheckState.PENDING, CheckState.FAILED)


def test_an_approval_of_unknown_time_is_of_an_unknown_head(server: HTTPServer) -> None:
    (approval,) = merged(server, "gitlab", "approved-at-no-time").approvals
    assert (approval.by, approval.commit, approval.at) == ("@ben", "", 0.0)


def test_a_status_of_an_older_head_says_nothing_of_this_one(server: HTTPServer) -> None:
    assert merged(server, "azure_devops", "checked-before-a-push").checks == {"ci/scan": CheckState.PASSED}


def test_a_status_without_an_id_is_read(server: HTTPServer) -> None:
    """The reference's own examples of a commit's statuses have none."""
    assert merged(server, "azure_devops", "checked-without-an-id").checks == {"ci/scan": CheckState.PASSED}


def test_the_newest_status_of_a_context_counts(server: HTTPServer) -> None:
    found = merged(server, "github", "checked").checks
    assert (found["ci/scan"], found["ci/sign"]) == (CheckState.FAILED, CheckState.PENDING)


def test_an_app_reports_by_its_own_account(server: HTTPServer) -> None:
    reports = {report.name: report.by for report in merged(server, "github", "checked").reports}
    assert reports["ci/sign"] == ("app:scanner",)
    assert reports["ci/scan"] == ("@ci",)
    assert reports["build"] == ("app:github-actions", "app:15368")


def test_who_pushed_long_before_the_change_was_opened_is_found(server: HTTPServer) -> None:
    assert merged(server, "gitlab", "pushed-long-before").pushers == ("@ann",)


def test_a_train_that_rebases_names_the_commit_that_it_put_on_the_branch(server: HTTPServer) -> None:
    change = merged(server, "gitlab", "merged-by-train")
    assert (change.landed, change.head) == (COMMITS["<merge>"], COMMITS["<first>"])


def test_a_squash_that_is_merged_is_named(server: HTTPServer) -> None:
    change = merged(server, "gitlab", "squashed-and-merged")
    assert (change.landed, change.squash) == (COMMITS["<merge>"], COMMITS["<other>"])


def test_the_timeline_names_the_merge_commit_where_the_pull_request_does_not(server: HTTPServer) -> None:
    """As GitHub's API is from version 2026-03-10 on."""
    assert merged(server, "github", "without-merge-commit-sha").landed == COMMITS["<merge>"]


def test_an_author_without_an_account_is_known_by_address(server: HTTPServer) -> None:
    authors = merged(server, "github", "written-by-an-unknown-account").authors
    assert authors == ("gina@example.com", "noreply@github.com")


def test_one_change_that_cannot_be_read_keeps_the_others(server: HTTPServer) -> None:
    reference = Reference.of("github")
    exchanges = load("github", "open", reference)
    next(found for found in exchanges if found.name == "commits-14").answer[0]["author"] = {"name": "no account"}
    served = Served(reference, exchanges)
    server.expect_request(re.compile("/.*")).respond_with_handler(served.answer)
    with capture_logs() as logs:
        opened = FORGES["github"](server.url_for(reference.base)).open_changes()
    assert [change.number for change in opened] == [12]
    assert [log["event"] for log in logs] == ["open change not readable"]
    server.clear()
    next(found for found in exchanges if found.name == "commits").answer[0]["author"] = {"name": "no account"}
    server.expect_request(re.compile("/.*")).respond_with_handler(Served(reference, exchanges).answer)
    with pytest.raises(Malformed):
        FORGES["github"](server.url_for(reference.base)).open_changes()


def test_the_commits_of_a_merge_queue_are_told(server: HTTPServer) -> None:
    reference = Reference.of("github")
    exchanges = load("github", "open", reference)
    ref = "refs/heads/gh-readonly-queue/main/pr-14-" + "ab" * 20
    queued = {"ref": ref, "object": {"type": "commit", "sha": COMMITS["<other>"]}}
    next(found for found in exchanges if found.name == "queued").answer.append(queued)
    server.expect_request(re.compile("/.*")).respond_with_handler(Served(reference, exchanges).answer)
    first, second = FORGES["github"](server.url_for(reference.base)).open_changes()
    assert (first.queued, second.queued) == ((), (Queued(COMMITS["<other>"], ref),))


def test_policies_are_checks_by_their_names(server: HTTPServer) -> None:
    assert merged(server, "azure_devops", "checked").checks == {
        "slow": CheckState.PENDING,
        "lint": CheckState.FAILED,
        "ci/scan": CheckState.PASSED,
        "build": CheckState.PASSED,
        "Minimum number of reviewers": CheckState.PASSED,
    }


def test_commits_of_all_pages_have_their_authors_told(server: HTTPServer) -> None:
    authors = merged(server, "azure_devops", "approved-by-five").authors
    assert authors == ("ann@example.com", "gina@example.com")


def test_listings_are_read_to_their_end(server: HTTPServer) -> None:
    """Azure DevOps has neither links nor tokens for these: a page that is full has another one behind it."""
    plain = next(
        found for found in load("azure_devops", "open", Reference.of("azure_devops")) if found.name == "pulls"
    )
    pull = plain.answer["value"][0]
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(request.args.get("$skip", ""))
        left = max(130 - int(asked[-1] or 0), 0)
        values: list[Any] = [pull] * min(left, 100)
        return Response(json.dumps({"count": len(values), "value": values}), content_type="application/json")

    server.expect_request(re.compile("/.*pullrequests$")).respond_with_handler(answer)
    server.expect_request(re.compile("/.*")).respond_with_data("{}", 404, content_type="application/json")
    with pytest.raises(ForgeUnavailable):  # what each of them is like is not told here
        FORGES["azure_devops"](server.url_for("/tfs")).open_changes()
    assert asked == ["0", "100"]


def test_a_comment_that_bears_our_marker_and_is_not_ours_is_left_alone() -> None:
    done: list[str] = []

    def update(name: str, _text: str) -> None:
        if name == "1":
            raise NotAllowed("it is somebody else's")
        done.append(f"update {name}")

    there = [("1", "<!-- plan -->\nours, honestly"), ("2", "<!-- plan -->\nolder")]
    keep_comment("plan", "new", there, update, lambda text: done.append(f"create {text}"))
    assert done == ["update 2"]
    keep_comment("plan", "new", there[:1], update, lambda text: done.append(f"create {text}"))
    assert done[1:] == ["create <!-- plan -->\nnew"]


def test_a_change_that_another_opens_meanwhile_is_found_and_updated() -> None:
    looks = iter([None, "#12"])

    def create() -> str:
        raise Refused("there is one already")

    assert keep_change(lambda: next(looks), create, lambda there: f"updated {there}") == "updated #12"


def test_a_change_that_the_forge_refuses_is_refused() -> None:
    def create() -> str:
        raise Refused("the branch has no commits")

    with pytest.raises(Refused, match="no commits"):
        keep_change(lambda: None, create, lambda there: f"updated {there}")
