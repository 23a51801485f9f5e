"""Whatever a forge answers, an adapter says what happened, where and what to do; never a secret, never a guess."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from reconciler.approval import forge_client
from reconciler.approval.forge import Forge, ForgeUnavailable
from reconciler.approval.forge_client import NotAllowed, NotThere
from reconciler.approval.forges.azure_devops import AzureDevOps
from reconciler.approval.forges.forgejo import Forgejo
from reconciler.approval.forges.github import GitHub
from reconciler.approval.forges.gitlab import GitLab
from tests.approval.served import COMMITS, Reference, Served, load

TOKEN = "a-token-that-nobody-may-see"
FORGES: dict[str, Callable[[str], Forge]] = {
    "github": lambda base: GitHub(base, "acme/desired", "main", TOKEN),
    "gitlab": lambda base: GitLab(base, "acme/desired", "main", TOKEN),
    "forgejo": lambda base: Forgejo(base, "acme/desired", "main", TOKEN),
    "azure_devops": lambda base: AzureDevOps(base, "acme/fleet/desired", "main", TOKEN),
}
COMMIT = COMMITS["<merge>"]


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forge_client, "SILENCE", 0.3)
    monkeypatch.setattr(forge_client, "_FIRST_PAUSE", 0.01)


@pytest.fixture(params=FORGES)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def refusal(server: HTTPServer, name: str, answer: Response) -> ForgeUnavailable:
    """Return what an adapter says of a server that answers everything so."""
    server.expect_request(re.compile("/.*")).respond_with_handler(lambda _request: answer)
    with pytest.raises(ForgeUnavailable) as caught:
        FORGES[name](server.url_for("/api")).merged_change(COMMIT)
    said = str(caught.value)
    assert TOKEN not in said
    assert caught.value.where
    return caught.value


def said(text: str, status: int, kind: str = "application/json", **headers: str) -> Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Response(text, status, headers=named, content_type=kind)


def test_a_token_that_is_not_good(httpserver: HTTPServer, name: str) -> None:
    error = refusal(httpserver, name, said('{"message": "Bad credentials"}', 401))
    assert isinstance(error, NotAllowed)
    assert "401" in error.what
    assert "Bad credentials" in error.what
    assert "RECONCILER_FORGE_TOKEN" in (error.hint or "")


def test_a_message_that_repeats_the_token_is_cut(httpserver: HTTPServer, name: str) -> None:
    refusal(httpserver, name, said(json.dumps({"message": f"{TOKEN} is no token"}), 401))


def test_no_more_requests_are_allowed(httpserver: HTTPServer, name: str) -> None:
    spent = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1772442000"}
    error = refusal(httpserver, name, said('{"message": "API rate limit exceeded"}', 403, **spent))
    assert "no more requests" in error.what
    assert not isinstance(error, NotAllowed)


@pytest.mark.parametrize(
    "text",
    [
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again.",
    ],
)
def test_a_secondary_limit_that_no_header_names_is_one(httpserver: HTTPServer, name: str, text: str) -> None:
    """Taken for a comment that may not be changed, it would have a second one written."""
    error = refusal(httpserver, name, said(json.dumps({"message": text}), 403))
    assert not isinstance(error, NotAllowed)
    assert "no more requests" in error.what


def test_a_forge_that_asks_for_a_long_pause_is_not_waited_for(httpserver: HTTPServer, name: str) -> None:
    error = refusal(httpserver, name, said("{}", 429, retry_after="3600"))
    assert "no more requests" in error.what
    assert len(httpserver.log) == 1


def test_a_project_that_is_not_there(httpserver: HTTPServer, name: str) -> None:
    error = refusal(httpserver, name, said('{"message": "Not Found"}', 404))
    assert isinstance(error, NotThere)
    assert "RECONCILER_FORGE_PROJECT" in (error.hint or "")


def test_a_forge_with_trouble(httpserver: HTTPServer, name: str) -> None:
    error = refusal(httpserver, name, said("", 500))
    assert "500" in error.what
    asked_again = name != "azure_devops"  # its first question is a POST: nobody knows what that did
    assert len(httpserver.log) == (forge_client.TRIES if asked_again else 1)


def test_a_page_for_people(httpserver: HTTPServer, name: str) -> None:
    error = refusal(httpserver, name, said("<html>Sign in</html>", 200, "text/html; charset=utf-8"))
    assert "text/html" in error.what
    assert "Sign in" not in error.what


def test_broken_json(httpserver: HTTPServer, name: str) -> None:
    assert "broken JSON" in refusal(httpserver, name, said('[{"number": 12,', 200)).what


@pytest.mark.parametrize("answer", ["[{}]", '{"number": 12}', "7", '{"value": null}', '"x"'])
def test_an_answer_without_its_fields(httpserver: HTTPServer, name: str, answer: str) -> None:
    error = refusal(httpserver, name, said(answer, 200))
    assert "not as" in error.what
    assert error.hint


def test_a_project_that_was_moved(httpserver: HTTPServer, name: str) -> None:
    error = refusal(httpserver, name, said("{}", 301, location="https://elsewhere.example/steal"))
    assert "moved" in (error.hint or "")


def test_an_answer_that_is_too_long(httpserver: HTTPServer, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forge_client, "MOST_BYTES", 100)
    assert "too long" in refusal(httpserver, name, said("[" + " " * 1000 + "]", 200)).what


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_forge_that_says_nothing(silent: str, name: str) -> None:
    with pytest.raises(ForgeUnavailable, match="no answer within"):
        FORGES[name](silent).merged_change(COMMIT)


def test_a_forge_that_is_not_there(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ForgeUnavailable, match="cannot be reached"):
        FORGES[name](f"http://127.0.0.1:{port}").merged_change(COMMIT)


@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_a_next_page_elsewhere_gets_no_token(httpserver: HTTPServer, name: str) -> None:
    link = '<https://elsewhere.example/page/2>; rel="next"'
    assert "elsewhere.example" in refusal(httpserver, name, said("[]", 200, link=link)).what


def test_a_forge_that_is_busy_for_a_moment_is_asked_again(httpserver: HTTPServer, name: str) -> None:
    reference = Reference.of(name)
    served = Served(reference, load(name, "merged-by-merge-commit", reference))
    busy = threading.Semaphore(2)

    def answer(request: Request) -> Response:
        return said("{}", 503) if busy.acquire(blocking=False) else served.answer(request)

    httpserver.expect_request(re.compile("/.*")).respond_with_handler(answer)
    assert FORGES[name](httpserver.url_for(reference.base)).merged_change(COMMIT) is not None


def test_what_is_still_so_is_not_sent_again(httpserver: HTTPServer) -> None:
    asked: list[str | None] = []

    def answer(request: Request) -> Response:
        asked.append(request.headers.get("If-None-Match"))
        if asked[-1] == '"one"':
            return Response(status=304)
        return said("[]", 200, etag='"one"')

    httpserver.expect_request(re.compile("/.*")).respond_with_handler(answer)
    forge = FORGES["github"](httpserver.url_for("/api"))
    assert forge.open_changes() == forge.open_changes() == ()
    assert asked == [None, '"one"']


def test_a_page_that_was_full_is_asked_for_again_with_the_next(httpserver: HTTPServer) -> None:
    """GitHub's ETag does not cover the Link header: a full page stays as it is when a next one begins."""
    reference = Reference.of("github")
    exchanges = load("github", "merged-by-merge-commit", reference)
    (review,) = next(found for found in exchanges if found.name == "reviews").answer
    reviews = [{**review, "id": number, "user": {"login": f"r{number}", "id": number}} for number in range(100)]
    served = Served(reference, exchanges)
    rejection = {**review, "id": 200, "user": {"login": "cleo", "id": 3}, "state": "CHANGES_REQUESTED"}
    told = list(reviews)

    def answer(request: Request) -> Response:
        if not request.path.endswith("/reviews"):
            return served.answer(request)
        page = int(request.args.get("page", "1"))
        part = told[(page - 1) * 100 : page * 100]
        etag = '"' + ",".join(str(found["id"]) for found in part) + '"'
        if request.headers.get("If-None-Match") == etag:
            return Response(status=304)
        more = len(told) > page * 100
        link = {"Link": f'<{request.base_url}?per_page=100&page={page + 1}>; rel="next"'} if more else {}
        return Response(json.dumps(part), headers={"ETag": etag, **link}, content_type="application/json")

    httpserver.expect_request(re.compile("/.*")).respond_with_handler(answer)
    forge = FORGES["github"](httpserver.url_for(reference.base))
    before = forge.merged_change(COMMIT)
    told.append(rejection)
    after = forge.merged_change(COMMIT)
    assert before is not None
    assert after is not None
    assert (before.rejections, after.rejections) == ((), ("@cleo",))


def test_a_commit_of_a_change_that_landed_as_another_has_none(httpserver: HTTPServer, name: str) -> None:
    reference = Reference.of(name)
    served = Served(reference, load(name, "landed-as-another-commit", reference))
    httpserver.expect_request(re.compile("/.*")).respond_with_handler(served.answer)
    assert FORGES[name](httpserver.url_for(reference.base)).merged_change(COMMIT) is None
