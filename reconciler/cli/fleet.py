"""Commands on the fleet: status, host, history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import DataOption, Format, FormatOption, settings_from

if TYPE_CHECKING:
    from reconciler.operations.history import Happening
    from reconciler.operations.status import SiteStatus
    from reconciler.store.attempts import AttemptRecord

HostArgument = Annotated[str, typer.Argument(help="The host's name, in any case.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many entries at most.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("status", epilog="Example: `reconciler status --environment prod`")(status)
    app.command("host", epilog="Example: `reconciler host PROD-01`")(host)
    app.command("history", epilog="Example: `reconciler history --host PROD-01 --limit 20`")(history)


def status(
    environment: Annotated[
        str | None, typer.Option("--environment", help="Only the hosts of this environment.")
    ] = None,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Show the revision in force, trouble in following the repository, and where every host stands."""
    from reconciler.cli.output import health, print_json, print_line, print_table, tries
    from reconciler.operations.status import site_status
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        everything = site_status(site, environment)
    if form is Format.JSON:
        print_json(everything)
        return
    _print_revisions(everything)
    _print_waiting(everything)
    rows = []
    for item in everything.hosts:
        rows.append(
            (
                item.host,
                item.environment,
                "",
                item.sync.value,
                health(item.health),
                item.reason.value,
                item.message,
            )
        )
        rows += [
            (
                "",
                "",
                f"{standing.package} {standing.installed or '-'}"
                + (f" -> {standing.wanted or 'absent'}" if standing.step is not None else ""),
                standing.sync.value,
                health(standing.health),
                standing.reason.value,
                "; ".join(text for text in (tries(standing.tries), standing.message) if text),
            )
            for standing in item.packages
        ]
    print_table(("host", "environment", "package", "sync", "health", "reason", "message"), rows)
    for halt in everything.halts:
        print_line(
            f"{halt.package} {halt.version or 'absent'} is halted on {len(halt.hosts)} hosts of "
            f"{halt.environment}: {halt.message}",
            "red",
        )
    _print_notifications(everything)
    settled = sum(item.reason == "UpToDate" for item in everything.hosts)
    print_line(f"{settled} of {len(everything.hosts)} hosts are as they should be")


def host(name: HostArgument, data: DataOption = None, form: FormatOption = Format.TEXT) -> None:
    """Show one host: where it stands, what it has, what was tried there lately."""
    from reconciler.cli.output import health, moment, print_json, print_line, print_table, tries
    from reconciler.operations.host import host_detail
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        detail = host_detail(site, name)
    known = detail.known
    if form is Format.JSON:
        print_json(
            {
                "status": detail.status,
                "last_seen": known.last_seen,
                "assigned": known.assigned,
                "acknowledged": known.acknowledged,
                "observation": known.observation,
                "attempts": [record.attempt for record in detail.attempts],
                "replacement": detail.replacement,
            }
        )
        return
    state = detail.status
    print_line(f"{state.host} in {state.environment}: {state.sync} / {state.health} / {state.reason}", "bold")
    if state.message:
        print_line(f"  {state.message}")
    print_line(f"  last seen {moment(known.last_seen)}")
    if detail.replacement is not None:
        done = detail.replacement
        print_line(f"  key replaced {moment(done.decided_at)} by {done.decided_by}, from {done.address}")
    if known.observation is not None:
        seen = known.observation
        print_line(f"  {seen.system}, agent {seen.agent_version}, up since {moment(seen.booted_at)}")
        if seen.reboot_pending:
            print_line(f"  reboot pending: {', '.join(seen.reboot_pending)}")
    print_table(
        ("package", "installed", "wanted", "sync", "health", "reason", "tries"),
        [
            (
                s.package,
                s.installed or "-",
                s.wanted or "absent",
                s.sync.value,
                health(s.health),
                s.reason.value,
                tries(s.tries),
            )
            for s in state.packages
        ],
    )
    _print_attempts(detail.attempts)


def history(
    host_name: Annotated[str | None, typer.Option("--host", help="Only what concerns this host.")] = None,
    package: Annotated[str | None, typer.Option("--package", help="Only what concerns this package.")] = None,
    limit: LimitOption = 50,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Show what happened, newest first: revisions seen, attempts made, standings changed, retries asked for."""
    from reconciler.cli.output import moment, print_json, print_table
    from reconciler.operations.history import history as happened
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        entries = happened(site, host=host_name, package=package, limit=limit)
    if form is Format.JSON:
        print_json(entries)
        return
    print_table(("when", "host", "what"), [(moment(e.at), e.host, _happening(e)) for e in entries])


def _print_revisions(everything: SiteStatus) -> None:
    from reconciler.cli.output import brief, moment, print_line

    record = everything.in_force
    if record is None:
        print_line("no revision is in force yet", "yellow")
    else:
        print_line(f"revision {record.commit[:10]} in force since {moment(record.seen_at)}: {record.subject}")
        if record.rewritten:
            print_line("  the branch was rewritten (force-pushed) to it", "yellow")
    if everything.rejected is not None:
        rejected = everything.rejected
        commit = f"{rejected.commit[:10]} ({brief(rejected.subject)}, {brief(rejected.author)})"
        print_line(
            f"revision {commit} does not validate, so it is not in force:",
            "red",
        )
        for finding in rejected.findings:
            print_line(f"  {finding['path']}:{finding['line']}:{finding['column']}: {finding['message']}")
    if everything.fetch_trouble:
        print_line(f"the repository cannot be followed: {everything.fetch_trouble}", "red")
    if everything.shortage:
        print_line(f"the server is short of resources: {everything.shortage}", "red")


def _print_waiting(everything: SiteStatus) -> None:
    from reconciler.cli.output import brief, moment, print_line

    for item in everything.waiting:
        print_line(
            f"{item.environment}: {item.status} since {moment(item.since)}: it stays at {item.commit[:10]}, and "
            f"{item.blocked[:10]} ({brief(item.subject)}, {brief(item.author)}) does not count for it:",
            "red",
        )
        for reason in item.reasons:
            print_line(f"  {reason}")


def _print_notifications(everything: SiteStatus) -> None:
    from reconciler.cli.output import moment, print_line

    for refused in everything.refused:
        print_line(f"not granted: {refused}", "red")

    for item in everything.notifications:
        if item.letters:
            trouble = item.trouble
            told = f"notifications: {item.letters} waiting for {item.lane} since {moment(item.since)}"
            if trouble is None:
                print_line(told)
            else:
                tries = f"{trouble.failures} tries failed, the next is due {moment(trouble.next_at)}"
                print_line(f"{told}; {tries}, last error: {trouble.error}", "red")
        if item.given_up:
            print_line(f"notifications: {item.given_up} for {item.lane} could not be delivered", "red")


def _print_attempts(records: tuple[AttemptRecord, ...]) -> None:
    from reconciler.cli.output import moment, print_table

    print_table(
        ("started", "package", "step", "versions", "outcome", "message"),
        [
            (
                moment(r.attempt.started_at),
                r.attempt.package,
                r.attempt.kind.value,
                f"{r.attempt.from_version or '-'} -> {r.attempt.to_version or '-'}",
                r.attempt.outcome.value if r.attempt.outcome else "running",
                r.attempt.message,
            )
            for r in records
        ],
    )


def _happening(entry: Happening) -> str:
    from reconciler.cli.output import brief, retry_words

    if entry.revision is not None:
        record = entry.revision
        rewritten = ", the branch was rewritten" if record.rewritten else ""
        return (
            f"revision {record.commit[:10]} {record.verdict}{rewritten}: {brief(record.subject)} ({record.author})"
        )
    if entry.attempt is not None:
        attempt = entry.attempt
        versions = f"{attempt.from_version or '-'} -> {attempt.to_version or '-'}"
        outcome = attempt.outcome.value if attempt.outcome else "running"
        why = f": {attempt.message}" if attempt.message else ""
        return f"{attempt.kind} {attempt.package} {versions}: {outcome}{why}"
    if entry.retry is not None:
        return retry_words(entry.retry)
    transition = entry.transition
    assert transition is not None
    before, after = transition.before or "(new)", transition.after or "(no longer managed)"
    return f"{transition.package or 'host'}: {before} -> {after}"
