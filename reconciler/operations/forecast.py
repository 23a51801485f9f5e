"""Says what merging an open change would do, for whoever reviews it. Changes no branch, and nothing at a forge."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pygit2

from reconciler.approval.evidence import CheckState, Evidence
from reconciler.approval.forge import OpenChange
from reconciler.approval.needs import Need
from reconciler.desired.findings import Finding, Severity
from reconciler.desired.loading import load
from reconciler.desired.mirror import FetchError, fetch_ref
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.operations.admitting import load_state
from reconciler.operations.merging import missing_approvals
from reconciler.operations.plan import compare_states
from reconciler.planning.comparison import Comparison
from reconciler.planning.report import MARKDOWN, as_markdown
from reconciler.presentation.markdown import for_markdown
from reconciler.presentation.terminal import for_terminal
from reconciler.site import Site

LONGEST_SUMMARY = 140
"""Characters of a summary: what forges show of a status."""

LONGEST_REPORT = 60_000
"""Characters of a report: a comment at GitHub holds 65,536."""

MOST_FINDINGS = 20
"""Findings that are told one by one."""

_CHANGES = "refs/reconciler/changes/"
"""Where the mirror keeps the heads of changes that are on no branch of its remote."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What merging a change would do. ``summary`` is one line, ``report`` is Markdown for the change's page.

    ``needs`` is whose approval it takes, ``missing`` why that is not there yet.
    """

    state: CheckState
    summary: str
    report: str
    needs: tuple[Need, ...] = ()
    missing: tuple[str, ...] = ()


def forecast(site: Site, mirror: GitRepository, opened: OpenChange) -> Forecast:
    """Return what merging a change into the branch as it is now would do.

    Args:
        site: the installation.
        mirror: the mirror of the desired-state repository; nothing of the branch is fetched anew.
        opened: the change.

    Raises:
        RepositoryError: the mirror cannot be read.
    """
    try:
        _bring(mirror, opened)
    except FetchError as error:
        return _plain(CheckState.PENDING, f"its head cannot be fetched: {error.what}")
    base = mirror.head(site.settings.branch)
    draft, conflicts = _merge(mirror, base, opened.change.head)
    if conflicts:
        named = ", ".join(conflicts[:MOST_FINDINGS])
        return _plain(CheckState.FAILED, f"it conflicts with {site.settings.branch}: {named}")
    loaded = load(mirror, draft, site.settings.root, site.loads)
    if loaded.state is None:
        return invalid_change([found for found in loaded.findings if found.severity is Severity.ERROR])
    in_force = site.revisions.in_force()
    before = load_state(site, mirror, in_force) if in_force is not None else None
    branch = load_state(site, mirror, base)
    comparison = replace(compare_states(site, before, loaded.state, branch), revision=opened.change.head)
    missing = missing_approvals(site, mirror, Evidence(draft, opened.change), site.loads)
    report = merge_report(replace(comparison, needs=()), missing)
    return Forecast(CheckState.PASSED, _summary_line(_summary(comparison)), report, comparison.needs, missing)


def forget_changes(mirror: GitRepository, still_open: Iterable[int]) -> None:
    """Let go of the heads of changes that are open no longer."""
    kept = {f"{_CHANGES}{number}" for number in still_open}
    references = mirror.handle().references
    for name in list(references):
        if name.startswith(_CHANGES) and name not in kept:
            references.delete(name)


def _bring(mirror: GitRepository, opened: OpenChange) -> None:
    """Have a change's head in the mirror. It is there already where it is on a branch."""
    head = opened.change.head
    if head in mirror.handle():
        return
    if not opened.change.ref:
        raise FetchError("the forge does not say where it is", where=opened.change.name)
    fetch_ref(mirror, opened.change.ref, f"{_CHANGES}{opened.number}")
    if head not in mirror.handle():
        raise FetchError(f"{opened.change.ref} does not lead to {head[:10]}", where=opened.change.name)


def _merge(mirror: GitRepository, base: str, head: str) -> tuple[str, tuple[str, ...]]:
    """Return a commit that merges a head into another, on no branch; or else the paths where the two conflict.

    The same two give the same commit, so that it is there once however often it is made.
    """
    index = mirror.merge(base, head)
    if index is None:
        return "", ("everything: the two have no history in common",)
    if index.conflicts is not None:
        entries = (entry for sides in index.conflicts for entry in sides if entry is not None)
        return "", tuple(sorted({entry.path for entry in entries}))
    handle = mirror.handle()
    at = mirror.commit(head).committed_at
    who = pygit2.Signature("Reconciler", "reconciler@localhost", at, 0)
    try:
        tree = index.write_tree(handle)
        parents: list[str | pygit2.Oid] = [pygit2.Oid(hex=base), pygit2.Oid(hex=head)]
        return str(handle.create_commit(None, who, who, "draft", tree, parents)), ()
    except pygit2.GitError as error:
        raise RepositoryError(f"cannot merge {head[:10]}: {error}", where=str(mirror.folder)) from error


def _plain(state: CheckState, what: str) -> Forecast:
    return Forecast(state, _summary_line(what), for_markdown(what))


def invalid_change(errors: list[Finding]) -> Forecast:
    """Return the forecast of a change that does not validate.

    Args:
        errors: why, one at least.
    """
    first = errors[0]
    lines = [f"It does not validate: {len(errors)} error(s)", ""]
    lines += [
        f"- {for_markdown(f'{found.path}:{found.line}:{found.column}: {found.message}')}"
        for found in errors[:MOST_FINDINGS]
    ]
    if len(errors) > MOST_FINDINGS:
        lines += ["", f"and {len(errors) - MOST_FINDINGS} more: run reconciler validate"]
    return Forecast(
        CheckState.FAILED, _summary_line(f"{first.path}:{first.line}: {first.message}"), "\n".join(lines)
    )


def _summary(comparison: Comparison) -> str:
    assert comparison.plan is not None, "what hosts last said is known here"
    if not comparison.changes:
        return "nothing changes"
    busy = len({step.host for step in comparison.plan.steps})
    return f"{len(comparison.changes)} change(s); {busy} of {comparison.plan.hosts} hosts have something to do"


def merge_report(comparison: Comparison, missing: tuple[str, ...]) -> str:
    """Return what merging a change would do, and what it waits for, in Markdown and short enough for a comment.

    Args:
        comparison: what it would do.
        missing: what it waits for, a line each.
    """
    text = as_markdown(comparison)
    ends = "\n".join([MARKDOWN.title("What it waits for"), *(f"- {for_markdown(reason)}" for reason in missing)])
    if not missing:
        ends = "\n".join([MARKDOWN.title("What it waits for"), "nothing: it may be merged"])
    room = LONGEST_REPORT - len(ends)
    if len(text) > room:
        cut = f"\n\n… cut. All of it: `reconciler plan --revision {comparison.revision}`\n"
        text = _closed(text[: room - len(cut)].rpartition("\n")[0]) + cut
    return f"{text}\n{ends[:LONGEST_REPORT]}"


def _closed(text: str) -> str:
    """Return Markdown that was cut at a line end, with the code block closed that the cut left open."""
    fences = re.findall("^`{3,}", text, flags=re.MULTILINE)
    return f"{text}\n{fences[-1]}" if len(fences) % 2 else text


def _summary_line(text: str) -> str:
    line = for_terminal(text)
    return line if len(line) <= LONGEST_SUMMARY else line[: LONGEST_SUMMARY - 1] + "…"
