"""Says what the lab needs of this machine and what of it is missing; installs nothing."""

from __future__ import annotations

import platform
import shutil
import sys

from reconciler.lab.errors import LabUnavailable
from reconciler.packaging.wixl import BUILD_TOOLS

_PACKAGE_OF_TOOL = {
    "wine": "wine",
    "wineserver": "wine64",
    **BUILD_TOOLS,
}
"""The Debian package that each command comes from."""

APT_COMMAND = "apt-get install -y --no-install-recommends wine64 wine msitools wixl"
"""Installs all of it; about 105 MB to download."""


def missing() -> tuple[str, ...]:
    """Return the commands that the lab calls and this machine does not have, in a fixed order."""
    return tuple(tool for tool in _PACKAGE_OF_TOOL if shutil.which(tool) is None)


def require() -> None:
    """Make sure that lab hosts can be built and run here.

    Raises:
        LabUnavailable: this is not Linux on x86-64, or commands are missing.
    """
    _require_platform()
    _require_tools(missing())


def _require_platform() -> None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise LabUnavailable(
            f"lab hosts need Linux on x86-64, and this is {platform.system()} on {platform.machine()}",
            hint="run the lab on a Linux machine, or use simulated hosts",
        )


def _require_tools(absent: tuple[str, ...]) -> None:
    if absent:
        packages = sorted({_PACKAGE_OF_TOOL[tool] for tool in absent})
        raise LabUnavailable(
            f"the lab needs {', '.join(absent)}, which this machine lacks (from {', '.join(packages)})",
            hint=f"as root: {APT_COMMAND}",
        )
