"""A stand-in for netstat.exe on lab hosts, whose Wine has one that lists no listeners: TCP, in numbers.

It knows -a, -n, -o and -p TCP or TCPv6. The sockets are those of the machine that the lab host is on.

Source: learn.microsoft.com/windows-server/administration/windows-commands/netstat;
learn.microsoft.com/windows/win32/api/iphlpapi/nf-iphlpapi-getextendedtcptable
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

_OWNER_PID_ALL = 5
_MORE_ROOM = 122
_STATES = (
    *("CLOSED", "LISTENING", "SYN_SENT", "SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2"),
    *("CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT", "DELETE_TCB"),
)
_LISTENING = 2


@dataclass(frozen=True, slots=True)
class _Family:
    """``number`` is Windows' own; ``row`` unpacks a MIB_TCPROW_OWNER_PID or MIB_TCP6ROW_OWNER_PID."""

    number: int
    python: socket.AddressFamily
    row: struct.Struct


class _Connection(NamedTuple):
    local: str
    foreign: str
    state: int
    pid: int


_FAMILIES = {
    "TCP": _Family(2, socket.AF_INET, struct.Struct("<I4sI4sII")),
    "TCPV6": _Family(23, socket.AF_INET6, struct.Struct("<16sII16sIIII")),
}


def main(words: list[str]) -> int:
    """Do as netstat does and return its exit code."""
    asked, protocols = _options(words)
    if "n" not in asked or not set(asked) <= set("ano") or not protocols:
        print("this stand-in of the lab for netstat knows -a, -n (which it needs), -o and -p TCP or TCPv6.")
        return 1
    owner = "           PID" if "o" in asked else ""
    print(f"\nActive Connections\n\n  Proto  Local Address          Foreign Address        State{owner}")
    for protocol in protocols:
        for found in _connections(_FAMILIES[protocol]):
            if found.state != _LISTENING or "a" in asked:
                line = f"  {'TCP':<5}  {found.local:<21}  {found.foreign:<21}  {_STATES[found.state - 1]}"
                print(f"{line:<71} {found.pid}" if owner else line)
    return 0


def _options(words: list[str]) -> tuple[str, list[str]]:
    """Return the letters, and the protocols that are asked for; none where one of them is not known."""
    letters, protocols = "", list(_FAMILIES)
    rest = iter(words)
    for word in rest:
        if word.lower() in ("-p", "/p"):
            named = next(rest, "").upper()
            protocols = [named] if named in _FAMILIES else []
        else:
            letters += word.lower()[1:] if word[:1] in ("-", "/") else "?"
    return letters, protocols


def _connections(family: _Family) -> Iterator[_Connection]:
    table = _table(family.number)
    (count,) = struct.unpack_from("<I", table)
    for i in range(count):
        fields = family.row.unpack_from(table, 4 + i * family.row.size)
        if family.python is socket.AF_INET:
            state, local, local_port, foreign, foreign_port, pid = fields
        else:
            local, _, local_port, foreign, _, foreign_port, state, pid = fields
        ends = (_address(family, local, local_port), _address(family, foreign, foreign_port))
        # A listener's other end is nowhere, whatever stands in its fields.
        nowhere = _address(family, bytes(len(local)), 0)
        yield _Connection(ends[0], nowhere if state == _LISTENING else ends[1], state, pid)


def _address(family: _Family, address: bytes, port: int) -> str:
    shown = socket.inet_ntop(family.python, address)
    return f"{shown if family.python is socket.AF_INET else f'[{shown}]'}:{socket.ntohs(port & 0xFFFF)}"


def _table(family: int) -> bytes:
    if sys.platform == "win32":
        size, room = ctypes.c_uint32(), ctypes.create_string_buffer(0)
        ask = ctypes.WinDLL("iphlpapi").GetExtendedTcpTable
        # It may grow while it is asked for.
        while (code := ask(room, ctypes.byref(size), True, family, _OWNER_PID_ALL, 0)) == _MORE_ROOM:
            room = ctypes.create_string_buffer(size.value)
        if code:
            raise ctypes.WinError(code)
        return room.raw.ljust(4, b"\0")
    raise OSError("netstat is a thing of Windows")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
