"""Settings as packages: which version a host has, what has drifted, and what to set. Pure."""

from __future__ import annotations

from reconciler.kernel.assignment import Goal
from reconciler.kernel.configuration import Setting, differing, leftovers
from reconciler.kernel.kinds.finding import Finding
from reconciler.kernel.probes import Answers
from reconciler.kernel.releases import ConfigurationRelease
from reconciler.kernel.steps import Action, Step, StepKind, Verb

_MOST_NAMED = 3


def find_configuration(goal: Goal, answers: Answers) -> Finding:
    """Return which version of a set of settings a host has, and the step that it takes.

    It has a version where every setting is as that version says and nothing is left of another one.

    Args:
        goal: what is wanted of one package.
        answers: what the host says.
    """
    releases = tuple(release for release in goal.releases if isinstance(release, ConfigurationRelease))
    version = next((release.version for release in releases if _is_there(release, releases, answers)), None)
    target = goal.target if isinstance(goal.target, ConfigurationRelease) else None
    wanted = target.settings if target is not None else ()
    others = tuple(release.settings for release in releases if release is not target)
    wrong = differing(wanted, answers)
    left = leftovers(wanted, others, answers)
    if not wrong and not left:
        return Finding(version)
    to_version = target.version if target is not None else None
    seconds = goal.practice.seconds
    action = Action(
        Verb.CONFIGURE, version=to_version or "", release=target, settings=wrong, leftovers=left, seconds=seconds
    )
    kind = StepKind.CONFIGURE if target is not None else StepKind.REMOVE
    step = Step(kind, goal.package, version, to_version, (action,))
    return Finding(version, step, message=_name(wrong, left))


def _is_there(release: ConfigurationRelease, releases: tuple[ConfigurationRelease, ...], answers: Answers) -> bool:
    others = tuple(other.settings for other in releases if other is not release)
    return not differing(release.settings, answers) and not leftovers(release.settings, others, answers)


def _name(wrong: tuple[Setting, ...], left: tuple[Setting, ...]) -> str:
    """Say which settings are not as they should be, the first few by name."""
    named = [str(setting) for setting in wrong] + [f"{setting} (to be removed)" for setting in left]
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return "differs: " + ", ".join(named[:_MOST_NAMED]) + more
