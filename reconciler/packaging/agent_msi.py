"""Builds the agent's MSI: a trimmed Windows Python, the agent's code, its service, and where its server is.

Its codes follow from what it holds: equal content gives an equal file, and any other content another product.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import uuid
import zipfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from reconciler.agent.placing import SiteDefaults, write_site
from reconciler.kernel.agent_package import AGENT_UPGRADE_CODE
from reconciler.kernel.identity import normalise_guid
from reconciler.packaging.errors import PackageBuildFailed
from reconciler.packaging.windows_python import check_windows_python, windows_python
from reconciler.packaging.wixl import FIXED_TIME, MsiDeclaration, build_msi, require_builder

CODE_ARCHIVE = "agent.zip"
CODE_PACKAGES = ("kernel", "agent")
"""The rooms that run on hosts."""

RUNTIME = (
    *("python.exe", "python3.dll", "python313.dll", "python313.zip", "vcruntime140.dll", "vcruntime140_1.dll"),
    *("libcrypto-3.dll", "libffi-8.dll", "libssl-3.dll", "_ctypes.pyd", "_hashlib.pyd", "_queue.pyd"),
    *("_socket.pyd", "_ssl.pyd", "_uuid.pyd", "select.pyd", "unicodedata.pyd", "LICENSE.txt"),
)
"""What an agent takes of the Windows Python."""

_WXS = Path(__file__).parent / "agent" / "product.wxs"
_SITE = "site.json"
_PYTHON_PATH = f"python313.zip\n.\n..\\{CODE_ARCHIVE}\n"
_PATH_FILE = "python313._pth"
_FIXED_ZIP_TIME = (2024, 1, 1, 0, 0, 0)
_TOKEN_ROLLBACK = 0x800 | 0x400 | 0x100 | 0x40 | 18
_CONFIGURE = 0x2000 | 0x800 | 0x400 | 18
_CORRECTIONS = (
    "UPDATE `Property` SET `Value` = 'HOST;OTHERRELEASES;PROXY;SERVER;TOKEN' "
    "WHERE `Property` = 'SecureCustomProperties'",
    f"UPDATE `CustomAction` SET `Type` = {_CONFIGURE} WHERE `Action` = 'Configure'",  # noqa: S608 - a number of ours
    f"UPDATE `CustomAction` SET `Type` = {_TOKEN_ROLLBACK} WHERE `Action` = 'ForgetToken'",  # noqa: S608 - likewise
)
"""What wixl 0.101 cannot say: HideTarget, a rollback action, the properties that an elevated install may be given.

Source: learn.microsoft.com/windows/win32/msi/custom-action-type-18, …/msi/custom-action-hidden-target-option and
…/msi/securecustomproperties
"""


@dataclass(frozen=True, slots=True)
class BuiltAgent:
    """An agent's MSI, and what it is."""

    path: Path
    version: str
    product_code: str
    package_code: str


def build_agent_msi(site: SiteDefaults, output: Path, code: Path | None = None) -> BuiltAgent:
    """Build the agent's MSI as ``output``; a file that is there is replaced.

    Args:
        site: the settings that it brings, and the authorities that its hosts shall trust.
        output: the file to write; its folder is made where it is missing.
        code: the folder of the ``reconciler`` package to take the agent from; this installation's by default.

    Raises:
        PackagingUnavailable: wixl or msitools are missing, or the Windows Python could not be had.
        PackageBuildFailed: wixl refused the source, or a file of the Windows Python is not the one listed.
    """
    require_builder()
    code = code or Path(str(import_module("reconciler").__file__)).parent
    version = _version_of(code)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=output.parent) as scratch:
        raw = Path(scratch, "agent.msi")
        files = raw.parent / "files"
        _stage(code, site, files)
        declared = _declare(version, files)
        build_msi(declared, _WXS, _components(files), raw, _CORRECTIONS)
        raw.replace(output)
    return BuiltAgent(output, version, declared.product_code, declared.package_code)


def _stage(code: Path, site: SiteDefaults, files: Path) -> None:
    """Write the files that the MSI packs, all of one time."""
    files.mkdir()
    python = windows_python()
    check_windows_python(python)
    for name in RUNTIME:
        shutil.copyfile(python / name, files / name)
    (files / _PATH_FILE).write_text(_PYTHON_PATH, encoding="ascii")
    _write_archive(code, files / CODE_ARCHIVE)
    write_site(files / _SITE, site)
    for file in files.iterdir():
        file.chmod(0o644)
        os.utime(file, (FIXED_TIME, FIXED_TIME))


def _write_archive(code: Path, target: Path) -> None:
    """Pack the agent's code; Python loads it from the archive, and writes nothing beside it."""
    modules = [code / "__init__.py", *(file for room in CODE_PACKAGES for file in (code / room).rglob("*.py"))]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(modules):
            entry = zipfile.ZipInfo(f"reconciler/{file.relative_to(code).as_posix()}", _FIXED_ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())


def _version_of(code: Path) -> str:
    for line in (code / "__init__.py").read_text("utf-8").splitlines():
        if line.startswith("__version__ = "):
            version = str(json.loads(line.removeprefix("__version__ = ")))
            if len(version.split(".")) == 3 and version.replace(".", "").isdigit():
                return version
            raise PackageBuildFailed(f"{version!r} is no ProductVersion of three numbers", where=str(code))
    raise PackageBuildFailed("the code does not tell its version", where=str(code))


def _declare(version: str, files: Path) -> MsiDeclaration:
    digest = hashlib.sha256(_WXS.read_bytes())
    for file in sorted(files.iterdir()):
        digest.update(f"\0{file.name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    content = digest.hexdigest()
    return MsiDeclaration(
        shown=f"Reconciler Agent {version}",
        version=version,
        product_code=_guid(f"product {content}"),
        package_code=_guid(f"package {content}"),
        upgrade_code=AGENT_UPGRADE_CODE,
    )


def _components(files: Path) -> dict[str, str]:
    """A component's code stands for the set of its files, so it changes with their names."""
    runtime = " ".join(sorted(file.name for file in files.iterdir()))
    return {
        "AGENT_COMPONENT": _guid(f"agent {CODE_ARCHIVE} {_SITE}").strip("{}"),
        "PYTHON_COMPONENT": _guid(f"python {runtime}").strip("{}"),
        "FILES": files.name,
    }


def _guid(name: str) -> str:
    return normalise_guid(str(uuid.uuid5(uuid.UUID(AGENT_UPGRADE_CODE), name)))
