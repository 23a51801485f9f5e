"""What is particular to one forge is read as that forge means it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from reconciler.approval.evidence import Change, CheckState
from reconciler.approval.forge import ForgeUnavailable
from reconciler.approval.forge_client import NotAllowed, Refused
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
    assert merged(server, "azure_devops", "checked-before-a-push").checks == {"ci/ticket": CheckState.PASSED}


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
