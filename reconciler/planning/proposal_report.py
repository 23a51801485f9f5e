"""Writes a proposal out, for a terminal or for a pull request. Only text; what it says was decided elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reconciler.planning.proposal import Promoted, Proposal
from reconciler.planning.report import MARKDOWN, PLAIN, Style, need_lines, note_lines, plan_lines, some
from reconciler.planning.verification import HostEvidence, Witnessed, span
from reconciler.presentation.markdown import for_markdown
from reconciler.presentation.terminal import for_terminal

MOST_HOSTS = 20
"""How many hosts of the source are told of one by one; those that say something against the release go first."""

Moment = Callable[[float], str]
"""Writes a time in seconds since the epoch."""

_VERSION_COLUMNS = ("package", "from", "to", "verified")
_HOST_COLUMNS = ("host", "says", "since", "failures")

_MESSAGE = replace(MARKDOWN, title=lambda title: f"\n**{title}**\n")
"""Titles in bold: git takes lines that start with # for comments when somebody edits a message."""

_WORST_FIRST = (Witnessed.AMISS, Witnessed.SOAKING, Witnessed.HEALTHY, Witnessed.NOT_APPLICABLE)


def as_text(proposal: Proposal, moment: Moment) -> str:
    """Return a proposal for a terminal."""
    return "\n".join([for_terminal(proposal.title), *_sections(proposal, PLAIN, moment)])


def as_message(proposal: Proposal, moment: Moment) -> str:
    """Return a proposal in Markdown: its title, an empty line, all that a reviewer should know, and trailers."""
    body = "\n".join(_sections(proposal, _MESSAGE, moment)).strip()
    waived = [f"Unverified: {for_markdown(proposal.waiver)}"] if proposal.waiver else []
    title = for_terminal(proposal.title)
    return "\n".join([title, "", body, "", trailer(proposal.source, proposal.target), *waived, ""])


def trailer(source: str, target: str) -> str:
    """Return the line by which a commit is known as a promotion."""
    return f"Promotes: {for_terminal(source)} -> {for_terminal(target)}"


def _sections(proposal: Proposal, style: Style, moment: Moment) -> list[str]:
    lines = [style.title(style.clean(f"Promoted from {proposal.source} to {proposal.target}"))]
    lines += style.table(
        _VERSION_COLUMNS,
        [
            (item.package, item.before or "-", item.after, "yes" if item.verification.verified else "NO")
            for item in proposal.promoted
        ],
    )
    if proposal.waiver:
        lines += ["", f"UNVERIFIED, and proposed all the same: {style.clean(proposal.waiver)}"]
    for item in proposal.promoted:
        lines += _evidence(item, style, moment)
    if proposal.notes:
        lines.append(style.title("Releases in between"))
        lines += note_lines(proposal.notes, style)
    lines.append(style.title("What hosts would do"))
    lines += plan_lines(proposal.plan, style)
    lines.append(style.title("Who must approve"))
    lines += need_lines(proposal.needs, style)
    if not proposal.needs:
        lines.append(f"nobody: no approvals are asked for {style.clean(proposal.target)}")
    if proposal.reviewers:
        lines.append(style.title("Who owns it"))
    for owner in proposal.reviewers:
        lines.append("- " + style.clean(f"{owner.group}: {', '.join(owner.members)}"))
    return lines


def _evidence(item: Promoted, style: Style, moment: Moment) -> list[str]:
    found = item.verification
    lines = [style.title(style.clean(f"Evidence from {found.environment} for {item.package} {item.after}"))]
    reachable = found.having(Witnessed.HEALTHY, Witnessed.SOAKING, Witnessed.AMISS)
    good = found.having(Witnessed.HEALTHY)
    asked = f"for {span(found.soak)} or longer" if found.soak else "now"
    lines.append(f"{len(good)} of {len(reachable)} hosts that can be reached have it, healthy {asked}.")
    away = found.having(Witnessed.UNREACHABLE)
    if away:
        told = some([f"{host.host} ({host.message})" for host in away])
        lines += ["", f"Nothing is known of {len(away)} host(s): {style.clean(told)}"]
    spoken = sorted(
        (host for host in found.hosts if host.witnessed in _WORST_FIRST),
        key=lambda host: (_WORST_FIRST.index(host.witnessed), not host.failures, host.host),
    )
    if spoken:
        lines += ["", *style.table(_HOST_COLUMNS, [_row(host, moment) for host in spoken[:MOST_HOSTS]])]
    if len(spoken) > MOST_HOSTS:
        lines += ["", f"and {len(spoken) - MOST_HOSTS} more"]
    return lines


def _row(host: HostEvidence, moment: Moment) -> tuple[str, ...]:
    failures = "; ".join(f"{moment(failure.at)} {failure.message}" for failure in host.failures)
    since = moment(host.since) if host.since is not None else "-"
    return host.host, host.message, since, failures or "none"
