"""Works out a CODEOWNERS file from the groups and owners of a desired state. Pure.

A later line goes before an earlier one, for GitHub and GitLab alike: what is special stands below what is general.

Source: docs.github.com "About code owners", docs.gitlab.com "Code Owners syntax and error handling"
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.desired.layout import CATALOG_FOLDER, SETTINGS_FILE
from reconciler.desired.model import DesiredState

BEGIN = (
    "# >>> reconciler init: made from the groups and owners of the desired state; run it again after changing them"
)
END = "# <<< reconciler init: what stands outside is yours"


def generated_part(desired: DesiredState, root: str, guarded: Iterable[str]) -> str:
    """Return the lines that `reconciler init` keeps up to date, marks included.

    Args:
        desired: the desired state.
        root: its folder within the repository.
        guarded: further files that decide who must approve what: whoever owns the last environments owns them
            and the settings, or a change of theirs would be the way around every other owner.
    """
    lines: list[str] = []

    def own(path: str, groups: Iterable[str]) -> None:
        members = list(dict.fromkeys(member for group in groups for member in desired.groups.get(group, ())))
        if members:
            lines.append(f"/{path} {' '.join(members)}")

    for tenant in desired.tenants.values():
        own(f"{root}/{tenant.name}/", tenant.owners)
    for environment in desired.environments.values():
        own(f"{root}/{environment.name}/", environment.owners)
    for package in desired.packages.values():
        own(f"{root}/{CATALOG_FOLDER}/{package.name}.yaml", package.owners)
    last = _owners_of_the_last(desired)
    for path in (f"{root}/{SETTINGS_FILE}", *guarded):
        own(path, last)
    nobody = "# Nobody yet: name groups in reconciler.yaml, and owners in environments, packages and tenants."
    return "\n".join([BEGIN, *(lines or [nobody]), END]) + "\n"


def merged(present: str | None, generated: str) -> str | None:
    """Return a CODEOWNERS file with its generated part brought up to date.

    Args:
        present: the file as it is, ``None`` where there is none.
        generated: what `generated_part` returned.

    Returns:
        ``None`` where the file has no such part: it is somebody's own.
    """
    if present is None:
        return generated
    plain = present.replace("\r\n", "\n")
    start, end = plain.find(BEGIN), plain.find(END)
    if start < 0 or end < start:
        return None
    rest = plain[end + len(END) :].removeprefix("\n")
    return plain[:start] + generated + rest


def _owners_of_the_last(desired: DesiredState) -> tuple[str, ...]:
    """Return the owners of the environments from which nothing is promoted any further."""
    passed_on = {environment.promotes_from for environment in desired.environments.values()}
    return tuple(
        owner
        for environment in desired.environments.values()
        if environment.name not in passed_on
        for owner in environment.owners
    )
