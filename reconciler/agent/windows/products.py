"""Lists the products that Windows Installer has registered, for the machine and for its users. Changes nothing.

Products come from msi.dll; their families from the registry, where product and upgrade codes stand packed.

Source: learn.microsoft.com/windows/win32/api/msi/nf-msi-msienumproductsexw and …/nf-msi-msigetproductinfoexw
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import winreg

from reconciler.agent.machine import MachineError
from reconciler.agent.windows.msi import ERROR_MORE_DATA, ERROR_NO_MORE_ITEMS, ERROR_SUCCESS, dll
from reconciler.kernel.identity import InvalidIdentity, normalise_guid, unpack_guid
from reconciler.kernel.observation import Context, InstalledProduct, ProductState

_EVERYONE = "s-1-1-0"
_ALL_CONTEXTS = 7
_MACHINE_CONTEXT = 4
_INSTALLED = "5"
_ADVERTISED = "1"
_UPGRADE_CODES = (
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Installer\UpgradeCodes",
    r"SOFTWARE\Classes\Installer\UpgradeCodes",
)


def list_products() -> tuple[InstalledProduct, ...]:
    """Return every registered product.

    Raises:
        MachineError: Windows Installer did not give its list.
    """
    families = _families()
    products = []
    for code, context, sid in _enumerate():
        state = {_INSTALLED: ProductState.INSTALLED, _ADVERTISED: ProductState.ADVERTISED}.get(
            _property(code, context, sid, "State")
        )
        if state is None:
            continue
        products.append(
            InstalledProduct(
                product_code=code,
                version=_property(code, context, sid, "VersionString"),
                name=_property(code, context, sid, "ProductName"),
                package_code=_guid(_property(code, context, sid, "PackageCode")),
                upgrade_code=families.get(code),
                context=Context.MACHINE if context == _MACHINE_CONTEXT else Context.USER,
                state=state,
            )
        )
    return tuple(products)


def _enumerate() -> list[tuple[str, int, str | None]]:
    found: list[tuple[str, int, str | None]] = []
    code = ctypes.create_unicode_buffer(39)
    sid = ctypes.create_unicode_buffer(256)
    context = ctypes.c_uint()
    while True:
        length = ctypes.c_uint(256)
        error = dll.MsiEnumProductsExW(
            None, _EVERYONE, _ALL_CONTEXTS, len(found), code, ctypes.byref(context), sid, ctypes.byref(length)
        )
        if error == ERROR_NO_MORE_ITEMS:
            return found
        if error != ERROR_SUCCESS:
            raise MachineError(
                f"Windows Installer did not list its products: error {error}",
                hint="run the agent as LocalSystem or an administrator (error 5)" if error == 5 else None,
            )
        machine = context.value == _MACHINE_CONTEXT
        found.append((code.value.upper(), context.value, None if machine else sid.value or None))


def _property(code: str, context: int, sid: str | None, name: str) -> str:
    """Return a property of a product, empty where it has none."""
    room = 256
    while True:
        value = ctypes.create_unicode_buffer(room)
        length = ctypes.c_uint(room)
        error = dll.MsiGetProductInfoExW(code, sid, context, name, value, ctypes.byref(length))
        if error != ERROR_MORE_DATA:
            return value.value if error == ERROR_SUCCESS else ""
        room = length.value + 1


def _guid(text: str) -> str | None:
    """Windows gives the package code as a GUID, Wine as it stands in the registry: packed."""
    try:
        return unpack_guid(text) if len(text) == 32 else normalise_guid(text)
    except InvalidIdentity:
        return None


def _families() -> dict[str, str]:
    """Return the upgrade code of each product code that belongs to a family."""
    families: dict[str, str] = {}
    for path in _UPGRADE_CODES:
        try:
            root = winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY)
        except OSError:
            continue
        with root:
            for index in range(winreg.QueryInfoKey(root)[0]):
                _read_family(root, index, families)
    return families


def _read_family(root: winreg.HKEYType, index: int, families: dict[str, str]) -> None:
    try:
        name = winreg.EnumKey(root, index)
        upgrade_code = unpack_guid(name)
        with winreg.OpenKey(root, name) as family:
            for value in range(winreg.QueryInfoKey(family)[1]):
                families.setdefault(unpack_guid(winreg.EnumValue(family, value)[0]), upgrade_code)
    except (OSError, InvalidIdentity):
        return  # it went away meanwhile, or is no family
