"""Tells whether a webhook's delivery comes from the forge, and what it is about. Pure.

A delivery is a hint to look and nothing else: nothing that it says is believed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from reconciler.kernel.errors import ReconcilerError

OLDEST = 300.0
"""Seconds that a delivery that is signed with its time may be old, or ahead.

Source: github.com/standard-webhooks/standard-webhooks, by which GitLab signs
"""

_SIGNING = "whsec_"
"""What a signing token of GitLab's begins with: it is the key of signatures, and is never sent itself."""


class NotGenuine(ReconcilerError):
    """A delivery that does not come from the forge, or not as it should."""

    reference = "not-genuine"


class NotUnderstood(ReconcilerError):
    """A delivery that comes from the forge, and is in no form that is known."""

    reference = "not-understood"


@dataclass(frozen=True, slots=True)
class Request:
    """What was sent: headers by their names in lower case, the body as it came; when, in seconds since 1970."""

    headers: Mapping[str, str]
    body: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery of the forge's. ``name`` tells it from others, ``project`` is what it is about.

    ``project`` is empty where it is about none: of a group, of an app, or of a kind that is not known. Such a
    delivery is genuine all the same. Forges that are answered with an error switch the webhook off.
    """

    name: str
    project: str


def github(request: Request, secret: str) -> Delivery:
    """Read a delivery of GitHub's.

    Source: docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries

    Raises:
        NotGenuine: its signature is not of ``secret``.
        NotUnderstood: it is not JSON.
    """
    _demand_signature(request, secret, "x-hub-signature-256", "sha256=")
    return _delivery(request, "x-github-delivery", ("repository", "full_name"))


def forgejo(request: Request, secret: str) -> Delivery:
    """Read a delivery of Forgejo's or Gitea's.

    Source: forgejo.org/docs/latest/user/webhooks, docs.gitea.com/usage/webhooks

    Raises:
        NotGenuine: its signature is not of ``secret``.
        NotUnderstood: it is not JSON.
    """
    ours = "x-forgejo-signature" if "x-forgejo-signature" in request.headers else "x-gitea-signature"
    _demand_signature(request, secret, ours, "")
    delivery = "x-forgejo-delivery" if "x-forgejo-delivery" in request.headers else "x-gitea-delivery"
    return _delivery(request, delivery, ("repository", "full_name"))


def gitlab(request: Request, secret: str) -> Delivery:
    """Read a delivery of GitLab's: signed, where ``secret`` is a signing token, else with the secret in a header.

    Source: docs.gitlab.com/user/project/integrations/webhooks

    Raises:
        NotGenuine: it is not signed by ``secret`` just now, or does not show it.
        NotUnderstood: it is not JSON.
    """
    if secret.startswith(_SIGNING):
        _demand_standard_signature(request, secret.removeprefix(_SIGNING))
        return _delivery(request, "webhook-id", ("project", "path_with_namespace"))
    if not _same(request.headers.get("x-gitlab-token", ""), secret):
        raise NotGenuine("the header X-Gitlab-Token is not the secret", hint=_HINT)
    name = "idempotency-key" if "idempotency-key" in request.headers else "x-gitlab-event-uuid"
    return _delivery(request, name, ("project", "path_with_namespace"))


def azure(request: Request, secret: str) -> Delivery:
    """Read a delivery of a service hook of Azure DevOps, which signs in by Basic authentication with ``secret``.

    Source: learn.microsoft.com/azure/devops/service-hooks/services/webhooks

    Raises:
        NotGenuine: the password is not ``secret``.
        NotUnderstood: it is not JSON.
    """
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        _, _, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except ValueError:  # neither base64 nor UTF-8
        password = ""
    if scheme.lower() != "basic" or not _same(password, secret):
        raise NotGenuine("it does not sign in with the secret as the password", hint=_HINT)
    found = _content(request)
    resource = _part(found, "resource")
    # A comment on a pull request has the repository in the pull request.
    repository = _part(resource, "repository") or _part(resource, "pullRequest", "repository")
    project, name = _part(repository, "project", "name"), _part(repository, "name")
    about = f"{project}/{name}" if isinstance(project, str) and isinstance(name, str) else ""
    told = found.get("id")
    return Delivery(told if isinstance(told, str) else _digest(request), about)


Reader = Callable[[Request, str], Delivery]

READERS: Mapping[str, Reader] = {"github": github, "gitlab": gitlab, "forgejo": forgejo, "azure": azure}
"""Who reads the deliveries of a forge, by its name in the settings."""

_HINT = "set the same secret at the forge's webhook and in what RECONCILER_WEBHOOK_SECRET refers to"


def is_about(delivery: Delivery, project: str) -> bool:
    """Return whether a delivery is about a project, as the settings name it. Forges tell no case apart.

    The organization of one at Azure DevOps is not told by its deliveries.
    """
    ours, theirs = project.strip("/").lower(), delivery.project.lower()
    return ours == theirs or (ours.count("/") == 2 and ours.partition("/")[2] == theirs)


def _demand_signature(request: Request, secret: str, header: str, prefix: str) -> None:
    told = request.headers.get(header, "")
    expected = prefix + hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
    if not secret or not _same(told, expected):
        what = "is not of the secret" if told else "is missing"
        raise NotGenuine(f"the signature in the header {header.title()} {what}", hint=_HINT)


def _demand_standard_signature(request: Request, encoded: str) -> None:
    name, at = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
    if not re.fullmatch("[0-9]{1,12}", at) or abs(int(at) - request.at) > OLDEST:
        raise NotGenuine(
            "it is not of now", hint="check that the clocks of the forge and of this server are right"
        )
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise NotGenuine(
            "the secret begins as a signing token does, and is none", hint="copy it from the forge anew"
        ) from error
    signed = f"{name}.{at}.".encode() + request.body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    told = request.headers.get("webhook-signature", "").split(" ")
    if not key or not any(_same(one, expected) for one in told):
        raise NotGenuine("the signature in the header Webhook-Signature is not of the secret", hint=_HINT)


def _delivery(request: Request, header: str, place: tuple[str, str]) -> Delivery:
    project = _part(_content(request), *place)
    return Delivery(request.headers.get(header) or _digest(request), project if isinstance(project, str) else "")


def _content(request: Request) -> dict[str, Any]:
    try:
        found = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        hint = "choose application/json as the content type of the webhook"
        raise NotUnderstood("it is not JSON", hint=hint) from error
    return found if isinstance(found, dict) else {}


def _part(found: Any, *path: str) -> Any:
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _digest(request: Request) -> str:
    return hashlib.sha256(request.body).hexdigest()


def _same(one: str, other: str) -> bool:
    """Compare in a time that does not depend on where they differ. Nothing is the same as an empty secret."""
    return bool(other) and hmac.compare_digest(one.encode(), other.encode())
