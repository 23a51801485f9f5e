"""The messages between agent and server, and where they go. The agent always asks; the server only answers.

A host proves who it is with ``Authorization: Bearer <host>:<key>``; the key is its own, made by itself when it
enrolled, and the server keeps only a hash of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.attempts import Attempt
from reconciler.kernel.observation import Observation
from reconciler.kernel.wire import digest

ENROL = "/agent/v1/enrol"
"""POST `EnrolRequest` with a one-time token; 204. The same token with the same key may be sent again."""

CHECK_IN = "/agent/v1/check-in"
"""POST `CheckIn`; 204 when nothing is new, else 200 with a `CheckInAnswer`."""

REPORT = "/agent/v1/report"
"""POST `Report`; 204, or 200 with a `ReportAnswer`. Sending it again does no harm."""

ARTIFACTS = "/agent/v1/artifacts/"
"""GET with the sha256 appended; honours Range."""

LOGS = "/agent/v1/logs/"
"""PUT with an attempt's id appended: the installer's log of a failed attempt, UTF-8, as `text/plain`."""

LONGEST_LOG = 4 * 1024 * 1024
"""Bytes of a log that are kept: of a longer one the end, where the failure stands."""


MACHINE_HEADER = "Reconciler-Machine"
"""A header of every request: run, start and machine, with a space between them.

The run names this start of the agent, random; the start counts them, on disk; the machine is a fingerprint of the
machine, empty where unknown. By these the server tells a restart from a reverted snapshot, and both from a second
machine with the same key.
"""


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """A host asks to be known. The token says into which environment."""

    host: str
    token: str
    key_sha256: str


@dataclass(frozen=True, slots=True)
class CheckIn:
    """A host says that it lives: the digests of its last report and of the assignment it works from.

    ``busy`` names the package that a step is running for, so that a long install is seen while it runs.
    ``sequence`` counts the check-ins of this start of the agent: one that counts back was reverted.
    """

    report: str
    assignment: str
    busy: str | None = None
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class CheckInAnswer:
    """What is new for a host: an assignment, or that the server lacks its report.

    ``assignment_digest`` comes with an assignment. To the agent it is opaque: it says it back at each check-in,
    and never works it out, so that an agent of another release agrees with the server all the same.

    ``notice`` is for the agent's log: why it is asked for nothing. ``renew`` asks it for a new run.
    """

    assignment: Assignment | None = None
    assignment_digest: str = ""
    send_report: bool = False
    notice: str = ""
    renew: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """All that a host knows of itself, and every attempt that the server has not confirmed yet.

    ``assignment`` is the digest of the assignment it works from, empty before the first. ``digest`` is the
    report's own, as the agent works it out; to the server it is opaque.
    """

    observation: Observation
    assignment: str = ""
    attempts: tuple[Attempt, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """What the server changed or left out of a report that it has kept. It refuses that permanently.

    The agent logs the ``notes`` and sends none of it again.
    """

    notes: tuple[str, ...] = ()


def hash_key(key: str) -> str:
    """Return the form in which the server keeps a host's key or an enrolment token.

    Keys are random and long, so a plain hash is enough; a slow one would cost 100 ms at each check-in.
    """
    return hashlib.sha256(key.encode("ascii", "replace")).hexdigest()


def goal_fingerprint(goal: Goal, retry: int = 0) -> str:
    """Return the fingerprint of a goal: what is wanted, whatever else the catalog holds.

    Args:
        goal: the goal; whether it may start plays no part.
        retry: the number of the last retry that somebody asked for, 0 where nobody did.
    """
    wanted = (goal.package, goal.upgrade_code, goal.target, goal.practice)
    return digest((*wanted, retry) if retry else wanted)[:16]


def assignment_digest(assignment: Assignment) -> str:
    """Return the digest of an assignment, as the server works it out.

    Neither revision nor host plays a part: a commit that changes nothing for a host sends nothing to it, and
    hosts that should have the same share one digest.
    """
    return digest((assignment.environment, assignment.goals, assignment.hold))


def report_digest(observation: Observation, assignment: str) -> str:
    """Return the digest of a report, as the agent works it out."""
    return digest((observation, assignment))
