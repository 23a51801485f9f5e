"""The agent's settings, ``agent.json`` in its data folder. Reads and checks them; forgets a used token."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from reconciler.agent.download_window import DownloadWindow, parse_window
from reconciler.agent.durable import write_atomically
from reconciler.kernel.errors import ReconcilerError

SETTINGS_NAME = "agent.json"

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?")
_NO_PROXY = re.compile(r"\*|\.?[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?")
_LOOPBACK = {"localhost", "::1"}
_KNOWN = {
    *("server", "host", "token", "ca", "pollSeconds"),
    *("proxy", "noProxy", "bandwidthKilobytesPerSecond", "downloadWindow", "cacheMegabytes"),
}


class InvalidSettings(ReconcilerError):
    """Settings with which the agent cannot start."""

    reference = "invalid-agent-settings"


@dataclass(frozen=True, slots=True)
class Settings:
    """What an agent must be told.

    ``server`` is the server's address. ``token`` is the one-time enrolment token, ``None`` once it was used.
    ``ca`` is a PEM file with the only authorities that are trusted; ``None`` trusts the system's.
    ``poll_seconds`` lie between two check-ins. ``proxy`` is the address of an HTTP proxy, or ``None``.
    ``bytes_per_second`` bounds the fetching of files and ``cache_bytes`` what is kept of them; ``None`` bounds
    neither. Files are fetched within ``download_window`` only.
    """

    server: str
    host: str
    token: str | None = None
    ca: Path | None = None
    poll_seconds: float = 60.0
    proxy: str | None = None
    bytes_per_second: int | None = None
    download_window: DownloadWindow | None = None
    cache_bytes: int | None = None


def load_settings(data: Path) -> Settings:
    """Read the settings from the data folder.

    Raises:
        InvalidSettings: the file is missing, is not JSON, or says something that cannot be used.
    """
    path = data / SETTINGS_NAME
    content = read_settings_file(path)
    if unknown := sorted(set(content) - _KNOWN):
        raise InvalidSettings(
            f"unknown setting {', '.join(unknown)}", where=str(path), hint="known are " + ", ".join(sorted(_KNOWN))
        )
    return _Reader(path, content).settings(data)


def forget_token(data: Path) -> None:
    """Take the enrolment token out of the settings: it was used, and a secret that is no use is a risk only."""
    path = data / SETTINGS_NAME
    content = read_settings_file(path)
    if content.pop("token", None) is not None:
        write_atomically(path, json.dumps(content, indent=2) + "\n")


def read_settings_file(path: Path) -> dict[str, Any]:
    """Return the JSON object in the settings file, unchecked.

    Raises:
        InvalidSettings: there is none.
    """
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


class _Reader:
    """Reads the settings one by one; each method raises `InvalidSettings` for a value that cannot be used."""

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self._path = path
        self._content = content

    def settings(self, data: Path) -> Settings:
        poll = self._number("pollSeconds", 0.05, 86_400)
        rate = self._number("bandwidthKilobytesPerSecond", 1, 10_000_000)
        cache = self._number("cacheMegabytes", 1, 100_000_000)
        server, proxy = self._server(), self._proxy()
        if proxy is not None and self._goes_direct(urlsplit(server).hostname or ""):
            proxy = None
        return Settings(
            server=server,
            host=self._host(),
            token=self._text("token"),
            ca=self._ca(data),
            poll_seconds=60.0 if poll is None else float(poll),
            proxy=proxy,
            bytes_per_second=None if rate is None else int(rate * 1000),
            download_window=self._window(),
            cache_bytes=None if cache is None else int(cache * 1_000_000),
        )

    def _server(self) -> str:
        server = self._required("server")
        parts = self._address("server", server, "https://name:port")
        if parts.scheme == "http" and not (parts.hostname in _LOOPBACK or str(parts.hostname).startswith("127.")):
            raise self._refusal(
                f"{server!r} would send the host's key in clear text", "write it as https://name:port"
            )
        return server.rstrip("/")

    def _host(self) -> str:
        host = self._required("host")
        if _HOST_NAME.fullmatch(host) is None:
            raise self._refusal(f"{host!r} is not a host name", "use the computer's name")
        return host

    def _ca(self, data: Path) -> Path | None:
        ca = self._text("ca")
        if ca is not None and not (data / ca).is_file():
            raise self._refusal(f"there is no file {data / ca}", "'ca' names a PEM file")
        return data / ca if ca else None

    def _proxy(self) -> str | None:
        proxy = self._text("proxy")
        if proxy is None:
            return None
        parts = self._address("proxy", proxy, "http://name:port")
        if parts.scheme != "http" or parts.path not in ("", "/"):
            raise self._refusal(f"{proxy!r} is not the address of an HTTP proxy", "write it as http://name:port")
        return proxy

    def _goes_direct(self, server: str) -> bool:
        """Tell whether `noProxy` names the server: ``*``, a name, or a domain with all that is below it."""
        exceptions = self._content.get("noProxy", [])
        if not isinstance(exceptions, list) or not all(
            isinstance(name, str) and _NO_PROXY.fullmatch(name) for name in exceptions
        ):
            raise self._refusal("'noProxy' is not a list of host names", 'write it as ["example.com"]')
        server = server.lower()
        names = [name.lower().lstrip(".") for name in exceptions]
        return any(name in ("*", server) or server.endswith(f".{name}") for name in names)

    def _window(self) -> DownloadWindow | None:
        text = self._text("downloadWindow")
        if text is None:
            return None
        window = parse_window(text)
        if window is None:
            raise self._refusal(
                f"'downloadWindow' {text!r} is not a time of day to another", 'write it as "22:00-06:00"'
            )
        return window

    def _address(self, name: str, value: str, form: str) -> SplitResult:
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError as error:
            raise self._refusal(f"{name!r} {value!r} is not an address: {error}", f"write it as {form}") from error
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or port == 0
            or parts.query
            or parts.fragment
        ):
            raise self._refusal(f"{name!r} {value!r} is not an address", f"write it as {form}")
        return parts

    def _number(self, name: str, least: float, most: float) -> float | None:
        value = self._content.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self._refusal(f"{name!r} is not a number from {least:g} to {most:,}")
        return value

    def _required(self, name: str) -> str:
        value = self._text(name)
        if value is None:
            raise self._refusal(
                f"{name!r} is missing", "write it into the file, or install the agent again with it"
            )
        return value

    def _text(self, name: str) -> str | None:
        value = self._content.get(name)
        if value is not None and (not isinstance(value, str) or not value):
            raise self._refusal(f"{name!r} is not a text")
        return value

    def _refusal(self, what: str, hint: str | None = None) -> InvalidSettings:
        return InvalidSettings(what, where=str(self._path), hint=hint)
