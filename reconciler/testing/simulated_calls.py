"""What calls do to a simulated Windows machine: state and call in, state and exit code out. Runs and installs
nothing.

It keeps to what Windows Installer does with product codes, package codes, patch codes, versions and families, and
to its exit codes; it knows nothing of features, components or transforms. Of programs, commands and settings it
knows what they make the machine answer.

Source of the rules: learn.microsoft.com/windows/win32/msi/patching-and-upgrades
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reconciler.kernel.calls import STOPPED, Call, CallKind
from reconciler.kernel.configuration import PlacedFile, RegistryValue, ServiceSetup, Setting
from reconciler.kernel.identity import three_fields
from reconciler.kernel.observation import InstalledPatch, InstalledProduct
from reconciler.kernel.probes import ABSENT, Answer, Probe, ProbeKind
from reconciler.testing.simulated_files import (
    NotAPackage,
    SimulatedPackage,
    read_package,
    read_patch,
    read_program,
)
from reconciler.testing.simulated_state import SimulatedCommand, WindowsState

Outcome = tuple[WindowsState, int, str]
"""The new state, the exit code and the error text."""

_ERROR_COMMAND = 1
_ERROR_SERVICE_NOT_FOUND = 1060
_ERROR_UNKNOWN_PRODUCT = 1605
_ERROR_INSTALL_FAILURE = 1603
_ERROR_PACKAGE_OPEN_FAILED = 1619
_ERROR_PACKAGE_INVALID = 1620
_ERROR_PATCH_OPEN_FAILED = 1635
_ERROR_PATCH_INVALID = 1636
_ERROR_PRODUCT_VERSION = 1638
_ERROR_NO_TARGET = 1642
_ERROR_PATCH_NOT_REMOVABLE = 1646
_ERROR_UNKNOWN_PATCH = 1647


def product_code_of(call: Call) -> str:
    """Return the product code that a call is about; for others what it is about, in words."""
    if call.kind is not CallKind.INSTALL:
        return call.product_code or call.subject
    try:
        return read_package(Path(call.subject)).product_code
    except (OSError, NotAPackage):
        return call.subject


def apply_call(state: WindowsState, call: Call) -> Outcome:
    """Return what a call does to a machine."""
    match call.kind:
        case CallKind.INSTALL:
            return _install(state, call)
        case CallKind.REMOVE:
            if call.subject not in {product.product_code for product in state.products}:
                return state, _ERROR_UNKNOWN_PRODUCT, ""
            return _without_product(state, call.subject), 0, ""
        case CallKind.PATCH:
            return _patch(state, Path(call.subject))
        case CallKind.UNPATCH:
            return _unpatch(state, call.subject, call.product_code)
        case CallKind.COMMAND:
            return _command(state, call.subject)
        case CallKind.CONFIGURE:
            return _configure(state, call)
        case CallKind.STOP:
            return _stop(state, call.services)
        case CallKind.START:
            return _start(state, call.services)


def answer(state: WindowsState, probe: Probe) -> Answer:
    """Return what the machine answers to a probe."""
    if probe.kind is ProbeKind.COMMAND:
        command = _find_command(state, probe.subject)
        if command is not None and command.seconds > probe.seconds:
            return Answer(probe.key, "timeout")
        return Answer(probe.key, str(command.exit_code if command is not None else _ERROR_COMMAND))
    found = next((item.text for item in state.answers if item.probe == probe.key), None)
    if found is not None:
        return Answer(probe.key, found)
    nothing = {ProbeKind.PORT: "closed", ProbeKind.HTTP: "unreachable"}.get(probe.kind, ABSENT)
    return Answer(probe.key, nothing)


def with_answer(state: WindowsState, key: str, text: str) -> WindowsState:
    """Return the machine with another answer to the probe of this key."""
    others = tuple(item for item in state.answers if item.probe != key)
    return replace(state, answers=others if text == ABSENT else (*others, Answer(key, text)))


def _install(state: WindowsState, call: Call) -> Outcome:
    try:
        package = read_package(Path(call.subject))
    except OSError:
        return state, _ERROR_PACKAGE_OPEN_FAILED, ""
    except NotAPackage:
        return state, _ERROR_PACKAGE_INVALID, ""
    if package.refuses:
        return state, _ERROR_INSTALL_FAILURE, package.refuses
    same = next((p for p in state.products if p.product_code == package.product_code), None)
    if "REINSTALL=ALL" in call.properties:
        if same is None:
            return state, _ERROR_UNKNOWN_PRODUCT, ""
        rest = tuple(product for product in state.products if product is not same)
        return replace(state, products=(*rest, _product(package))), 0, ""
    if same is not None:
        return state, 0 if same.package_code == package.package_code else _ERROR_PRODUCT_VERSION, ""
    return _upgrade(state, package)


def _upgrade(state: WindowsState, package: SimulatedPackage) -> Outcome:
    """Install a product new to the machine: lower members of its family go, a higher one forbids it."""
    family = [p for p in state.products if p.upgrade_code is not None and p.upgrade_code == package.upgrade_code]
    wanted = three_fields(package.version)
    if any(three_fields(product.version) > wanted for product in family):
        return state, _ERROR_INSTALL_FAILURE, f"A newer version of {package.name} is already installed."
    for product in family:
        if three_fields(product.version) < wanted:
            state = _without_product(state, product.product_code)
    return replace(state, products=(*state.products, _product(package))), 0, ""


def _patch(state: WindowsState, file: Path) -> Outcome:
    try:
        patch = read_patch(file)
    except OSError:
        return state, _ERROR_PATCH_OPEN_FAILED, ""
    except NotAPackage:
        return state, _ERROR_PATCH_INVALID, ""
    targets = [p.product_code for p in state.products if p.product_code in patch.targets]
    if not targets:
        return state, _ERROR_NO_TARGET, ""
    there = {(item.patch_code, item.product_code) for item in state.patches}
    added = tuple(
        InstalledPatch(patch.patch_code, code, removable=patch.removable)
        for code in targets
        if (patch.patch_code, code) not in there
    )
    return replace(state, patches=(*state.patches, *added)), 0, ""


def _unpatch(state: WindowsState, patch_code: str, product_code: str) -> Outcome:
    if product_code not in {product.product_code for product in state.products}:
        return state, _ERROR_UNKNOWN_PRODUCT, ""
    found = next((p for p in state.patches if (p.patch_code, p.product_code) == (patch_code, product_code)), None)
    if found is None:
        return state, _ERROR_UNKNOWN_PATCH, ""
    if not found.removable:
        return state, _ERROR_PATCH_NOT_REMOVABLE, ""
    return replace(state, patches=tuple(patch for patch in state.patches if patch is not found)), 0, ""


def _command(state: WindowsState, line: str) -> Outcome:
    """Run a program's installer, where the line begins with one, else a command that the machine was told of."""
    quoted, _, _ = line.removeprefix('"').partition('"')
    try:
        program = read_program(Path(quoted))
    except (OSError, NotAPackage):
        command = _find_command(state, line)
    else:
        command = SimulatedCommand(line, program.exit_code, program.answers)
    if command is None:
        return state, _ERROR_COMMAND, f"{line.partition(' ')[0]!r} is not recognized as a command"
    for given in command.answers:
        state = with_answer(state, given.probe, given.text)
    return state, command.exit_code, command.message


def _find_command(state: WindowsState, line: str) -> SimulatedCommand | None:
    return next((command for command in reversed(state.commands) if command.line == line), None)


def _configure(state: WindowsState, call: Call) -> Outcome:
    for setting in call.settings:
        if isinstance(setting, ServiceSetup):
            present = answer(state, setting.probe).text
            if present == ABSENT:
                return state, _ERROR_SERVICE_NOT_FOUND, f"{setting.name}: there is no such service"
            running, _, start = present.partition(" ")
            state = with_answer(state, setting.probe.key, f"{setting.state or running} {setting.start or start}")
        else:
            state = with_answer(state, setting.probe.key, _text_of(setting))
    for setting in call.leftovers:
        state = with_answer(state, setting.probe.key, ABSENT)
    return state, 0, ""


def _text_of(setting: Setting) -> str:
    if isinstance(setting, RegistryValue):
        return f"{setting.type}:{setting.data}"
    assert isinstance(setting, PlacedFile)
    return setting.sha256


def _stop(state: WindowsState, services: tuple[str, ...]) -> Outcome:
    stopped = []
    for name in services:
        probe = Probe(ProbeKind.SERVICE, name)
        running, _, start = answer(state, probe).text.partition(" ")
        if running == "running":
            stopped.append(name)
            state = with_answer(state, probe.key, f"stopped {start}")
    return state, 0, STOPPED + "; ".join(stopped)


def _start(state: WindowsState, services: tuple[str, ...]) -> Outcome:
    for name in services:
        probe = Probe(ProbeKind.SERVICE, name)
        running, _, start = answer(state, probe).text.partition(" ")
        if running == "stopped" and start != "disabled":
            state = with_answer(state, probe.key, f"running {start}")
    return state, 0, ""


def _product(package: SimulatedPackage) -> InstalledProduct:
    return InstalledProduct(
        package.product_code, package.version, package.name, package.package_code, package.upgrade_code
    )


def _without_product(state: WindowsState, product_code: str) -> WindowsState:
    """A product goes with its patches."""
    return replace(
        state,
        products=tuple(product for product in state.products if product.product_code != product_code),
        patches=tuple(patch for patch in state.patches if patch.product_code != product_code),
    )
