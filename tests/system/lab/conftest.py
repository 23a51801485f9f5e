"""What a lab host's Windows Installer says, asked through msi.dll."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from reconciler.kernel.identity import unpack_guid
from reconciler.lab import Finished, LabHost
from reconciler.lab.packages import BuiltPackage
from reconciler.lab.template import PYTHON

LIST_PRODUCTS = """
import ctypes, json
msi = ctypes.windll.msi

def info(code, name):
    text, size = ctypes.create_unicode_buffer(256), ctypes.c_ulong(256)
    assert msi.MsiGetProductInfoExW(code, None, 4, name, text, ctypes.byref(size)) == 0
    return text.value

found, index, code = {}, 0, ctypes.create_unicode_buffer(39)
while msi.MsiEnumProductsExW(None, 's-1-1-0', 7, index, code, None, None, None) == 0:
    found[code.value] = [info(code.value, 'VersionString'), info(code.value, 'PackageCode')]
    index += 1
print(json.dumps(found))
"""


@pytest.fixture
def products() -> Callable[[LabHost], dict[str, tuple[str, str]]]:
    """Call it with a host for its products: the version and PackageCode by ProductCode."""

    def ask(host: LabHost) -> dict[str, tuple[str, str]]:
        finished = host.run([PYTHON, "-c", LIST_PRODUCTS])
        assert finished.exit_code == 0, finished.stderr
        found: dict[str, tuple[str, str]] = json.loads(finished.stdout)
        # Wine gives the PackageCode as the registry has it, packed; Windows gives it as a GUID.
        return {code: (version, unpack_guid(package)) for code, (version, package) in found.items()}

    return ask


@pytest.fixture
def install() -> Callable[..., Finished]:
    """Call it with a host and a package, and what else the command line should say, to have it installed."""

    def run(host: LabHost, package: BuiltPackage, arguments: str = "") -> Finished:
        msi = rf"C:\Packages\{package.source.version}\{package.source.file_name}"
        host.copy_in(package.path, msi)
        return host.run(f'msiexec /i "{msi}" /qn /norestart {arguments}')

    return run
