"""What the agent's installer asks of it: writes the settings, removes the data. Installs nothing.

The installer hands over properties; the MSI brings `site.json` beside the agent's code, with the settings and the
authority of the server that it was built for. Whatever a person has set on the host stays.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.agent.durable import write_atomically
from reconciler.agent.settings import SETTINGS_NAME, InvalidSettings, load_settings, read_settings_file

LOGS = "logs"
"""The folder that outlives an uninstall."""

CA_NAME = "ca.pem"

_SITE_NAME = "site.json"
_PROPERTIES = {"SERVER": "server", "HOST": "host", "PROXY": "proxy", "TOKEN": "token"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SiteDefaults:
    """What an MSI brings: settings of ``agent.json``, and the PEM text of the authorities trusted, or ``None``."""

    settings: Mapping[str, Any]
    ca: str | None = None


def read_site(path: Path) -> SiteDefaults:
    """Read what the MSI brought; nothing where it brought nothing.

    Raises:
        InvalidSettings: the file is damaged.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        return SiteDefaults(dict(content["settings"]), content["ca"])
    except FileNotFoundError:
        return SiteDefaults({})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidSettings(f"the settings of the MSI cannot be read: {error!r}", where=str(path)) from error


def write_site(path: Path, site: SiteDefaults) -> None:
    """Write what an MSI is to bring, for `read_site`."""
    write_atomically(path, json.dumps({"settings": dict(site.settings), "ca": site.ca}, indent=2) + "\n")


def parse_properties(words: list[str]) -> dict[str, str]:
    """Return the settings that the installer's properties stand for; an empty property says nothing.

    Args:
        words: ``NAME=value`` each.

    Raises:
        InvalidSettings: a word is no property that the agent knows.
    """
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in _PROPERTIES:
            raise InvalidSettings(
                f"{name!r} is no property of the agent", hint=f"known are {', '.join(_PROPERTIES)}"
            )
        if value.strip():
            given[_PROPERTIES[name]] = value.strip()
    return given


def configure(data: Path, site: SiteDefaults, given: Mapping[str, str], computer: str) -> None:
    """Write ``agent.json`` and the authority's file, so that the agent can start.

    What was given at this install goes first, then what stands in ``agent.json``, then what the MSI brings. A
    setting that an earlier MSI brought is replaced by what this one brings, so that a server can move.

    Args:
        data: the agent's data folder, which exists and is protected.
        site: what the MSI brings.
        given: settings given at this install.
        computer: this computer's name, for where no host is named.

    Raises:
        InvalidSettings: the settings that come out of it cannot be used; the former ones stay.
        OSError: the data folder cannot be written.
    """
    path, noted = data / SETTINGS_NAME, data / _SITE_NAME
    found = read_settings_file(path) if path.exists() else {}
    before = read_site(noted)
    kept = {name: value for name, value in found.items() if name not in before.settings
            or before.settings[name] != value}  # fmt: skip
    if site.ca is not None:
        write_atomically(data / CA_NAME, site.ca)
    settings = {
        "host": computer,
        **site.settings,
        **({"ca": CA_NAME} if site.ca is not None else {}),
        **kept,
        **given,
    }
    write_atomically(path, json.dumps(settings, indent=2) + "\n")
    try:
        load_settings(data)
    except InvalidSettings:
        if found:
            write_atomically(path, json.dumps(found, indent=2) + "\n")
        else:
            path.unlink()
        raise
    write_site(noted, site)


def remove_data(data: Path) -> None:
    """Delete all that the agent has kept on this host but its logs; what cannot be deleted is told in the log."""
    for entry in sorted(data.iterdir()) if data.is_dir() else ():
        if entry.name == LOGS:
            continue
        try:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        except OSError as error:
            _log.warning("%s could not be deleted: %s", entry, error)
