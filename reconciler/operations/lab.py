"""Starts Windows hosts without Windows and lets their agents enrol: for a first try, and for demonstrations."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.kernel.errors import ReconcilerError
from reconciler.lab import HostStatus, Lab
from reconciler.lab.agent import AGENT_DATA
from reconciler.operations.desired import state_in_force
from reconciler.operations.token import make_token
from reconciler.site import Site


class CannotStartLab(ReconcilerError):
    """Lab hosts that cannot be started."""

    reference = "cannot-start-lab"


def lab_of(site: Site) -> Lab:
    """Return the lab beside an installation."""
    return Lab(site.settings.data / "lab")


def lab_up(site: Site, names: Sequence[str], poll_seconds: float) -> tuple[HostStatus, ...]:
    """Start lab hosts, each with an agent enrolled into the environment that names it.

    Args:
        site: the installation, whose daemon must be running.
        names: hosts of the desired state in force; none for all of them. One that runs is left as it is.
        poll_seconds: seconds between check-ins of their agents.

    Raises:
        CannotStartLab: a name is not in the desired state, or no daemon has run here.
        LabUnavailable: this machine lacks what the lab needs.
        NothingInForce: no valid revision was seen yet.
    """
    desired = state_in_force(site)
    url = site.revisions.fact("url")
    ca = site.settings.data / "tls" / "ca.pem"
    if url is None or not ca.exists():
        raise CannotStartLab(
            "no daemon has served agents from here yet",
            where=str(site.settings.data),
            hint="start one: reconciler daemon --repository …",
        )
    wanted = list(names) or list(desired.hosts)
    for name in wanted:
        if desired.host(name) is None:
            raise CannotStartLab(
                f"no file of the desired state names the host {name}",
                hint=f"there are: {', '.join(desired.hosts)}",
            )
    lab = lab_of(site)
    running = {status.name.upper() for status in lab.status() if status.agent_running}
    for host in lab.up([name.upper() for name in wanted if name.upper() not in running]):
        environment = desired.environment_of(host.name)
        assert environment is not None
        host.install_agent(
            {
                "server": url,
                "host": host.name,
                "token": make_token(site, environment, host.name),
                "ca": "ca.pem",
                "pollSeconds": poll_seconds,
            }
        )
        host.copy_in(ca, AGENT_DATA + "\\ca.pem")
        host.start_agent()
    return lab.status()
