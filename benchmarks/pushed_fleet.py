"""A repository, a daemon, a lab host with an agent and one without: plays a round of installs and times it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from reconciler.desired.editing import add_release, new_package
from reconciler.kernel.attempts import Attempt, Outcome
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.releases import MsiRelease
from reconciler.lab import LabHost
from reconciler.lab.packages import BuiltPackage, build, plain_package
from reconciler.lab.template import PYTHON
from reconciler.operations.lab import lab_of, lab_up
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.testing.daemon_process import DaemonProcess
from reconciler.testing.workspace import Workspace

T = TypeVar("T")

POLL_SECONDS = 1.0
"""Seconds between two polls of the agent."""

_PACKAGE = "benchmark-package"
_KEPT, _BARE = "KEPT-01", "BARE-01"
_LOOK_AGAIN_SECONDS = 0.01
_LONGEST_WAIT = 60.0
_TIMED_MSIEXEC = """
import subprocess, sys, time
for verb in ("/i", "/x"):
    started = time.perf_counter()
    code = subprocess.call(["msiexec", verb, sys.argv[1], "/qn"], stdin=-3, stdout=-3, stderr=-3)
    print(code, time.perf_counter() - started)
"""


class RoundFailed(ReconcilerError):
    """A round that did not come to its end as it should."""

    reference = "round-failed"


@dataclass(frozen=True, slots=True)
class Round:
    """One release installed both ways. All in seconds; ``bare`` and ``pushed`` are the whole of each.

    ``pushed`` is made up of the four after it: until the revision is in force, until the host has taken its
    assignment and started, the step on the host, and until the server has the host's word for it.
    """

    bare: float
    pushed: float
    in_force: float
    taken: float
    step: float
    told: float


class PushedFleet:
    """A repository, a running daemon, and two lab hosts: one with an agent, one without."""

    def __init__(self, folder: Path, site: Site, workspace: Workspace) -> None:
        self._folder = folder
        self._site = site
        self._workspace = workspace
        self._catalog = ""

    def play(self, number: int, wait: float) -> Round:
        """Install a new release both ways, where the one before was taken away first.

        Args:
            number: makes the release one that no host has seen.
            wait: seconds between the host's last word and the push: where in the poll interval it falls.

        Raises:
            RoundFailed: an installer failed, or something did not come about in time.
        """
        built = build(plain_package(_PACKAGE, f"1.0.{number}"), self._folder / "packages")
        lab = lab_of(self._site)
        bare = _msiexec(lab.host(_BARE), built.path)
        if self._catalog:
            self._commit("absent")
            self._workspace.push()
            self._await_verified(None)
        removed_at = time.monotonic()
        release = self._take_in(built)
        self._commit(release.version)
        time.sleep(max(removed_at + wait - time.monotonic(), 0))
        pushed_at = time.time()
        self._workspace.push()
        attempt = self._await_verified(release)
        verified_at = time.time()
        revision = self._site.revisions.find(attempt.revision)
        assert revision is not None
        assert attempt.ended_at is not None
        return Round(
            bare,
            verified_at - pushed_at,
            revision.seen_at - pushed_at,
            attempt.started_at - revision.seen_at,
            attempt.ended_at - attempt.started_at,
            verified_at - attempt.ended_at,
        )

    def _take_in(self, built: BuiltPackage) -> MsiRelease:
        source = built.source
        artifact = self._site.artifacts.add(built.path)
        release = MsiRelease(source.version, source.product_code, source.package_code, artifact)
        self._catalog = (
            add_release(self._catalog, release) if self._catalog else new_package(source.upgrade_code, release)
        )
        return release

    def _commit(self, version: str) -> None:
        environment = f"packages:\n  {_PACKAGE}: {version}\n"
        self._workspace.write(
            {
                f"environments/catalog/{_PACKAGE}.yaml": self._catalog,
                "environments/dev/environment.yaml": environment,
            }
        )
        self._workspace.commit(f"{_PACKAGE} {version}")

    def _await_verified(self, release: MsiRelease | None) -> Attempt:
        """Wait until the server has the attempt's outcome and a report that the host is so; return the attempt."""
        head = self._workspace.head

        def verified() -> Attempt | None:
            newest = next(iter(self._site.attempts.newest(limit=1)), None)
            if newest is None or newest.attempt.revision != head or newest.attempt.outcome is None:
                return None
            if newest.attempt.outcome is not Outcome.SUCCEEDED:
                raise RoundFailed(f"the attempt {newest.attempt.outcome}: {newest.attempt.message}", where=_KEPT)
            record = self._site.hosts.find(_KEPT)
            assert record is not None
            assert record.observation is not None
            installed = {product.package_code for product in record.observation.products}
            return newest.attempt if installed == ({release.package_code} if release else set()) else None

        return _await(verified, f"{release.version if release else 'removal'} was not verified")


@contextmanager
def pushed_fleet(folder: Path) -> Iterator[PushedFleet]:
    """Start everything in an empty folder, and take it all down at the end.

    Raises:
        LabUnavailable: this machine lacks what lab hosts need.
        RoundFailed: something did not come up in time.
    """
    with ExitStack() as stack:
        workspace = Workspace(folder / "fleet.git", folder / "fleet")
        site = stack.enter_context(open_site(Settings(data=folder / "data", repository=str(workspace.bare))))
        files = {
            "environments/reconciler.yaml": "version: 1\n",
            "environments/dev/environment.yaml": "packages: {}\n",
            f"environments/dev/hosts/{_KEPT}.yaml": "labels: {}\n",
        }
        workspace.publish(files, "Nothing yet")
        daemon = DaemonProcess(site.settings.data, workspace.bare)
        stack.callback(daemon.stop)
        daemon.start()
        _await(site.revisions.in_force, "the first commit did not come into force")
        lab = lab_of(site)
        stack.callback(lab.down)
        lab.up([_BARE])
        lab_up(site, [_KEPT], POLL_SECONDS)
        _await(lambda: (known := site.hosts.find(_KEPT)) and known.observation, "the agent did not report")
        yield PushedFleet(folder, site, workspace)


def _msiexec(host: LabHost, msi: Path) -> float:
    """Install and remove on a host that nobody keeps; return the seconds of the install, as the host saw them."""
    there = rf"C:\Benchmark\{msi.name}"
    host.copy_in(msi, there)
    done = host.run([PYTHON, "-I", "-c", _TIMED_MSIEXEC, there])
    lines = [line.split() for line in done.stdout.splitlines()]
    if [line[0] for line in lines] != ["0", "0"]:
        raise RoundFailed(f"msiexec failed: {done.stdout}{done.stderr}", where=_BARE)
    return float(lines[0][1])


def _await(look: Callable[[], T | None], otherwise: str) -> T:
    deadline = time.monotonic() + _LONGEST_WAIT
    while not (found := look()):
        if time.monotonic() > deadline:
            raise RoundFailed(f"{otherwise} within {_LONGEST_WAIT:.0f} s")
        time.sleep(_LOOK_AGAIN_SECONDS)
    return found
