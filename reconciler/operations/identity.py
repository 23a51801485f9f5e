"""Shows whose identity is in doubt, and keeps what a person decides: replaced keys, and second machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.status import Reason
from reconciler.operations.desired import state_in_force
from reconciler.planning.hosts import Alarm
from reconciler.site import Site
from reconciler.store.machines import MachineRecord, MachineState
from reconciler.store.replacements import Replacement, ReplacementState

SHORTEST_ID = 6
"""Digits of an id that a decision must name at least."""

_SHOWN = 12


class UnknownRequest(ReconcilerError):
    """A decision on something that does not wait for one."""

    reference = "unknown-request"


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, as it was kept. ``what`` is ``key`` or ``machine``, ``address`` where that came from."""

    host: str
    id: str
    what: str
    approved: bool
    address: str
    by: str


def alarms(site: Site) -> dict[str, Alarm]:
    """Return what a person must decide on, by host; of several things on one host the first."""
    found: dict[str, Alarm] = {}
    for request in site.replacements.pending():
        found.setdefault(request.host, Alarm(Reason.REPLACEMENT_PENDING, _asks(request)))
    for machine in site.machines.quarantined():
        found.setdefault(machine.host, Alarm(Reason.QUARANTINED, _apart(machine)))
    return found


def decide(site: Site, host: str, identity: str, *, approved: bool, by: str) -> Decided:
    """Keep a person's decision on a key that asks to replace a host's, or on a machine in quarantine.

    Args:
        site: the installation; its daemon takes the decision over within a second.
        host: the host's name, in any case.
        identity: the id that status shows, or its first digits. It makes sure that what is approved is what was
            shown.
        approved: whether the key or the machine speaks for the host from now on.
        by: who decides.

    Raises:
        UnknownRequest: nothing with this id waits for a decision, or the desired state has moved the host.
        NothingInForce: no valid revision was seen yet.
    """
    name, wanted, now = host.upper(), identity.lower(), site.clock()
    requests = [r for r in site.replacements.pending() if r.host == name and r.key_sha256.startswith(wanted)]
    apart = [
        m
        for m in site.machines.of(name)
        if m.state is MachineState.QUARANTINED and (m.run or _NO_RUN).startswith(wanted)
    ]
    if len(wanted) < SHORTEST_ID or len(requests) + len(apart) != 1:
        raise UnknownRequest(
            f"{len(requests) + len(apart)} requests with the id {identity} wait for a decision",
            where=name,
            hint=f"reconciler status shows each with its id; give at least {SHORTEST_ID} digits",
        )
    if apart:
        site.machines.decide(apart[0], approved=approved, by=by, now=now)
        return Decided(name, (apart[0].run or _NO_RUN)[:_SHOWN], "machine", approved, apart[0].address, by)
    request = requests[0]
    if approved:
        _demand_place(site, request)
    if not site.replacements.decide(request, approved=approved, by=by, now=now):
        raise UnknownRequest("somebody has decided on this request meanwhile", where=name)
    return Decided(name, request.fingerprint, "key", approved, request.address, by)


def replaced_keys(site: Site) -> Mapping[str, str]:
    """Return why keys that were replaced prove nothing any more, by their hashes."""
    return {
        done.old_key_sha256: f"the key of {done.host} was replaced by one from {done.address} "
        f"(by {done.decided_by}). If nobody meant that, tell whoever runs the server; "
        "else enrol this machine under a name of its own"
        for done in site.replacements.done()
        if done.old_key_sha256 and done.old_key_sha256 != done.key_sha256
    }


def last_replacement(site: Site, host: str) -> Replacement | None:
    """Return how a host came by its present key, where that took another one's place."""
    done = [item for item in site.replacements.of(host) if item.state is ReplacementState.REPLACED]
    return done[-1] if done else None


_NO_RUN = "unnamed"
"""The id of a machine whose agent does not name itself."""


def _demand_place(site: Site, request: Replacement) -> None:
    named = state_in_force(site).host(request.host)
    if named is not None and named.environment != request.environment:
        raise UnknownRequest(
            f"the request is for {request.environment}, but the desired state puts this host into "
            f"{named.environment}",
            where=request.host,
            hint=f"refuse it, and make a token: reconciler agent token --host {request.host}",
        )


def _asks(request: Replacement) -> str:
    moved = f" and move it to {request.environment}" if request.environment != request.old_environment else ""
    return (
        f"a machine at {request.address} asks to replace this host's key{moved} (token {request.token}). "
        f"Reinstalled? reconciler agent approve {request.host} {request.fingerprint}; else "
        f"reconciler agent refuse {request.host} {request.fingerprint}"
    )


def _apart(machine: MachineRecord) -> str:
    identity = (machine.run or _NO_RUN)[:_SHOWN]
    return (
        f"a machine at {machine.address} is in quarantine: {machine.why}. Is it a copy? reconciler agent refuse "
        f"{machine.host} {identity}; is it the host itself? reconciler agent approve {machine.host} {identity}"
    )
