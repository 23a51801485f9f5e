"""How a package wants to be handled: what to stop meanwhile, what to run before and after, what must hold then."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.kernel.probes import FAILED, Answers, Probe, ProbeKind, same_version

LONGEST_STEP = 3600.0
"""Seconds after which a run is ended by force, where a package says nothing else."""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """What must hold of a host where a package is installed.

    ``wants`` is the answer that the probe must get: of a service its state, of a file its version, else the whole.
    """

    probe: Probe
    wants: str

    def passes(self, answer: str) -> bool:
        """Return whether ``answer`` is what is wanted."""
        if self.probe.kind is ProbeKind.SERVICE:
            return answer.partition(" ")[0] == self.wants
        if self.probe.kind is ProbeKind.FILE_VERSION:
            return same_version(answer, self.wants)
        return answer == self.wants


@dataclass(frozen=True, slots=True)
class Practice:
    """What a package says of how it is handled on a host.

    ``services`` are stopped before a step and started again after it, ``processes`` (image names) are ended.
    ``before`` and ``after`` are command lines run around a step. ``checks`` must hold after it and ever after, for
    which they have ``settle`` seconds. ``despite_reboot`` lets a step start while a reboot is pending. ``seconds``
    bounds each run of an installer or command.
    """

    services: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    checks: tuple[HealthCheck, ...] = ()
    settle: float = 60.0
    despite_reboot: bool = False
    seconds: float = LONGEST_STEP


NO_PRACTICE = Practice()
"""That of a package that says nothing."""


def failing_checks(checks: tuple[HealthCheck, ...], answers: Answers) -> tuple[str, ...]:
    """Return what is wrong, a line for each check that does not pass.

    Args:
        checks: what must hold.
        answers: what the host says; a check that it was not asked for yet counts as passing.
    """
    wrong = []
    for check in checks:
        answer = answers.get(check.probe.key)
        if answer is not None and not check.passes(answer):
            said = "could not be found out" if answer == FAILED else f"is {answer}"
            wrong.append(f"{check.probe.key} {said}, not {check.wants}")
    return tuple(wrong)
