"""Reads the grants file of the server. It is read again whenever it has changed, so that no restart is needed."""

from __future__ import annotations

import ipaddress
import stat
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from reconciler.desired.findings import Location
from reconciler.desired.positions import find_positions
from reconciler.desired.suggestions import Suggester
from reconciler.desired.wording import problems_of
from reconciler.desired.yaml_reader import MOST_BYTES, read_yaml
from reconciler.grants.credentials import is_within
from reconciler.grants.manifests import ChannelGrantManifest, GrantsManifest, WinRMGrantManifest
from reconciler.grants.model import NO_GRANTS, ChannelGrant, Grants, Transport, WinRMGrant
from reconciler.kernel.errors import ReconcilerError

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_FILES = ("password", "certificate", "key", "authority", "address")
_Stamp = tuple[int, int, int]


class GrantsUnusable(ReconcilerError):
    """The grants file is missing, unsafe or wrong. Until it is corrected, nothing is granted."""

    reference = "grants-unusable"


def load_grants(file: str, data: Path) -> Grants:
    """Return the grants of the server; none where the settings name no file.

    Args:
        file: the path of the grants file; empty for none.
        data: the data folder of the installation, which no grant may name a file of.

    Raises:
        GrantsUnusable: the file cannot be read, others than its owner can write to it, or it is not valid.
    """
    if not file:
        return NO_GRANTS
    path = Path(file)
    try:
        found = path.stat()
    except OSError as error:
        hint = "correct RECONCILER_GRANTS, or create the file"
        raise GrantsUnusable(
            f"cannot read the grants file: {error.strerror}", where=str(path), hint=hint
        ) from error
    if found.st_mode & _OTHERS_WRITE:
        hint = f"run: chmod go-w {path}"
        raise GrantsUnusable("other accounts can write to the grants file", where=str(path), hint=hint)
    return _read(path, data, (found.st_mtime_ns, found.st_size, found.st_ino))


@lru_cache(maxsize=8)
def _read(path: Path, data: Path, _stamp: _Stamp) -> Grants:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise GrantsUnusable(f"cannot read the grants file: {error.strerror}", where=str(path)) from error
    parsed, faults = read_yaml(content)
    for fault in faults:
        where = f"{path}:{fault.line}:{fault.column}"
        raise GrantsUnusable(fault.message, where=where, hint=fault.hint or None)
    try:
        manifest = GrantsManifest.model_validate({} if parsed is None else parsed)
    except ValidationError as error:
        problem = problems_of(str(path), error, GrantsManifest, Suggester())[0]
        where = _place(path, content, problem.location, on_key=problem.on_key)
        # Without its cause: that repeats the value, which may be a password.
        raise GrantsUnusable(problem.message, where=where, hint=problem.hint or None) from None
    _keep_out_of(data, path, content, manifest)
    return Grants(
        str(path),
        {name: _winrm(name, item) for name, item in manifest.winrm.items()},
        {name: _channel(name, item) for name, item in manifest.notifications.items()},
        tuple(map(ipaddress.ip_network, manifest.sources.networks)),
    )


def _keep_out_of(data: Path, path: Path, content: bytes, manifest: GrantsManifest) -> None:
    """Refuse a grant of a file in the data folder: the server's own keys are nobody's password."""
    for section in ("winrm", "notifications"):
        for name, grant in getattr(manifest, section).items():
            for key in _FILES:
                reference = getattr(grant, key, None) or ""
                if reference.startswith("file:") and is_within(Path(reference.removeprefix("file:")), data):
                    raise GrantsUnusable(
                        f"{section}.{name}.{key} names a file in the data folder of the server",
                        where=_place(path, content, (section, name, key), on_key=False),
                        hint=f"keep the secret outside of {data}, such as in /etc/reconciler",
                    )


def _place(path: Path, content: bytes, location: Location, *, on_key: bool) -> str:
    line, column = find_positions(content).find(location, on_key=on_key)
    return f"{path}:{line}:{column}"


def _winrm(name: str, manifest: WinRMGrantManifest) -> WinRMGrant:
    return WinRMGrant(
        name,
        tuple(manifest.environments),
        tuple(map(ipaddress.ip_network, manifest.networks)),
        tuple(manifest.names),
        Transport(manifest.transport),
        manifest.user or "",
        manifest.password or "",
        manifest.certificate or "",
        manifest.key or "",
        manifest.authority or "",
    )


def _channel(name: str, manifest: ChannelGrantManifest) -> ChannelGrant:
    return ChannelGrant(name, tuple(manifest.environments), manifest.address, tuple(manifest.authors))
