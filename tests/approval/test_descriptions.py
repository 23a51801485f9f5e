"""Exchanges with GitHub are such as GitHub's own descriptions allow, and adapters read GitHub's own examples."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from pydantic import TypeAdapter
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from reconciler.approval.forges import github_answers as its
from reconciler.approval.webhooks import READERS, is_about
from reconciler.approval.webhooks import Request as Delivered
from tests.approval.descriptions import DESCRIBED, endpoint_of, every_fault, faults, official, official_operation
from tests.approval.github_server import PROJECT, TOKEN, GitHubServer
from tests.approval.served import Exchange, Reference, load

READ = {
    "pulls-of-commit": tuple[its.Pull, ...],
    "pull": its.WholePull,
    "pulls": tuple[its.Pull, ...],
    "reviews": tuple[its.Review, ...],
    "commits": tuple[its.Commit, ...],
    "activity": tuple[its.Activity, ...],
    "check-runs": its.CheckRuns,
    "timeline": tuple[its.Event, ...],
    "matching-refs": tuple[its.Ref, ...],
    "statuses": tuple[its.Status, ...],
    "create-status": its.Made,
    "comments": tuple[its.Comment, ...],
    "create-comment": its.Made,
    "update-comment": its.Made,
}
SECRET = "s3cret"


def test_every_exchange_is_allowed_by_the_official_descriptions() -> None:
    assert [str(fault) for fault in every_fault()] == []


@pytest.mark.parametrize("name", DESCRIBED)
def test_what_a_description_does_not_allow_is_found(name: str) -> None:
    reference = Reference.of("github")
    exchange = next(found for found in load("github", "merged-by-squash", reference) if found.name == "reviews")
    path = reference.endpoints["reviews"].path
    assert list(faults(name, exchange, path)) == []
    for key, value in (
        ("approved", True),
        ("state", 7),
        ("id", None),
        ("user", {"login": "ben", "role": "admin"}),
    ):
        changed = json.loads(json.dumps(exchange.answer))
        changed[0][key] = value
        wrong = Exchange(**{**vars(exchange), "answer": changed})
        assert [fault.description for fault in faults(name, wrong, path)] == [name], key
    asked = Exchange(**{**vars(exchange), "query": {"order": "asc"}})
    assert [fault.why for fault in faults(name, asked, path)] == ["there is no parameter order"]
    assert [fault.why for fault in faults(name, exchange, "/elsewhere")] == ["there is no such endpoint"]


@pytest.mark.parametrize("name", DESCRIBED)
@pytest.mark.parametrize("endpoint", READ)
def test_the_official_examples_are_read(name: str, endpoint: str) -> None:
    reference = Reference.of("github").endpoints[endpoint]
    operation = official_operation(name, reference.path, reference.method)
    assert operation is not None
    assert operation["examples"]
    for example in operation["examples"]:
        TypeAdapter(READ[endpoint]).validate_python(example)


def test_every_endpoint_whose_answer_is_read_has_its_examples_read() -> None:
    written = {"create-pull", "update-pull"}
    assert READ.keys() == Reference.of("github").endpoints.keys() - written


def test_the_small_github_answers_as_the_descriptions_allow() -> None:
    server = GitHubServer()
    server.open(12, "app", "a" * 40, "ann", fork="ann")
    server.approve(12, "ben")
    server.merge(12, "c" * 40, "cleo")
    server.open(13, "tool", "b" * 40, "dora")
    reference = Reference.of("github")
    head = "b" * 40
    asked: list[tuple[str, str, Any]] = [
        ("POST", f"/statuses/{head}", {"state": "success", "context": "reconciler/plan", "description": "fine"}),
        ("POST", "/issues/13/comments", {"body": "a plan"}),
        ("PATCH", "/issues/comments/1", {"body": "another plan"}),
        ("POST", "/pulls", {"title": "t", "body": "b", "head": "x", "base": "main"}),
        *(("GET", path, None) for path in (
            "/pulls", "/pulls/12", "/pulls/12/reviews", "/pulls/12/commits", "/activity", "/issues/12/timeline",
            f"/commits/{'c' * 40}/pulls", f"/commits/{head}/check-runs", f"/commits/{head}/statuses",
            "/issues/13/comments", "/git/matching-refs/heads/gh-readonly-queue/main/pr-",
        )),
    ]  # fmt: skip
    found = []
    for method, path, body in asked:
        whole = f"/repos/{PROJECT}{path}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        environ = EnvironBuilder(whole, method=method, json=body, headers=headers).get_environ()
        answer = server.answer(Request(environ))
        assert answer.status_code < 400, whole
        said = json.loads(answer.get_data())
        exchange = Exchange("server", "", method, whole, {}, body, answer.status_code, said, {}, {})
        endpoint = endpoint_of(reference, method, whole)
        assert endpoint is not None, whole
        found += [str(fault) for name in DESCRIBED for fault in faults(name, exchange, endpoint)]
    assert found == []


def test_every_official_webhook_is_taken_and_is_about_its_repository_if_any() -> None:
    examples = [example for event in official("webhooks") for example in event["examples"]]
    assert len(examples) > 300
    about = 0
    for example in examples:
        body = json.dumps(example).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"x-hub-signature-256": f"sha256={signature}", "x-github-delivery": "1"}
        delivery = READERS["github"](Delivered(headers, body, 0.0), SECRET)
        repository = (example.get("repository") or {}).get("full_name", "")
        assert delivery.project == repository
        about += bool(repository) and is_about(delivery, repository)
    assert about > 200
