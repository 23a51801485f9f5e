"""Which properties of Windows Installer a release may not set, and why. Pure.

A release says what is installed and how the product is set up. A property that turns an install into a removal, or
changes what Windows does beyond the product, would make the step another one than the plan that was approved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.releases import MsiRelease, PatchRelease
from reconciler.kernel.steps import Step

_FEATURES: Final = "chooses features, so an install could become a removal"
_REINSTALL: Final = "turns an install into a repair"
_CONTEXT: Final = "changes for whom the product is installed"
_PATCHES: Final = "applies or removes patches"
_TRANSFORMS: Final = "changes the package itself"
_REBOOTS: Final = "changes reboots and what happens to running programs"
_SEQUENCE: Final = "changes which actions Windows Installer runs"
_ROLLBACK: Final = "takes away the rollback of a failed install"
_SOURCES: Final = "changes where Windows Installer gets files from"
_COMPONENTS: Final = "changes how Windows Installer handles components"
_INTERNAL: Final = "is set by Windows Installer itself"

_FEATURE_HINT: Final = "name the features of a release under features, and remove a package by absent"

REFUSED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            *("ADDLOCAL", "ADDSOURCE", "ADDDEFAULT", "ADVERTISE", "REMOVE"),
            *("COMPADDLOCAL", "COMPADDSOURCE", "COMPADDDEFAULT"),
            *("FILEADDLOCAL", "FILEADDSOURCE", "FILEADDDEFAULT"),
        ),
        _FEATURES,
    ),
    **dict.fromkeys(("REINSTALL", "REINSTALLMODE"), _REINSTALL),
    **dict.fromkeys(("ALLUSERS", "MSIINSTALLPERUSER"), _CONTEXT),
    **dict.fromkeys(("PATCH", "PATCHREMOVE", "MSIPATCHREMOVE", "MSIPATCHREMOVALLIST"), _PATCHES),
    **dict.fromkeys(
        ("TRANSFORMS", "TRANSFORMSATSOURCE", "TRANSFORMSSECURE", "MSINEWINSTANCE", "MSIINSTANCEGUID"), _TRANSFORMS
    ),
    **dict.fromkeys(
        (
            *("REBOOT", "REBOOTPROMPT", "AFTERREBOOT", "MSISYSTEMREBOOTPENDING"),
            *("MSIRESTARTMANAGERCONTROL", "MSIDISABLERMRESTART", "MSIRMSHUTDOWN"),
        ),
        _REBOOTS,
    ),
    **dict.fromkeys(
        ("ACTION", "SEQUENCE", "EXECUTEACTION", "EXECUTEMODE", "LIMITUI", "LOGACTION", "FASTOEM"), _SEQUENCE
    ),
    **dict.fromkeys(("DISABLEROLLBACK", "PROMPTROLLBACKCOST", "ROLLBACKDISABLED"), _ROLLBACK),
    **dict.fromkeys(("SOURCEDIR", "SOURCELIST", "MEDIAPACKAGEPATH"), _SOURCES),
    **dict.fromkeys(
        ("MSIENFORCEUPGRADECOMPONENTRULES", "MSIUNINSTALLSUPERSEDEDCOMPONENTS", "SHORTFILENAMES"), _COMPONENTS
    ),
    **dict.fromkeys(
        (
            *("RESUME", "PRESELECTED", "INSTALLED", "UPGRADINGPRODUCTCODE", "PRODUCTCODE", "UPGRADECODE"),
            *("CLIENTUILEVEL", "CLIENTPROCESSID", "SECONDSEQUENCE", "CURRENTDIRECTORY", "ENABLEUSERCONTROL"),
        ),
        _INTERNAL,
    ),
}
"""The properties that a release may not set, each with what is wrong with it.

Not refused, since they set the product up or change only what people see: TARGETDIR, PRIMARYFOLDER, ROOTDRIVE and
the folders of a package, INSTALLLEVEL (which acts on a first install only), USERNAME, COMPANYNAME, PIDKEY, and the
properties that begin with ARP.

Source: learn.microsoft.com/windows/win32/msi/property-reference
"""

_PREFIXES: Final = {"TRANSFORMS": _TRANSFORMS, "REINSTALL": _REINSTALL, "MSIPATCH": _PATCHES}


class RefusedProperty(ReconcilerError):
    """A property by which a release would do another thing than what was planned."""

    reference = "refused-property"


def demand_plain(name: str) -> None:
    """Check that a property leaves the operation as it is.

    Args:
        name: its name, in any case.

    Raises:
        RefusedProperty: it is one of `REFUSED`, or begins like one.
    """
    upper = name.upper()
    why = REFUSED.get(upper) or next((why for start, why in _PREFIXES.items() if upper.startswith(start)), None)
    if why is not None:
        hint = _FEATURE_HINT if why is _FEATURES else "leave it out of properties: Reconciler decides this itself"
        raise RefusedProperty(f"the property {name} {why}", hint=hint)


def demand_plain_step(step: Step) -> None:
    """Check all properties that a step would hand to Windows Installer, before anything of it runs.

    A server could send what no validation has seen: a host does not take its word for it.

    Raises:
        RefusedProperty: one of them is refused.
    """
    for action in (*step.actions, *step.compensation):
        if isinstance(action.release, MsiRelease | PatchRelease):
            for name, _ in action.release.properties:
                demand_plain(name)
