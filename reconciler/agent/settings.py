"""The agent's settings, ``agent.json`` in its data folder. Reads and checks them; forgets a used token."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reconciler.agent.durable import write_atomically
from reconciler.kernel.errors import ReconcilerError

SETTINGS_NAME = "agent.json"

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?")
_KNOWN = {"server", "host", "token", "ca", "pollSeconds"}
_LOOPBACK = {"localhost", "::1"}


class InvalidSettings(ReconcilerError):
    """Settings with which the agent cannot start."""

    reference = "invalid-agent-settings"


@dataclass(frozen=True, slots=True)
class Settings:
    """What an agent must be told.

    ``server`` is the server's address. ``token`` is the one-time enrolment token, ``None`` once it was used.
    ``ca`` is a PEM file with the only authorities that are trusted; ``None`` trusts the system's.
    ``poll_seconds`` lie between two check-ins.
    """

    server: str
    host: str
    token: str | None = None
    ca: Path | None = None
    poll_seconds: float = 60.0


def load_settings(data: Path) -> Settings:
    """Read the settings from the data folder.

    Raises:
        InvalidSettings: the file is missing, is not JSON, or says something that cannot be used.
    """
    path = data / SETTINGS_NAME
    content = _read(path)
    if unknown := sorted(set(content) - _KNOWN):
        raise InvalidSettings(
            f"unknown setting {', '.join(unknown)}", where=str(path), hint="known are " + ", ".join(sorted(_KNOWN))
        )
    server = _text(path, content, "server")
    host = _text(path, content, "host")
    if server is None or host is None:
        missing = "server" if server is None else "host"
        raise InvalidSettings(f"{missing!r} is missing", where=str(path), hint="the server made a file with it in")
    if _HOST_NAME.fullmatch(host) is None:
        raise InvalidSettings(f"{host!r} is not a host name", where=str(path), hint="use the computer's name")
    _check_address(path, server)
    ca = _text(path, content, "ca")
    ca_path = (data / ca) if ca else None
    if ca_path is not None and not ca_path.is_file():
        raise InvalidSettings(f"there is no file {ca_path}", where=str(path), hint="'ca' names a PEM file")
    poll = content.get("pollSeconds", 60)
    if isinstance(poll, bool) or not isinstance(poll, int | float) or not 0.05 <= poll <= 86400:
        raise InvalidSettings("'pollSeconds' is not a number from 0.05 to 86400", where=str(path))
    return Settings(
        server.rstrip("/"),
        host,
        _text(path, content, "token"),
        ca_path,
        float(poll),
    )


def forget_token(data: Path) -> None:
    """Take the enrolment token out of the settings: it was used, and a secret that is no use is a risk only."""
    path = data / SETTINGS_NAME
    content = _read(path)
    if content.pop("token", None) is not None:
        write_atomically(path, json.dumps(content, indent=2) + "\n")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise InvalidSettings(
            "there are no settings", where=str(path), hint="write server, host and token into it"
        ) from error
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"the settings cannot be read: {error}", where=str(path)) from error
    if not isinstance(content, dict):
        raise InvalidSettings("the settings are not a JSON object", where=str(path))
    return content


def _text(path: Path, content: dict[str, Any], name: str) -> str | None:
    value = content.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise InvalidSettings(f"{name!r} is not a text", where=str(path))
    return value


def _check_address(path: Path, server: str) -> None:
    try:
        parts = urlsplit(server)
        port = parts.port
    except ValueError as error:
        raise InvalidSettings(f"{server!r} is not an address: {error}", where=str(path)) from error
    hint = "write it as https://name:port"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.query or parts.fragment:
        raise InvalidSettings(f"{server!r} is not an address", where=str(path), hint=hint)
    if parts.scheme == "http" and not (parts.hostname in _LOOPBACK or parts.hostname.startswith("127.")):
        raise InvalidSettings(f"{server!r} would send the host's key in clear text", where=str(path), hint=hint)
