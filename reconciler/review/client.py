"""Talks to a server that holds its repository: HTTPS, with name and password of an account."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.kernel.errors import ReconcilerError

TIMEOUT_SECONDS = 120.0
"""Seconds without a byte after which the server counts as away; planning a large fleet takes a while."""


class ServerUnreachable(ReconcilerError):
    """The server cannot be spoken to."""

    reference = "server-unreachable"


class ServerRefused(ReconcilerError):
    """The server does not do what it was asked for."""

    reference = "server-refused"


@dataclass(frozen=True, slots=True)
class Server:
    """How to reach the server, and as whom. Without ``ca`` the system's authorities are trusted."""

    url: str
    ca: Path | None
    user: str
    password: str

    def get(self, path: str, query: dict[str, str] | None = None) -> Any:
        """Return what the server has there.

        Raises:
            ServerUnreachable: it cannot be spoken to.
            ServerRefused: it says no.
        """
        return self._ask("GET", path, query, None)

    def post(self, path: str, content: dict[str, Any]) -> Any:
        """Have the server do something, and return what it answers.

        Raises:
            ServerUnreachable: it cannot be spoken to.
            ServerRefused: it says no.
        """
        return self._ask("POST", path, None, content)

    def _ask(self, method: str, path: str, query: dict[str, str] | None, content: dict[str, Any] | None) -> Any:
        import httpx2

        if not self.url.startswith("https://"):
            hint = "passwords go by https only"
            raise ServerUnreachable("the address does not begin with https://", where=self.url, hint=hint)
        try:
            trust = ssl.create_default_context(cafile=str(self.ca) if self.ca is not None else None)
        except (OSError, ssl.SSLError) as error:
            hint = "the server has it as tls/ca.pem in its data folder"
            raise ServerUnreachable(
                f"the authorities cannot be read: {error}", where=str(self.ca), hint=hint
            ) from error
        try:
            with httpx2.Client(verify=trust, timeout=TIMEOUT_SECONDS, auth=(self.user, self.password)) as client:
                answer = client.request(method, self.url.rstrip("/") + path, params=query, json=content)
                document = answer.json() if answer.content else None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            hint = "check --server, and --ca with the server's tls/ca.pem; or that the daemon runs"
            raise ServerUnreachable(f"the server cannot be reached: {error}", where=self.url, hint=hint) from error
        except ValueError as error:
            hint = "check that --server is the address of a Reconciler that holds its repository"
            raise ServerUnreachable("the answer is not one of ours", where=self.url, hint=hint) from error
        if answer.is_success:
            return document
        told = document.get("error") if isinstance(document, dict) else None
        if isinstance(told, dict):
            raise ServerRefused(str(told.get("what")), where=told.get("where"), hint=told.get("hint"))
        hint = "is it a daemon with --host-repository?"
        raise ServerRefused(f"the server answered {answer.status_code}", where=self.url + path, hint=hint)
