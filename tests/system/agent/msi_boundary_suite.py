"""Runs on a lab host with a stand-in for msi.dll: what Wine's Windows Installer cannot do. Prints JSON outcomes.

Injected are the answers of msi.dll (patches, exit codes) and of the service manager (dependent services);
everything above them is the real thing, on the Windows Python. Copied to the host and run by test_msi_boundary.py.
"""

from __future__ import annotations

import ctypes
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from reconciler.agent.run_folder import CALL_NAME, read_result
from reconciler.agent.windows import installer_run, msi, service_control
from reconciler.agent.windows.patches import list_patches
from reconciler.kernel.calls import Call, CallKind
from reconciler.kernel.observation import Context, InstalledPatch, InstalledProduct, PatchState, ProductState
from reconciler.kernel.wire import encode

sys.path.insert(0, str(Path(__file__).parent))
from outcomes import outcomes_as_json

PRODUCT = "{11111111-0000-4000-8000-0000000000AA}"
APPLIED, SUPERSEDED = "{22222222-0000-4000-8000-0000000000AA}", "{33333333-0000-4000-8000-0000000000AA}"
MORE_DATA, NO_MORE_ITEMS, BAD_CONFIGURATION = 234, 259, 1610
REGISTERED = {APPLIED: {"State": "1", "Uninstallable": "1"}, SUPERSEDED: {"State": "2", "Uninstallable": "0"}}


class StandIn:
    """What the agent calls of msi.dll, with the answers that Windows documents."""

    def __init__(self, code: int = 0) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.code = code

    def MsiEnumPatchesExW(self, *arguments):
        product, sid, context, states, index, patch, target, *_rest = arguments
        self.calls.append(("enumerate", product, sid, context, states, index))
        if product != PRODUCT:
            return BAD_CONFIGURATION
        if index >= len(REGISTERED):
            return NO_MORE_ITEMS
        patch.value, target.value = list(REGISTERED)[index].lower(), PRODUCT
        return 0

    def MsiGetPatchInfoExW(self, *arguments):
        patch, product, sid, context, name, value, length = arguments
        assert (product, sid, context) == (PRODUCT, None, 4)
        text, room = REGISTERED[patch][name], ctypes.cast(length, ctypes.POINTER(ctypes.c_uint))
        if room[0] <= len(text):
            room[0] = len(text)
            return MORE_DATA
        value.value = text
        return 0

    def __getattr__(self, name: str):
        def call(*arguments: object) -> int:
            self.calls.append((name, *arguments))
            return self.code if name in INSTALLING else 0

        return call


INSTALLING = ("MsiInstallProductW", "MsiConfigureProductExW", "MsiApplyPatchW", "MsiRemovePatchesW")


class PatchesAndCodes(unittest.TestCase):
    def run_child(self, call: Call, code: int = 0) -> tuple[StandIn, tuple[int, str] | None]:
        folder = tempfile.mkdtemp()
        (Path(folder) / CALL_NAME).write_text(json.dumps(encode(call)), encoding="utf-8")
        stand_in = StandIn(code)
        with mock.patch.object(msi, "dll", stand_in):
            installer_run.main([folder])
        return stand_in, read_result(folder)

    def called(self, call: Call) -> tuple[object, ...]:
        stand_in, result = self.run_child(call)
        assert result == (0, ""), result
        (found,) = (each for each in stand_in.calls if each[0] in INSTALLING)
        return found

    def test_patches_are_listed_with_state_and_removability(self) -> None:
        advertised = InstalledProduct(PRODUCT, "1.0", "x", state=ProductState.ADVERTISED)
        for_a_user = InstalledProduct(PRODUCT, "1.0", "x", context=Context.USER)
        broken = InstalledProduct(APPLIED, "1.0", "broken")
        with mock.patch.object(msi, "dll", StandIn()) as stand_in:
            assert list_patches([advertised, for_a_user]) == ()
            assert stand_in.calls == []
            found = list_patches([broken, InstalledProduct(PRODUCT, "1.0", "x")])
        assert found == (
            InstalledPatch(APPLIED, PRODUCT, PatchState.APPLIED, removable=True),
            InstalledPatch(SUPERSEDED, PRODUCT, PatchState.SUPERSEDED, removable=False),
        )

    def test_a_patch_is_applied_to_every_target(self) -> None:
        call = Call(CallKind.PATCH, r"C:\a b\fix.msp", "REINSTALL=ALL REINSTALLMODE=omus REBOOT=ReallySuppress")
        assert self.called(call) == ("MsiApplyPatchW", call.subject, None, 0, call.properties)

    def test_a_patch_is_taken_off_one_product(self) -> None:
        call = Call(CallKind.UNPATCH, APPLIED, "REBOOT=ReallySuppress", PRODUCT)
        assert self.called(call) == ("MsiRemovePatchesW", APPLIED, PRODUCT, 2, call.properties)

    def test_installing_and_removing_hand_over_what_the_call_says(self) -> None:
        call = Call(CallKind.INSTALL, r"C:\a b\x.msi", 'ALLUSERS=1 SITE="a ""b"""')
        assert self.called(call) == ("MsiInstallProductW", call.subject, call.properties)
        call = Call(CallKind.REMOVE, PRODUCT, "REMOVE=ALL REBOOT=ReallySuppress")
        assert self.called(call) == ("MsiConfigureProductExW", PRODUCT, 0, 2, call.properties)

    def test_every_exit_code_comes_back_as_it_is(self) -> None:
        for code in (1612, 1618, 1620, 1638, 1641, 1646, 3010, 0x80070643 - 0x1_0000_0000):
            _, result = self.run_child(Call(CallKind.REMOVE, PRODUCT), code)
            assert result == (code, ""), result


class DependentServices(unittest.TestCase):
    """Wine's service manager tells of no dependent services."""

    def test_dependents_are_stopped_first_and_named_for_starting_last(self) -> None:
        stopped: list[str] = []

        def stop(name: str, _seconds: float) -> bool:
            stopped.append(name)
            return name != "Idle"

        with (
            mock.patch.object(service_control, "_dependents", return_value=("Web", "Idle", "Cache")),
            mock.patch.object(service_control, "_stop", stop),
        ):
            assert service_control.stop_service("Base", 1.0) == ("Base", "Cache", "Web")
        assert stopped == ["Web", "Idle", "Cache", "Base"]

    def test_what_had_stopped_is_told_when_one_does_not(self) -> None:
        def stop(name: str, _seconds: float) -> bool:
            if name == "Base":
                raise ctypes.WinError(1053)
            return True

        with (
            mock.patch.object(service_control, "_dependents", return_value=("Web",)),
            mock.patch.object(service_control, "_stop", stop),
            self.assertRaises(service_control.StopFailed) as caught,  # noqa: PT027 - no pytest on the host
        ):
            service_control.stop_service("Base", 1.0)
        failed = caught.exception
        assert (failed.service, failed.stopped, failed.winerror) == ("Base", ("Web",), 1053)


sys.stdout.write(outcomes_as_json(PatchesAndCodes, DependentServices))
