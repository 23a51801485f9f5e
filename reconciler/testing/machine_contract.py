"""What every adapter of the machine port must do: one suite for the simulated machine and for Windows.

This half installs; `reconciler.testing.call_contract` is the other.

It needs the standard library, the kernel and the agent only, so that it can be run on a managed host itself.
"""

from __future__ import annotations

import time
import unittest
import uuid
from dataclasses import dataclass, replace

from reconciler.agent.machine import Machine, Run, Running, RunResult
from reconciler.kernel.calls import call_of
from reconciler.kernel.observation import Context, InstalledPatch, InstalledProduct, PatchState, ProductState
from reconciler.kernel.releases import MsiRelease, PatchRelease
from reconciler.kernel.steps import Action, Verb

_LONGEST = 180.0


@dataclass(frozen=True, slots=True)
class ContractPackages:
    """The packages that the suite installs, as files on the machine.

    ``minor`` has the product code of ``first``; ``major`` another one, and a higher version. ``refusing`` has a
    launch condition that never holds, with the text ``refusal``. ``slow`` is of another family. ``patch`` is for
    ``first`` and cannot be taken off.
    """

    files: dict[str, str]
    upgrade_code: str
    first: MsiRelease
    minor: MsiRelease
    major: MsiRelease
    refusing: MsiRelease
    refusal: str
    slow: MsiRelease
    patch: PatchRelease


class MachineContract(unittest.TestCase):
    """The suite. An adapter's test class derives from it and says what to run it on."""

    machine: Machine
    packages: ContractPackages

    def wait_until_slow_runs(self) -> None:
        """Wait until the installer of ``slow`` is in the midst of its work."""
        raise NotImplementedError

    def let_slow_end(self) -> None:
        """Let the installer of ``slow`` come to its end."""
        raise NotImplementedError

    def slow_runs(self) -> bool:
        """Return whether anything that the installer of ``slow`` has started runs."""
        raise NotImplementedError

    def setUp(self) -> None:
        """Begin with a machine without the suite's packages."""
        self.machine.forget("contract")
        codes = {
            self.packages.slow.product_code,
            self.packages.first.product_code,
            self.packages.major.product_code,
        }
        for product in self.machine.look().products:
            if product.product_code in codes:
                self.run_to_end(Verb.REMOVE, _release_of(product, self.packages))
        self.before = set(self.machine.look().products)

    def begin(self, verb: Verb, release: MsiRelease | PatchRelease) -> tuple[Running, str]:
        """Start a run; return it and its name."""
        product = release.product_code if isinstance(release, MsiRelease) else release.targets[0]
        action = Action(verb, product, release.version, release)
        run = Run(f"contract-{uuid.uuid4().hex}", call_of(action, self.packages.files))
        return self.machine.start(run), run.name

    def run_to_end(self, verb: Verb, release: MsiRelease | PatchRelease) -> tuple[int, str]:
        """Carry a run out; return its exit code and error text."""
        running, _ = self.begin(verb, release)
        assert running.wait(_LONGEST), "the run did not end"
        result = running.result()
        assert result is not None, "the run left no result"
        self.last_run = running
        return result.exit_code, result.message

    def added(self) -> set[InstalledProduct]:
        """Return what is installed since the test began; nothing else may have gone."""
        now = set(self.machine.look().products)
        assert self.before <= now, f"gone: {self.before - now}"
        return now - self.before

    def product(self, release: MsiRelease, upgrade_code: str | None = None) -> InstalledProduct:
        """Return the product that ``release`` should be seen as, whatever its name."""
        names = {p.product_code: p.name for p in self.machine.look().products}
        return InstalledProduct(
            product_code=release.product_code,
            version=release.version,
            name=names.get(release.product_code, "(not installed)"),
            package_code=release.package_code,
            upgrade_code=upgrade_code or self.packages.upgrade_code,
            context=Context.MACHINE,
            state=ProductState.INSTALLED,
        )

    def test_a_look_tells_of_the_system_and_is_steady(self) -> None:
        """Two looks at a machine at rest show the same."""
        first, second = self.machine.look(), self.machine.look()
        assert first.system
        assert 0 < first.booted_at <= time.time() + 5
        assert abs(first.booted_at - second.booted_at) <= 1
        assert first.free_bytes is None or first.free_bytes > 0
        alike = [replace(look, booted_at=0, free_bytes=None) for look in (first, second)]
        assert alike[0] == alike[1]

    def test_an_install_is_seen_with_all_its_codes(self) -> None:
        """Product code, package code, upgrade code, version, context and state are right; a log is left."""
        assert self.run_to_end(Verb.INSTALL, self.packages.first)[0] == 0
        assert self.added() == {self.product(self.packages.first)}
        assert self.product(self.packages.first).name
        assert self.last_run.log()
        assert self.last_run.log_path

    def test_a_plain_install_over_the_same_product_code_is_refused(self) -> None:
        """1638: another version of this product is already installed."""
        self.run_to_end(Verb.INSTALL, self.packages.first)
        assert self.run_to_end(Verb.INSTALL, self.packages.minor)[0] == 1638
        assert self.added() == {self.product(self.packages.first)}

    def test_a_reinstall_is_a_minor_update(self) -> None:
        """The version and the package code change, the product code stays."""
        self.run_to_end(Verb.INSTALL, self.packages.first)
        assert self.run_to_end(Verb.REINSTALL, self.packages.minor)[0] == 0
        assert self.added() == {self.product(self.packages.minor)}

    def test_a_major_upgrade_takes_the_place_of_the_older(self) -> None:
        """One member of the family is left."""
        self.run_to_end(Verb.INSTALL, self.packages.first)
        assert self.run_to_end(Verb.INSTALL, self.packages.major)[0] == 0
        assert self.added() == {self.product(self.packages.major)}

    def test_a_downgrade_is_refused(self) -> None:
        """1603, and the newer one stays."""
        self.run_to_end(Verb.INSTALL, self.packages.major)
        code, message = self.run_to_end(Verb.INSTALL, self.packages.first)
        assert (code, bool(message)) == (1603, True)
        assert self.added() == {self.product(self.packages.major)}

    def test_a_launch_condition_that_does_not_hold_is_told(self) -> None:
        """1603 with the text that the package's author wrote."""
        code, message = self.run_to_end(Verb.INSTALL, self.packages.refusing)
        assert code == 1603
        assert self.packages.refusal in message, message
        assert self.added() == set()

    def test_a_removal_removes_and_says_when_there_is_nothing(self) -> None:
        """0, then 1605."""
        self.run_to_end(Verb.INSTALL, self.packages.first)
        assert self.run_to_end(Verb.REMOVE, self.packages.first)[0] == 0
        assert self.added() == set()
        assert self.run_to_end(Verb.REMOVE, self.packages.first)[0] == 1605

    def test_a_patch_is_seen_while_its_product_is_there(self) -> None:
        """The product stays what it is, and takes the patch along when it goes."""
        self.run_to_end(Verb.INSTALL, self.packages.first)
        assert self.run_to_end(Verb.PATCH, self.packages.patch)[0] == 0
        code = self.packages.first.product_code
        applied = InstalledPatch(self.packages.patch.patch_code, code, PatchState.APPLIED, removable=False)
        assert self.machine.look().patches == (applied,)
        assert self.added() == {self.product(self.packages.first)}
        assert self.run_to_end(Verb.REMOVE, self.packages.first)[0] == 0
        assert self.machine.look().patches == ()

    def test_a_patch_without_its_product_is_refused(self) -> None:
        """The code is not always Windows' 1642, but never 0."""
        assert self.run_to_end(Verb.PATCH, self.packages.patch)[0] != 0
        assert self.machine.look().patches == ()

    def test_a_missing_file_is_an_error_and_changes_nothing(self) -> None:
        """The code is not always Windows' 1619, but never 0."""
        artifact = replace(self.packages.first.artifact, sha256="0" * 64)
        self.packages.files["0" * 64] = self.packages.files[self.packages.first.artifact.sha256] + ".none"
        assert self.run_to_end(Verb.INSTALL, replace(self.packages.first, artifact=artifact))[0] != 0
        assert self.added() == set()

    def test_a_run_is_found_again_by_its_name_while_it_lasts(self) -> None:
        """As an agent does that was restarted meanwhile; its result is found after its end as well."""
        running, name = self.begin(Verb.INSTALL, self.packages.slow)
        self.wait_until_slow_runs()
        found = self.machine.find(name)
        assert found is not None
        assert not found.wait(0.05)
        assert found.result() is None
        self.let_slow_end()
        assert found.wait(_LONGEST)
        assert running.wait(_LONGEST)
        assert found.result() == RunResult(0, "")
        ended = self.machine.find(name)
        assert ended is not None
        assert ended.wait(0)
        assert ended.result() == RunResult(0, "")
        assert {product.product_code for product in self.added()} == {self.packages.slow.product_code}

    def test_a_run_that_never_began_is_not_found(self) -> None:
        """Nor is one whose traces were deleted."""
        assert self.machine.find("contract-never") is None
        started, name = self.begin(Verb.INSTALL, self.packages.first)
        began = self.machine.find(name) is not None  # else it was looked for before it began, and now never will
        assert started.wait(_LONGEST)
        assert bool(self.added()) == began
        self.machine.forget("contract")
        assert self.machine.find(name) is None

    def test_a_run_can_be_ended_by_force(self) -> None:
        """It leaves no result, and nothing that it has started."""
        running, _ = self.begin(Verb.INSTALL, self.packages.slow)
        self.wait_until_slow_runs()
        assert self.slow_runs()
        running.kill()
        assert running.wait(_LONGEST)
        assert running.result() is None
        assert not self.slow_runs()


def _release_of(product: InstalledProduct, packages: ContractPackages) -> MsiRelease:
    releases = (packages.first, packages.minor, packages.major, packages.slow)
    return next(release for release in releases if release.product_code == product.product_code)
