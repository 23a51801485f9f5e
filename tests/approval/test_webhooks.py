"""Webhooks are taken only where they come from the forge, and are about our project."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import ASGIApp
from structlog.testing import capture_logs

from reconciler.approval.webhooks import READERS, Delivery, NotGenuine, NotUnderstood, Request, is_about
from reconciler.daemon import webhooks
from reconciler.daemon.webhooks import LONGEST_DELIVERY, MOST_REMEMBERED, QUIET_SECONDS, Webhooks

SECRET = "s3cret of the webhook"
KEY = bytes(range(32))
SIGNING = "whsec_" + base64.b64encode(KEY).decode()
NOW = 1_772_442_000.0

PUSHES: dict[str, dict[str, Any]] = {
    "github": {"ref": "refs/heads/main", "repository": {"full_name": "acme/desired"}},
    "forgejo": {"ref": "refs/heads/main", "repository": {"full_name": "acme/desired"}},
    "gitlab": {"object_kind": "push", "project": {"path_with_namespace": "acme/desired"}},
    "azure": {
        "id": "03c164c2",
        "eventType": "git.push",
        "resource": {"repository": {"name": "desired", "project": {"name": "acme"}}},
    },
}
PROJECTS = dict.fromkeys(PUSHES, "acme/desired") | {"azure": "contoso/acme/desired"}
FORGES = [*PUSHES, "gitlab, signed"]


def sha(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def standard(body: bytes, name: str = "msg-1", at: float = NOW, key: bytes = KEY) -> dict[str, str]:
    """Return the headers by which a delivery is signed as Standard Webhooks has it."""
    signed = f"{name}.{at:.0f}.".encode() + body
    made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": name, "webhook-timestamp": f"{at:.0f}", "webhook-signature": f"v1,{'A' * 44} v1,{made}"}


HEADERS: dict[str, Callable[[bytes], dict[str, str]]] = {
    "github": lambda body: {"x-hub-signature-256": f"sha256={sha(body)}", "x-github-delivery": "msg-1"},
    "forgejo": lambda body: {"x-forgejo-signature": sha(body), "x-forgejo-delivery": "msg-1"},
    "gitlab": lambda _body: {"x-gitlab-token": SECRET, "idempotency-key": "msg-1"},
    "gitlab, signed": standard,
    "azure": lambda _body: {"authorization": "Basic " + base64.b64encode(f"hook:{SECRET}".encode()).decode()},
}
SIGNED = {"github": "x-hub-signature-256", "forgejo": "x-forgejo-signature", "gitlab, signed": "webhook-signature"}


def read(forge: str, body: bytes, headers: dict[str, str], at: float = NOW) -> Delivery:
    name, _, signed = forge.partition(",")
    return READERS[name](Request(headers, body, at), SIGNING if signed else SECRET)


def push(forge: str) -> bytes:
    return json.dumps(PUSHES[forge.partition(",")[0]]).encode()


@pytest.mark.parametrize("forge", FORGES)
def test_a_delivery_of_the_forge_is_read(forge: str) -> None:
    body = push(forge)
    delivery = read(forge, body, HEADERS[forge](body))
    assert delivery.name == ("03c164c2" if forge == "azure" else "msg-1")
    assert is_about(delivery, PROJECTS[forge.partition(",")[0]])
    assert not is_about(delivery, "acme/other")


def test_gitea_signs_by_a_header_of_its_own() -> None:
    body = push("forgejo")
    assert read("forgejo", body, {"x-gitea-signature": sha(body), "x-gitea-delivery": "9"}).name == "9"


@pytest.mark.parametrize("forge", FORGES)
def test_a_delivery_without_its_proof_is_refused(forge: str) -> None:
    with pytest.raises(NotGenuine):
        read(forge, push(forge), {})


@pytest.mark.parametrize("forge", FORGES)
def test_a_delivery_by_another_secret_is_refused(forge: str) -> None:
    body = push(forge)
    headers = {
        "github": {"x-hub-signature-256": f"sha256={sha(body, 'guess')}"},
        "forgejo": {"x-forgejo-signature": sha(body, "guess")},
        "gitlab": {"x-gitlab-token": "guess"},
        "gitlab, signed": standard(body, key=b"x" * 32),
        "azure": {"authorization": "Basic " + base64.b64encode(b"hook:guess").decode()},
    }[forge]
    with pytest.raises(NotGenuine) as refused:
        read(forge, body, headers)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("forge", SIGNED)
@given(changed=st.binary(max_size=200))
def test_no_signature_holds_for_another_body(forge: str, changed: bytes) -> None:
    body = push(forge)
    if changed == body:
        return
    with pytest.raises(NotGenuine):
        read(forge, changed, HEADERS[forge](body))


@pytest.mark.parametrize("forge", HEADERS)
@given(value=st.text(max_size=80))
def test_nothing_made_up_is_taken(forge: str, value: str) -> None:
    body = push(forge)
    headers = HEADERS[forge](body)
    proof = SIGNED.get(forge) or ("authorization" if forge == "azure" else "x-gitlab-token")
    if value == headers[proof]:
        return
    with pytest.raises(NotGenuine):
        read(forge, body, {**headers, proof: value})


@pytest.mark.parametrize("age", [301, -301])
def test_a_signed_delivery_of_another_time_is_refused(age: int) -> None:
    body = push("gitlab")
    with pytest.raises(NotGenuine, match="not of now"):
        read("gitlab, signed", body, standard(body, at=NOW - age))


@pytest.mark.parametrize("forge", FORGES)
def test_a_genuine_delivery_that_is_not_json_is_not_understood(forge: str) -> None:
    body = b"payload=%7B%7D"
    with pytest.raises(NotUnderstood):
        read(forge, body, HEADERS[forge](body))


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"repository": 7, "project": 7, "resource": 7}',
        b'{"object_kind": "group", "group": {"full_path": "acme"}}',
        b'{"action": "created", "installation": {"id": 1}}',
        b'{"eventType": "build.complete", "resource": {"definition": {"name": "nightly"}}}',
    ],
)
def test_a_genuine_delivery_about_no_project_is_taken_and_is_about_none(forge: str, body: bytes) -> None:
    """GitLab switches a webhook off that is answered with errors."""
    delivery = read(forge, body, HEADERS[forge](body))
    assert not is_about(delivery, PROJECTS[forge.partition(",")[0]])
    assert delivery.name


def test_a_comment_at_azure_is_about_the_repository_of_its_pull_request() -> None:
    repository = PUSHES["azure"]["resource"]["repository"]
    event = "ms.vss-code.git-pullrequest-comment-event"
    body = json.dumps({"eventType": event, "resource": {"pullRequest": {"repository": repository}}}).encode()
    assert is_about(read("azure", body, HEADERS["azure"](body)), PROJECTS["azure"])


async def test_a_genuine_delivery_about_no_project_is_answered_with_no_error() -> None:
    receiver = Receiver()
    assert await receiver.post(b'{"action": "created", "installation": {"id": 1}}') == 204
    assert receiver.looks == 0


class Receiver:
    """The application, and how often it had somebody look."""

    def __init__(self, secret: str = SECRET) -> None:
        self.looks = 0
        self.app: ASGIApp = Webhooks("github", "Acme/Desired", secret, self._look)

    def _look(self) -> None:
        self.looks += 1

    async def post(
        self, body: bytes, path: str = "/webhooks/github", name: str = "1", secret: str = SECRET
    ) -> int:
        headers = {"X-Hub-Signature-256": f"sha256={sha(body, secret)}", "X-GitHub-Delivery": name}
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="https://daemon") as client:
            return (await client.post(path, content=body, headers=headers)).status_code


async def test_a_delivery_has_somebody_look_once() -> None:
    receiver = Receiver()
    assert [await receiver.post(push("github"), name="1") for _ in range(3)] == [204, 204, 204]
    assert receiver.looks == 1
    await receiver.post(push("github"), name="2")
    assert receiver.looks == 2


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_REMEMBERED", 3)
    assert MOST_REMEMBERED > 3
    receiver = Receiver()
    for name in ("1", "2", "3", "4", "1"):
        await receiver.post(push("github"), name=name)
    assert receiver.looks == 5


async def test_a_delivery_about_another_project_is_no_hint() -> None:
    receiver = Receiver()
    assert await receiver.post(b'{"repository": {"full_name": "acme/other"}}') == 204
    assert receiver.looks == 0


async def test_a_wrong_signature_is_refused_and_told_once_without_the_secret() -> None:
    receiver = Receiver()
    with capture_logs() as logs:
        assert [await receiver.post(push("github"), secret="guess") for _ in range(50)] == [401] * 50
    assert receiver.looks == 0
    assert len(logs) == 1
    assert QUIET_SECONDS > 0
    assert SECRET not in json.dumps(logs)
    assert "guess" not in json.dumps(logs)


async def test_a_delivery_that_is_too_long_is_refused_before_it_is_read() -> None:
    assert await Receiver().post(b"x" * (LONGEST_DELIVERY + 1)) == 413


async def test_only_the_forge_that_is_set_is_listened_to_and_only_with_a_secret() -> None:
    assert await Receiver().post(push("github"), path="/webhooks/gitlab") == 404
    assert await Receiver(secret="").post(push("github"), secret="") == 404


@pytest.mark.parametrize("forge", PUSHES)
def test_nothing_is_genuine_by_an_empty_secret(forge: str) -> None:
    body = push(forge)
    headers = {
        "github": {"x-hub-signature-256": f"sha256={sha(body, '')}"},
        "forgejo": {"x-forgejo-signature": sha(body, "")},
        "gitlab": {"x-gitlab-token": ""},
        "azure": {"authorization": "Basic " + base64.b64encode(b"hook:").decode()},
    }[forge]
    with pytest.raises(NotGenuine):
        READERS[forge](Request(headers, body, NOW), "")


def test_nothing_is_genuine_by_a_signing_token_without_a_key() -> None:
    body = push("gitlab")
    with pytest.raises(NotGenuine):
        READERS["gitlab"](Request(standard(body, key=b""), body, NOW), "whsec_")
