"""Takes in the hosts that the server reaches itself, and lets go of those that no file names so any longer."""

from __future__ import annotations

from reconciler.desired.model import DesiredState
from reconciler.hosts.roster import Roster
from reconciler.site import Site


def admit_pushed(site: Site, roster: Roster, desired: DesiredState) -> None:
    """Make the roster's pushed hosts those of ``desired``. They need no token: the file is what lets them in.

    A host that has enrolled and is now reached by the server keeps its key, so that it can go back to its agent.
    """
    pushed = {host.name.upper(): host for host in desired.hosts.values() if host.winrm is not None}
    for name, host in pushed.items():
        member = roster.find(name)
        if member is None:
            site.hosts.admit(name, host.environment, site.clock())
            record = site.hosts.find(name)
            assert record is not None
            member = roster.enrol(record)
        member.pushed = True
    for member in roster.members():
        if member.name in pushed:
            continue
        member.pushed = False
        if not member.key_sha256:
            site.hosts.dismiss(member.name)
            roster.leave(member.name)
