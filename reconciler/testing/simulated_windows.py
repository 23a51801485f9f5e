"""A simulated Windows machine: installed products in a JSON file, and an installer that follows Windows' rules.

It installs no files and runs nothing. It keeps to what Windows Installer does with product codes, package codes,
versions and families, and to its exit codes; it knows nothing of features, components, patches or transforms.
Faults can be put in: exit codes, slowness, runs that claim success and do nothing.

Source of the rules: learn.microsoft.com/windows/win32/msi/patching-and-upgrades
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from json import dumps, loads
from pathlib import Path

from reconciler.agent.durable import write_atomically
from reconciler.kernel.identity import three_fields
from reconciler.kernel.observation import InstalledProduct
from reconciler.kernel.steps import Action, Verb
from reconciler.kernel.wire import decode, encode
from reconciler.testing.simulated_msi import NotAPackage, SimulatedPackage, read_package

REBOOT_SIGNAL = "a simulated installer"

_ERROR_UNKNOWN_PRODUCT = 1605
_ERROR_INSTALL_FAILURE = 1603
_ERROR_PACKAGE_OPEN_FAILED = 1619
_ERROR_PACKAGE_INVALID = 1620
_ERROR_PRODUCT_VERSION = 1638
_REBOOT_REQUIRED = 3010


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong when the installer runs for a product code.

    ``verb`` narrows it to one kind of run. ``seconds`` pass before anything happens. ``exit_code`` 0 and 3010 come
    after the run did its work, unless it is ``without_effect``; any other in its place. ``times`` counts the runs
    it is still good for; ``None`` for ever.
    """

    product_code: str
    verb: Verb | None = None
    exit_code: int = 0
    message: str = ""
    seconds: float = 0.0
    without_effect: bool = False
    times: int | None = None


@dataclass(frozen=True, slots=True)
class WindowsState:
    """What a simulated machine has. ``booted_at`` is in seconds since the epoch."""

    booted_at: int
    products: tuple[InstalledProduct, ...] = ()
    reboot_pending: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


class SimulatedWindows:
    """The machine whose state lies in the file at ``path``. Any number of processes may use it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if not path.exists():
                self._write(WindowsState(booted_at=int(time.time())))

    def state(self) -> WindowsState:
        """Return what the machine has now."""
        return decode(WindowsState, loads(self._path.read_text("utf-8")))

    def change(self, change: Callable[[WindowsState], WindowsState]) -> WindowsState:
        """Change the machine's state, all at once, and return it."""
        with self._locked():
            changed = change(self.state())
            self._write(changed)
        return changed

    def add_fault(self, fault: Fault) -> None:
        """Make the installer go wrong from now on."""
        self.change(lambda state: replace(state, faults=(*state.faults, fault)))

    def clear_faults(self) -> None:
        """Make the installer work again."""
        self.change(lambda state: replace(state, faults=()))

    def put(self, *products: InstalledProduct) -> None:
        """Have products installed that nobody's installer run put there."""
        self.change(lambda state: replace(state, products=(*state.products, *products)))

    def remove(self, product_code: str) -> tuple[InstalledProduct, ...]:
        """Uninstall a product by hand; return what is left then."""
        return self.change(lambda state: replace(state, products=_without(state.products, product_code))).products

    def reboot(self) -> None:
        """Restart the machine: what asked for it is answered."""
        self.change(lambda s: replace(s, booted_at=max(int(time.time()), s.booted_at + 600), reboot_pending=()))

    def run_installer(self, action: Action, file: Path | None) -> tuple[int, str]:
        """Run the simulated installer once; return its exit code and its error text."""
        fault = self._take_fault(action)
        if fault is not None and fault.seconds:
            time.sleep(fault.seconds)
        code = fault.exit_code if fault is not None else 0
        if fault is not None and (fault.without_effect or code not in (0, _REBOOT_REQUIRED)):
            return code, fault.message
        with self._locked():
            changed, error, message = _apply(self.state(), action, file)
            if code == _REBOOT_REQUIRED and not error:
                changed = replace(changed, reboot_pending=(REBOOT_SIGNAL,))
            self._write(changed)
        return error or code, message

    def _take_fault(self, action: Action) -> Fault | None:
        taken: Fault | None = None

        def take(state: WindowsState) -> WindowsState:
            nonlocal taken
            left = []
            for fault in state.faults:
                fits = fault.product_code == action.product_code and fault.verb in (None, action.verb)
                if taken is None and fits:
                    taken = fault
                    if fault.times is None or fault.times > 1:
                        left.append(fault if fault.times is None else replace(fault, times=fault.times - 1))
                else:
                    left.append(fault)
            return replace(state, faults=tuple(left))

        self.change(take)
        return taken

    def _write(self, state: WindowsState) -> None:
        write_atomically(self._path, dumps(encode(state), indent=2))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._path.with_name(self._path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _apply(state: WindowsState, action: Action, file: Path | None) -> tuple[WindowsState, int, str]:
    """Do what Windows Installer does with its registrations; return the new state, the exit code and the error."""
    present = {product.product_code: product for product in state.products}
    if action.verb is Verb.REMOVE:
        if action.product_code not in present:
            return state, _ERROR_UNKNOWN_PRODUCT, ""
        return replace(state, products=_without(state.products, action.product_code)), 0, ""
    try:
        package = read_package(file or Path())
    except OSError:
        return state, _ERROR_PACKAGE_OPEN_FAILED, ""
    except NotAPackage:
        return state, _ERROR_PACKAGE_INVALID, ""
    if package.refuses:
        return state, _ERROR_INSTALL_FAILURE, package.refuses
    same = present.get(package.product_code)
    if action.verb is Verb.REINSTALL:
        if same is None:
            return state, _ERROR_UNKNOWN_PRODUCT, ""
        return replace(state, products=(*_without(state.products, same.product_code), _product(package))), 0, ""
    if same is not None:
        return state, 0 if same.package_code == package.package_code else _ERROR_PRODUCT_VERSION, ""
    return _upgrade(state, package)


def _upgrade(state: WindowsState, package: SimulatedPackage) -> tuple[WindowsState, int, str]:
    """Install a product new to the machine: lower members of its family go, a higher one forbids it."""
    family = [p for p in state.products if p.upgrade_code is not None and p.upgrade_code == package.upgrade_code]
    wanted = three_fields(package.version)
    if any(three_fields(product.version) > wanted for product in family):
        return state, _ERROR_INSTALL_FAILURE, f"A newer version of {package.name} is already installed."
    lower = {product.product_code for product in family if three_fields(product.version) < wanted}
    kept = tuple(product for product in state.products if product.product_code not in lower)
    return replace(state, products=(*kept, _product(package))), 0, ""


def _product(package: SimulatedPackage) -> InstalledProduct:
    return InstalledProduct(
        package.product_code, package.version, package.name, package.package_code, package.upgrade_code
    )


def _without(products: tuple[InstalledProduct, ...], product_code: str) -> tuple[InstalledProduct, ...]:
    return tuple(product for product in products if product.product_code != product_code)
