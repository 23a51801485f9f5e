r"""Asks a host what there is, in one command, and understands the answer. Pure: runs nothing.

Products come from what Windows Installer itself keeps (``Installer\UserData``), by the account that they are for,
since an Uninstall entry under HKLM does not prove an install for the machine. Package codes and families stand
under packed GUIDs. Everything is read with `reg`, in the 64-bit view, which for these keys is the only one.

What is not in an answer must not be taken for not being there, so what is registered is held against what is
installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from reconciler.agent.machine import Look
from reconciler.hosts.winrm.numbers import whole_number
from reconciler.hosts.winrm.reg_query import KEY, all_found, incomplete, query, values_in
from reconciler.kernel.identity import InvalidIdentity, unpack_guid
from reconciler.kernel.observation import Context, InstalledPatch, InstalledProduct, PatchState, ProductState

MACHINE = "S-1-5-18"
"""The account under which stands what is installed for the machine."""

_CURRENT = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion"
_USER_DATA = rf"{_CURRENT}\Installer\UserData"
_REGISTERED = r"HKLM\SOFTWARE\Classes\Installer"
_VALUES = ("DisplayVersion", "State")
_OF_NAMES = ("DisplayName",)
_OF_PATCHES = ("Uninstallable",)
_SIGNALS = (
    (rf"{_CURRENT}\Component Based Servicing", "RebootPending", "Windows servicing (CBS)"),
    (rf"{_CURRENT}\WindowsUpdate\Auto Update", "RebootRequired", "Windows Update"),
)
"""A key, the key below it that exists while a reboot is asked for, and who asks, in the words of the agent."""

_SESSION_MANAGER = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager"
_UPDATE_EXE = "an update installer (UpdateExeVolatile)"
_BOOT_QUERY = "*[System[Provider[@Name='Microsoft-Windows-Kernel-General'] and EventID=12]]"
_PATCH_STATES = {"0x1": PatchState.APPLIED, "0x2": PatchState.SUPERSEDED, "0x4": PatchState.OBSOLETED}

_NOTHING = "ver >nul"
_MARK = "==="
_ACCOUNTS, _VALUE_OF, _CODES, _FAMILIES, _REBOOTS = "accounts", "value", "codes", "families", "reboots"
_RENAME_VALUES = ("PendingFileRenameOperations", "PendingFileRenameOperations2")
_UPDATES, _RENAMES, _SYSTEM, _ROOM, _BOOT, _END = "updates", "renames", "system", "room", "boot", "end"
_ONCE = (_ACCOUNTS, _VALUE_OF, _CODES, _FAMILIES, _REBOOTS, _UPDATES, _RENAMES, _SYSTEM, _ROOM, _BOOT, _END)

_SID = re.compile(r"S-[0-9]+(?:-[0-9]+)+")
_INSTALLED = re.compile(
    r".*\\UserData\\(?P<sid>S-[0-9-]+)\\Products\\(?P<packed>[0-9A-Fa-f]{32})\\InstallProperties"
)
_PATCHED = re.compile(
    r".*\\UserData\\S-1-5-18\\Products\\(?P<packed>[0-9A-Fa-f]{32})\\Patches\\(?P<patch>[0-9A-Fa-f]{32})"
)
_STARTED = re.compile(r"SystemTime=['\"](?P<time>[0-9T:.-]+)Z['\"]")


@dataclass(frozen=True, slots=True)
class Inventory:
    """What an answer says. ``accounts`` are all that anything is installed for, asked for or not."""

    look: Look
    accounts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Scope:
    """What an inventory asks for besides what all do: each question takes the host its time.

    ``accounts`` are the SIDs of the accounts whose products are asked for. ``names`` asks how products are called
    and which family each belongs to, ``patches`` which patches can be taken off again, ``boot`` when Windows was
    started.
    """

    accounts: frozenset[str] = frozenset({MACHINE})
    names: bool = True
    patches: bool = True
    boot: bool = True


EVERYTHING = Scope()
"""What is asked of a host of which nothing is known."""


def inventory_command(scope: Scope = EVERYTHING) -> str:
    """Return the command that asks for all of a scope. It changes nothing and may be run again at any time."""
    products = [
        (_VALUE_OF, query(rf'"{_USER_DATA}\{account}\Products"', f"/s /v {name}"))
        for account in sorted(scope.accounts)
        for name in (*(_OF_NAMES if scope.names else ()), *_VALUES, *(_OF_PATCHES if scope.patches else ()))
    ]
    families = query(rf"{_CURRENT}\Installer\UpgradeCodes", "/s") if scope.names else _NOTHING
    booted = f'wevtutil qe System "/q:{_BOOT_QUERY}" /c:1 /rd:true /f:xml 2>nul' if scope.boot else _NOTHING
    reboots = (query(f'"{key}"') for key, _, _ in _SIGNALS)
    parts = (
        (_ACCOUNTS, query(_USER_DATA)),
        *products,
        (_CODES, query(rf"{_REGISTERED}\Products", "/s /v PackageCode")),
        (_FAMILIES, families),
        (_REBOOTS, " & ".join(reboots)),
        (_UPDATES, query(r"HKLM\SOFTWARE\Microsoft\Updates", "/v UpdateExeVolatile")),
        # All the values of the key, which are few: `reg` takes longer to begin than to read them.
        (_RENAMES, query(f'"{_SESSION_MANAGER}"')),
        (_ROOM, "dir /-c %SystemDrive%\\"),
        (_SYSTEM, "ver & echo %PROCESSOR_ARCHITECTURE%"),
        (_BOOT, booted),
    )
    told = [f"echo {_MARK}{name}& {command}" for name, command in parts]
    return " & ".join([*told, f"echo {_MARK}{_END}"])


def read_inventory(answer: str, host: str, scope: Scope = EVERYTHING) -> Inventory:
    """Understand what a host answered. Nothing about it is trusted; lines that mean nothing are passed over.

    Args:
        answer: what the command wrote.
        host: the host's name, for messages.
        scope: what was asked. Without its ``names``, products have neither name nor upgrade code.

    Raises:
        InventoryIncomplete: a part is missing.
    """
    sections = _sections(answer)
    if any(name not in dict(sections) for name in _ONCE):
        raise incomplete(host)
    values = [value for name, lines in sections if name == _VALUE_OF for value in all_found(lines, host)]
    codes = {
        key.rpartition("\\")[2].upper(): _unpacked(data)
        for name, lines in sections
        if name == _CODES
        for key, value, data in all_found(lines, host)
        if value == "PackageCode"
    }
    products = _products(values, codes, _families(sections))
    # A key that is there and empty makes `reg` say nothing; with products, neither of these is.
    never_empty = (_ACCOUNTS, _FAMILIES) if scope.names else (_ACCOUNTS,)
    unsaid = any(not any(lines) for name, lines in sections if name in never_empty)
    if unsaid if products else codes:
        raise incomplete(host)
    lines_of = {name: lines for name, lines in sections if name != _VALUE_OF}
    look = Look(
        products=products,
        reboot_pending=_signals(lines_of[_REBOOTS], lines_of[_UPDATES]),
        booted_at=_booted_at(lines_of[_BOOT]),
        system=_system(lines_of[_SYSTEM]),
        patches=_patches(values),
        pending_renames=_renames(lines_of[_RENAMES]),
        free_bytes=_free_bytes(lines_of[_ROOM]),
    )
    accounts = {line.rpartition("\\")[2] for line in lines_of[_ACCOUNTS] if KEY.fullmatch(line)}
    return Inventory(look, frozenset(account for account in accounts if _SID.fullmatch(account)))


def _sections(answer: str) -> list[tuple[str, list[str]]]:
    """Return the name and the lines of each section, in order."""
    sections: list[tuple[str, list[str]]] = []
    for line in answer.splitlines():
        if line.startswith(_MARK):
            sections.append((line.removeprefix(_MARK).strip(), []))
        elif sections:
            sections[-1][1].append(line.rstrip())
    return sections


def _families(sections: list[tuple[str, list[str]]]) -> dict[str, str | None]:
    """Return the upgrade code of each packed product code; of two that name one, the first counts."""
    families: dict[str, str | None] = {}
    for section, lines in sections:
        if section == _FAMILIES:
            for key, name, _ in values_in(lines):
                families.setdefault(name.upper(), _unpacked(key.rpartition("\\")[2]))
    return families


def _products(
    found: list[tuple[str, str, str]], codes: dict[str, str | None], families: dict[str, str | None]
) -> tuple[InstalledProduct, ...]:
    by_product: dict[tuple[str, str], dict[str, str]] = {}
    for key, name, data in found:
        if match := _INSTALLED.fullmatch(key):
            by_product.setdefault((match["sid"], match["packed"].upper()), {})[name] = data
    products = []
    for (sid, packed), values in by_product.items():
        code = _unpacked(packed)
        if code is None or "DisplayVersion" not in values:
            continue
        machine = sid == MACHINE
        products.append(
            InstalledProduct(
                product_code=code,
                version=values["DisplayVersion"],
                name=values.get("DisplayName", ""),
                package_code=codes.get(packed) if machine else None,
                upgrade_code=families.get(packed),
                context=Context.MACHINE if machine else Context.USER,
                state=ProductState.INSTALLED,
            )
        )
    return tuple(products)


def _patches(found: list[tuple[str, str, str]]) -> tuple[InstalledPatch, ...]:
    by_patch: dict[tuple[str, str], dict[str, str]] = {}
    for key, name, data in found:
        if match := _PATCHED.fullmatch(key):
            by_patch.setdefault((match["packed"], match["patch"]), {})[name] = data
    patches = []
    for (packed, packed_patch), values in by_patch.items():
        product, patch = _unpacked(packed), _unpacked(packed_patch)
        state = _PATCH_STATES.get(values.get("State", ""))
        if product is not None and patch is not None and state is not None:
            patches.append(InstalledPatch(patch, product, state, values.get("Uninstallable", "0x1") != "0x0"))
    return tuple(patches)


def _signals(reboots: list[str], updates: list[str]) -> tuple[str, ...]:
    below = {line.rpartition("\\")[2] for line in reboots if KEY.fullmatch(line)}
    signals = [asker for _, name, asker in _SIGNALS if name in below]
    volatile = {name: data for _, name, data in values_in(updates)}.get("UpdateExeVolatile", "0x0")
    return (*signals, _UPDATE_EXE) if volatile not in ("0x0", "") else tuple(signals)


def _renames(lines: list[str]) -> tuple[str, ...]:
    r"""Return the files that the next boot replaces. `reg` writes ``\0`` between texts."""
    listed = [data.split(r"\0") for _, name, data in values_in(lines) if name in _RENAME_VALUES]
    targets = {path for pairs in listed for path in pairs[1::2] if path}
    return tuple(sorted(path.removeprefix("!").removeprefix("\\??\\") for path in targets))


def _free_bytes(lines: list[str]) -> int | None:
    """Return what is free on the system's drive: the last number of the last line, in whatever language."""
    last = next((line for line in reversed(lines) if line.strip()), "")
    numbers = re.findall(r"[0-9][0-9.,]*", last)
    return whole_number(re.sub("[.,]", "", numbers[-1])) if numbers else None


def _unpacked(text: str) -> str | None:
    try:
        return unpack_guid(text)
    except InvalidIdentity:
        return None


def _booted_at(lines: list[str]) -> int:
    """Return when the kernel last started, by its own event; 0 where the log was emptied since."""
    match = _STARTED.search(" ".join(lines))
    if match is None:
        return 0
    try:
        # Windows writes seven to nine digits after the point, Python reads six.
        return max(0, int(datetime.fromisoformat(f"{match['time'][:26]}+00:00").timestamp()))
    except (ValueError, OverflowError):
        return 0


def _system(lines: list[str]) -> str:
    text = " ".join(lines)
    version = re.search(r"[0-9]+\.[0-9]+\.[0-9]+", text)
    architecture = lines[-1].strip() if lines else ""
    return f"Windows {version[0] if version else '?'} {architecture}"
