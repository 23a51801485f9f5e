"""Steps: one thing to do on a host, spelt out as the runs of installers and commands that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.kernel.configuration import Setting
from reconciler.kernel.practice import LONGEST_STEP, HealthCheck
from reconciler.kernel.releases import MsiRelease, Release


class StepKind(StrEnum):
    """What a step does to a package on a host.

    ``FINISH`` runs the commands that a package names for after a step and that failed then.
    """

    INSTALL = "install"
    MINOR_UPDATE = "minorUpdate"
    MAJOR_UPGRADE = "majorUpgrade"
    UPGRADE = "upgrade"
    REPLACE = "replace"
    ROLL_BACK = "rollBack"
    REMOVE = "remove"
    PATCH = "patch"
    CONFIGURE = "configure"
    FINISH = "finish"


class Verb(StrEnum):
    """What one run on a host is asked to do.

    ``INSTALL``, ``REINSTALL``, ``REMOVE``, ``PATCH`` and ``UNPATCH`` are for Windows Installer; ``SET_UP`` runs a
    program's own installer and ``COMMAND`` a command line.
    """

    INSTALL = "install"
    REINSTALL = "reinstall"
    REMOVE = "remove"
    PATCH = "patch"
    UNPATCH = "unpatch"
    SET_UP = "setUp"
    COMMAND = "command"
    CONFIGURE = "configure"
    STOP = "stop"
    START = "start"


@dataclass(frozen=True, slots=True)
class Action:
    """One run on a host.

    ``product_code`` is that of the product installed, removed or patched. ``release`` is ``None`` where a product
    no catalog knows is removed, and where no release is concerned. ``command`` is a whole command line.
    ``settings`` are to be set and ``leftovers`` to be deleted. ``services`` and ``processes`` are to be stopped,
    or services to be started. ``seconds`` bounds how long it may take.
    """

    verb: Verb
    product_code: str = ""
    version: str = ""
    release: Release | None = None
    command: str = ""
    settings: tuple[Setting, ...] = ()
    leftovers: tuple[Setting, ...] = ()
    services: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    seconds: float = LONGEST_STEP


NEEDS_FILES = frozenset({Verb.INSTALL, Verb.REINSTALL, Verb.PATCH, Verb.SET_UP, Verb.CONFIGURE})
"""What cannot be done without the release's artifacts."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do on a host.

    ``before``, then ``actions``, then ``after`` run in order, with a look at the host after each action; when an
    action fails, ``compensation`` puts back what ``actions`` had taken away. ``lastly`` runs however the step
    went. ``removes`` are the product codes that must be gone afterwards, ``checks`` what must hold, for which they
    have ``settle`` seconds. ``sources`` are the releases installed now: their files mend a source that Windows
    lost.
    """

    kind: StepKind
    package: str
    from_version: str | None
    to_version: str | None
    actions: tuple[Action, ...]
    compensation: tuple[Action, ...] = ()
    removes: tuple[str, ...] = ()
    before: tuple[Action, ...] = ()
    after: tuple[Action, ...] = ()
    lastly: tuple[Action, ...] = ()
    checks: tuple[HealthCheck, ...] = ()
    settle: float = 0.0
    sources: tuple[MsiRelease, ...] = ()

    @property
    def artifacts(self) -> tuple[Release, ...]:
        """The releases whose files must be on the host before the first action runs."""
        needed = [
            action.release
            for action in (*self.actions, *self.compensation)
            if action.release is not None and action.verb in NEEDS_FILES
        ]
        return tuple(dict.fromkeys(needed))
