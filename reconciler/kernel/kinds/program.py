"""Programs with an installer of their own: found by a rule of the package, as Windows keeps no codes. Pure."""

from __future__ import annotations

from reconciler.kernel.assignment import Goal
from reconciler.kernel.kinds.finding import Finding, Obstacle
from reconciler.kernel.probes import ABSENT, FAILED, Answers, same_version, version_in, version_order
from reconciler.kernel.releases import ProgramRelease
from reconciler.kernel.status import Reason
from reconciler.kernel.steps import Action, Step, StepKind, Verb


def find_program(goal: Goal, answers: Answers) -> Finding:
    """Return which version of a program a host has, and the step that it takes.

    A newer version is installed over an older one; an older version only after the newer one was removed.

    Args:
        goal: what is wanted of one package.
        answers: what the host says.
    """
    releases = tuple(release for release in goal.releases if isinstance(release, ProgramRelease))
    if not releases:
        return Finding(None)
    answer = answers.get(releases[0].detect.key)
    if answer is None or answer == FAILED:
        # Without knowing what is there nothing may be done: it could be installed a second time, or over a newer
        # one.
        why = "the host was not asked yet" if answer is None else "the host could not find out what is installed"
        step = _step(goal, None, StepKind.INSTALL if goal.target is not None else StepKind.REMOVE, ())
        return Finding(None, step, Obstacle(Reason.NOT_KNOWN, why))
    version = None if answer == ABSENT else version_in(answer)
    target = goal.target if isinstance(goal.target, ProgramRelease) else None
    found = next((r for r in releases if version is not None and same_version(r.version, version)), None)
    if target is None:
        return Finding(version) if version is None else _removing(goal, version, found or releases[0])
    if version is None:
        return Finding(None, _step(goal, None, StepKind.INSTALL, (_set_up(goal, target),)))
    if same_version(version, target.version):
        return Finding(version)
    if version_order(version) < target.order:
        return Finding(version, _step(goal, version, StepKind.UPGRADE, (_set_up(goal, target),)))
    return _rolling_back(goal, version, found, target)


def _removing(goal: Goal, version: str, release: ProgramRelease) -> Finding:
    step = _step(goal, version, StepKind.REMOVE, (_uninstall(goal, version, release),))
    return Finding(version, step, None if release.uninstall else _cannot_be_removed(version))


def _rolling_back(goal: Goal, version: str, found: ProgramRelease | None, target: ProgramRelease) -> Finding:
    removing = _uninstall(goal, version, found or target)
    putting_back = (_set_up(goal, found),) if found is not None else ()
    step = _step(goal, version, StepKind.ROLL_BACK, (removing, _set_up(goal, target)), putting_back)
    if found is None:
        told = (
            f"{version} is in no catalog, so it could not be put back if going to {target.version} failed: "
            "add its installer to the catalog, or remove it by hand"
        )
        return Finding(version, step, Obstacle(Reason.UNKNOWN_NEWER_VERSION, told))
    return Finding(version, step, None if removing.command else _cannot_be_removed(version))


def _cannot_be_removed(version: str) -> Obstacle:
    return Obstacle(
        Reason.NOT_REMOVABLE, f"the catalog has no command that removes {version}: add it, or remove it by hand"
    )


def _set_up(goal: Goal, release: ProgramRelease) -> Action:
    return Action(Verb.SET_UP, version=release.version, release=release, seconds=goal.practice.seconds)


def _uninstall(goal: Goal, version: str, release: ProgramRelease) -> Action:
    return Action(
        Verb.REMOVE, version=version, release=release, command=release.uninstall, seconds=goal.practice.seconds
    )


def _step(
    goal: Goal,
    version: str | None,
    kind: StepKind,
    actions: tuple[Action, ...],
    compensation: tuple[Action, ...] = (),
) -> Step:
    return Step(kind, goal.package, version, goal.target.version if goal.target else None, actions, compensation)
