"""What an exit code of Windows Installer means for the next move.

Source: learn.microsoft.com/windows/win32/msi/error-codes
"""

from __future__ import annotations

from enum import StrEnum

from reconciler.kernel.releases import ProgramRelease
from reconciler.kernel.steps import Action, Verb


class ExitClass(StrEnum):
    """What to do about an exit code."""

    SUCCESS = "success"
    SUCCESS_REBOOT_NEEDED = "successRebootNeeded"
    SUSPENDED = "suspended"
    WAIT = "wait"
    FETCH_AGAIN = "fetchAgain"
    SOURCE_REPAIR = "sourceRepair"
    PLAN_AGAIN = "planAgain"
    PERMANENT = "permanent"
    OUR_FAULT = "ourFault"
    FAILED = "failed"


_CLASSES: dict[ExitClass, tuple[int, ...]] = {
    ExitClass.SUCCESS: (0,),
    ExitClass.SUCCESS_REBOOT_NEEDED: (3010, 1641),
    ExitClass.SUSPENDED: (1604,),
    ExitClass.WAIT: (1618, 1601, 1631, 1652, 112, 1632),
    ExitClass.FETCH_AGAIN: (1619, 1620, 1635, 1636),
    ExitClass.SOURCE_REPAIR: (1612, 1706, 1714),
    ExitClass.PLAN_AGAIN: (1638, 1605, 1642, 1647, 1648),
    ExitClass.PERMANENT: (1613, 1623, 1625, 1633, 1637, 1640, 1643, 1644, 1645, 1646, 1649, 1654),
    ExitClass.OUR_FAULT: (87, 1622, 1624, 1639),
}
_CLASS_OF = {code: exit_class for exit_class, codes in _CLASSES.items() for code in codes}
_ALREADY_GONE = frozenset({1605, 1614})
_ANOTHER_INSTALL = 1618
_OF_WINDOWS_INSTALLER = frozenset({Verb.INSTALL, Verb.REINSTALL, Verb.REMOVE, Verb.PATCH, Verb.UNPATCH})


def normalise_exit_code(code: int) -> int:
    """Return ``code`` as a signed 32-bit number: some callers hand it over unsigned."""
    code &= 0xFFFFFFFF
    return code - 0x1_0000_0000 if code & 0x8000_0000 else code


def classify(action: Action, exit_code: int) -> ExitClass:
    """Return what ``exit_code`` means after a run of ``action``.

    Removing a product that is not there (1605, 1614) is a success. A program's own installer says what its codes
    mean, but those by which Windows Installer asks to wait mean it everywhere, since many installers wrap an MSI.
    A command returns 0 or has failed.
    """
    code = normalise_exit_code(exit_code)
    if isinstance(action.release, ProgramRelease):
        return _classify_program(action.release, code)
    if action.verb not in _OF_WINDOWS_INSTALLER:
        return ExitClass.SUCCESS if code == 0 else ExitClass.FAILED
    return classify_msi(action.verb, code)


def classify_msi(verb: Verb, exit_code: int) -> ExitClass:
    """Return what ``exit_code`` means after Windows Installer was asked to do ``verb``."""
    code = normalise_exit_code(exit_code)
    if verb is Verb.REMOVE and code in _ALREADY_GONE:
        return ExitClass.SUCCESS
    return _CLASS_OF.get(code, ExitClass.FAILED)


def _classify_program(release: ProgramRelease, code: int) -> ExitClass:
    if code in release.success_codes:
        return ExitClass.SUCCESS
    if code in release.reboot_codes:
        return ExitClass.SUCCESS_REBOOT_NEEDED
    return ExitClass.WAIT if code == _ANOTHER_INSTALL else ExitClass.FAILED
