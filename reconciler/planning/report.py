"""Writes a comparison out, for a terminal or for a pull request. Only text; what it says was decided elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reconciler.approval.effects import Effect
from reconciler.approval.needs import Need
from reconciler.kernel.status import Reason
from reconciler.planning.changes import ChangeKind, WishChange
from reconciler.planning.comparison import Comparison, ReleaseNote
from reconciler.planning.plan import Plan, StepGroup, group
from reconciler.presentation.markdown import as_block, for_markdown
from reconciler.presentation.terminal import for_terminal

_FEW = 4
"""How many hosts are named before the rest are counted."""

_CHANGE_COLUMNS = ("environment", "package", "change", "versions", "hosts", "which")
_STEP_COLUMNS = ("environment", "package", "step", "versions", "hosts", "which", "to fetch", "when")

_WORDS = {
    ChangeKind.ADDED: "ADD",
    ChangeKind.UPGRADED: "upgrade",
    ChangeKind.DOWNGRADED: "DOWNGRADE",
    ChangeKind.REBUILT: "rebuild: same version, other content",
    ChangeKind.ADJUSTED: "adjust: hosts that have it keep it as it is",
    ChangeKind.REMOVED: "REMOVE",
    ChangeKind.DROPPED: "DROP: no longer named, left as it is",
    ChangeKind.PRUNED: "PRUNE: no longer named, so it is removed",
}

_UNKNOWN = {
    Reason.NEVER_REPORTED: "that never reported",
    Reason.HOST_SILENT: "that are silent; their steps are by what they last said",
}

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], list[str]]


@dataclass(frozen=True, slots=True)
class Style:
    """How tables, titles and values are written: for a terminal, or in Markdown.

    ``clean`` is for each value that goes into a line. Tables clean their own cells.
    """

    table: Table
    title: Callable[[str], str]
    clean: Callable[[str], str]
    diff: Callable[[Sequence[str]], list[str]]


def as_text(comparison: Comparison) -> str:
    """Return a comparison for a terminal, in plain columns."""
    return "\n".join(_sections(comparison, PLAIN))


def as_markdown(comparison: Comparison) -> str:
    """Return a comparison for a pull request."""
    return "\n".join(_sections(comparison, MARKDOWN))


def size(count: int) -> str:
    """Return a number of bytes for people."""
    amount = float(count)
    for unit in ("B", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def note_lines(notes: Iterable[ReleaseNote], style: Style) -> list[str]:
    """Return what the catalog says of releases, a line for each."""
    lines: list[str] = []
    for note in notes:
        issue = f" ({note.issue})" if note.issue else ""
        told = " ".join(line.strip() for line in (note.notes or "no notes").split("\n"))
        lines.append(f"- {style.clean(f'{note.package} {note.version}{issue}: {told}')}")
    return lines


def need_lines(needs: Iterable[Need], style: Style) -> list[str]:
    """Return whose approval is needed, a line for each environment."""
    return [f"- {style.clean(need.text)}" for need in needs]


def some(names: Sequence[str]) -> str:
    """Return the first few of many names, and how many more there are."""
    few = ", ".join(names[:_FEW])
    return few if len(names) <= _FEW else f"{few} and {len(names) - _FEW} more"


def _sections(comparison: Comparison, style: Style) -> list[str]:
    base = style.clean(comparison.base[:10]) if comparison.base else "nothing"
    lines = [f"{base} -> {style.clean(comparison.revision[:10])}"]
    lines.append(style.title("What is wanted"))
    if comparison.changes:
        lines += style.table(_CHANGE_COLUMNS, [_change_row(change) for change in comparison.changes])
    else:
        lines.append("nothing changes")
    if comparison.notes:
        lines.append(style.title("Releases in between"))
        lines += note_lines(comparison.notes, style)
    lines.append(style.title("What hosts would do"))
    if comparison.plan is None:
        lines.append("not known: there is no installation here to ask what hosts have")
    else:
        lines += plan_lines(comparison.plan, style)
    if comparison.effects:
        lines.append(style.title("What takes effect"))
        lines += effect_lines(comparison.effects, style)
    if comparison.needs:
        lines.append(style.title("What it waits for"))
        lines += need_lines(comparison.needs, style)
    return lines


def effect_lines(effects: Sequence[Effect], style: Style) -> list[str]:
    """Return the entries that would newly take effect, each with the difference of its YAML.

    Entries that change alike, such as those of many hosts, are shown once.
    """
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for effect in effects:
        alike.setdefault((effect.environment, effect.diff), []).append(effect.entry)
    lines: list[str] = []
    for (environment, diff), entries in alike.items():
        lines += ["", style.clean(f"{environment}: {some(entries)}"), *style.diff(diff)]
    return lines


def plan_lines(plan: Plan, style: Style) -> list[str]:
    """Return the steps of a plan, hosts that do the same together, and what else it comes to."""
    groups = group(plan.steps)
    lines = style.table(_STEP_COLUMNS, [_step_row(alike) for alike in groups]) if groups else ["nothing to do"]
    for reason, why in _UNKNOWN.items():
        if names := tuple(host.host for host in plan.unknown if host.reason is reason):
            lines += ["", f"Cannot tell about {len(names)} host(s) {why}: {style.clean(some(names))}"]
    reboots = {host for alike in groups if alike.reboot_expected for host in alike.hosts}
    if reboots:
        lines += ["", f"A reboot is expected on {len(reboots)} host(s)."]
    for alike in groups:
        if alike.reason is Reason.HALTED:
            lines += [
                "",
                f"Halted on {len(alike.hosts)} host(s) of {style.clean(f'{alike.environment}: {alike.message}')}",
            ]
    busy = {step.host for step in plan.steps}
    lines += [
        "",
        f"{len(busy)} of {plan.hosts} hosts have something to do, {size(sum(g.fetch for g in groups))} to fetch",
    ]
    return lines


def _change_row(change: WishChange) -> tuple[str, ...]:
    return (
        change.environment,
        change.package,
        _WORDS[change.kind],
        f"{change.before or '-'} -> {change.after or '-'}",
        str(len(change.hosts)),
        some(change.hosts),
    )


def _step_row(alike: StepGroup) -> tuple[str, ...]:
    when = "now" if alike.reason is Reason.STEP_DUE else str(alike.reason)
    told = alike.message if alike.reason is not Reason.HALTED else ""  # once for all below the table
    return (
        alike.environment,
        alike.package,
        alike.kind.value,
        f"{alike.from_version or '-'} -> {alike.to_version or '-'}",
        str(len(alike.hosts)),
        some(alike.hosts),
        size(alike.fetch),
        when + (f": {told}" if told else ""),
    )


def _columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    table = [header, *([for_terminal(cell) for cell in row] for row in rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    ]


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return lines + ["| " + " | ".join(for_markdown(cell) for cell in row) + " |" for row in rows]


PLAIN = Style(
    _columns,
    lambda title: title,
    for_terminal,
    lambda lines: [f"  {for_terminal(line)}" for line in lines],
)
"""For a terminal: plain columns."""

MARKDOWN = Style(
    _markdown_table,
    lambda title: f"\n### {title}\n",
    for_markdown,
    lambda lines: as_block("\n".join(map(for_terminal, lines)), "diff").split("\n"),
)
"""For a pull request."""
