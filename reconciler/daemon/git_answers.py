"""Words answers to a push in git's own protocol, so that git shows them to the person who pushed."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.daemon.git_requests import packet
from reconciler.store.pushes import RefUpdate

_PROGRESS, _REPORT = b"\x02", b"\x01"
_FLUSH = b"0000"
_LONGEST_LINE = 900


def refusal(capabilities: frozenset[str], updates: Sequence[RefUpdate], words: str) -> bytes:
    """Return the answer that refuses all of a push (gitprotocol-pack(5), report-status).

    Args:
        capabilities: what the client's first line says that it understands.
        updates: what it wanted to move.
        words: why not, one line.
    """
    line = " ".join(words.split())[:_LONGEST_LINE]
    report = packet(f"unpack {line}\n".encode())
    report += b"".join(packet(f"ng {update.ref} {line[:200]}\n".encode()) for update in updates) + _FLUSH
    if not capabilities & {"report-status", "report-status-v2"}:
        return b""
    if "side-band-64k" not in capabilities:
        return report
    told = packet(_PROGRESS + f"{line}\n".encode())
    pieces = [report[start : start + 60_000] for start in range(0, len(report), 60_000)]
    return told + b"".join(packet(_REPORT + piece) for piece in pieces) + _FLUSH
