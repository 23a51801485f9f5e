"""Lists the patches that Windows Installer has registered on products of the machine. Changes nothing.

Source: learn.microsoft.com/windows/win32/api/msi/nf-msi-msienumpatchesexw and …/nf-msi-msigetpatchinfoexw
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import logging
from collections.abc import Iterable
from functools import cache

from reconciler.agent.windows import msi
from reconciler.agent.windows.msi import ERROR_MORE_DATA, ERROR_NO_MORE_ITEMS, ERROR_SUCCESS
from reconciler.kernel.observation import Context, InstalledPatch, InstalledProduct, PatchState, ProductState

_MACHINE_CONTEXT = 4
_APPLIED_SUPERSEDED_OBSOLETED = 1 | 2 | 4
_STATES = {"1": PatchState.APPLIED, "2": PatchState.SUPERSEDED, "4": PatchState.OBSOLETED}
_YES = "1"

_log = logging.getLogger(__name__)


def list_patches(products: Iterable[InstalledProduct]) -> tuple[InstalledPatch, ...]:
    """Return the patches of those ``products`` that are installed for the machine."""
    found: list[InstalledPatch] = []
    for product in products:
        if product.context is Context.MACHINE and product.state is ProductState.INSTALLED:
            found += [_patch(patch, product.product_code) for patch in _enumerate(product.product_code)]
    return tuple(found)


def _enumerate(product_code: str) -> list[str]:
    codes: list[str] = []
    patch, target = (ctypes.create_unicode_buffer(39) for _ in range(2))
    context = ctypes.c_uint()
    while True:
        length = ctypes.c_uint(0)
        error = msi.dll.MsiEnumPatchesExW(
            product_code, None, _MACHINE_CONTEXT, _APPLIED_SUPERSEDED_OBSOLETED, len(codes),
            patch, target, ctypes.byref(context), None, ctypes.byref(length),
        )  # fmt: skip
        if error != ERROR_SUCCESS:
            if error != ERROR_NO_MORE_ITEMS:
                _tell_once(product_code, error)
            return codes
        codes.append(patch.value.upper())


@cache
def _tell_once(product_code: str, error: int) -> None:
    _log.warning("Windows Installer did not list the patches of %s: error %d", product_code, error)


def _patch(patch_code: str, product_code: str) -> InstalledPatch:
    state = _property(patch_code, product_code, "State")
    return InstalledPatch(
        patch_code,
        product_code,
        _STATES.get(state, PatchState.APPLIED),
        removable=_property(patch_code, product_code, "Uninstallable") == _YES,
    )


def _property(patch_code: str, product_code: str, name: str) -> str:
    room = 64
    while True:
        value = ctypes.create_unicode_buffer(room)
        length = ctypes.c_uint(room)
        error = msi.dll.MsiGetPatchInfoExW(
            patch_code, product_code, None, _MACHINE_CONTEXT, name, value, ctypes.byref(length)
        )
        if error != ERROR_MORE_DATA:
            return value.value if error == ERROR_SUCCESS else ""
        room = length.value + 1
