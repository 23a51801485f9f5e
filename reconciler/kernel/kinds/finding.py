"""What was found of one package on a host."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.kernel.status import Reason
from reconciler.kernel.steps import Step


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What no retry can mend: a person must decide."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a host has of one package, and the step that would bring it on; ``None`` where it is as it should be.

    ``installed`` is the version, or several. ``message`` says what differs where versions do not. ``applies`` is
    false where there is nothing on the host that the package could be brought to.
    """

    installed: str | None
    step: Step | None = None
    obstacle: Obstacle | None = None
    message: str = ""
    applies: bool = True
