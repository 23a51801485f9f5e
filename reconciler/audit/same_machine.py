"""Says whether a witness is this machine: then whoever rewrites the database can rewrite the witness too."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path

from reconciler.kernel.resolving import resolve

_SHARED = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "glusterfs", "lustre"}
    | {"nfs", "nfs4", "smb2", "smb3", "smbfs", "virtiofs"}
)
"""Types of file systems that are kept by another machine, as /proc/self/mountinfo names them."""

_MOUNTS = Path("/proc/self/mountinfo")


def why_folder_is_here(folder: Path, data: Path) -> str:
    """Return why a folder is kept by this machine; empty where it is on a share that another machine serves.

    Args:
        folder: an existing folder.
        data: the data folder.

    Raises:
        OSError: one of them cannot be looked at.
    """
    if folder.stat().st_dev == data.stat().st_dev:
        return "it is on the same file system as the data folder"
    kind = _kind_of(folder.stat().st_dev)
    return "" if kind in _SHARED else f"it is on a file system of this machine ({kind or 'of unknown type'})"


def _kind_of(device: int) -> str:
    """Return the type of the file system with a device number. Source: proc_pid_mountinfo(5)."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = _MOUNTS.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        fields, _, rest = line.partition(" - ")
        if fields.split()[2:3] == [wanted]:
            return rest.split()[0] if rest.split() else ""
    return ""


def why_host_is_here(host: str) -> str:
    """Return why a host is this machine; empty where it is another, or where its name is not known now.

    Args:
        host: its name or address.
    """
    try:
        found = resolve(host)
    except (OSError, UnicodeError):
        return ""
    here = any(_is_ours(address) for address in found)
    return f"{host} is this machine" if here else ""


def _is_ours(address: str) -> bool:
    """Return whether an address is one of this machine: only to those may a socket be bound."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if found.is_loopback:
        return True
    family = socket.AF_INET6 if found.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
