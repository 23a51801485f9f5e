"""The command that shows it all: demo."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reconciler.demo.stage import Stage
    from reconciler.demo.story import SceneOutcome

Say = Callable[[str, str], None]
"""Prints a line in a style."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("demo", epilog="Example: `reconciler demo --check`")(demo)


def demo(
    check: Annotated[
        bool, typer.Option("--check", help="Unattended: print one JSON object, exit 0 only if every host matched.")
    ] = False,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Use simulated hosts even where lab hosts could be started.")
    ] = False,
) -> None:
    """Lead through a promotion on a fleet of its own: repository, daemon, hosts, all in a temporary folder."""
    from reconciler.cli.output import print_json, print_line
    from reconciler.demo.stage import set_up
    from reconciler.demo.story import Story
    from reconciler.demo.ways import choose

    say: Say = _say_aside if check else print_line
    way = choose(simulated=simulated)
    say(way.first_line, "bold")

    def announce(title: str, how: str) -> None:
        say("", "")
        say(title, "bold")
        say(f"  {how}", "bold")

    outcomes: list[SceneOutcome] = []
    matched = False
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="reconciler-demo-"))
    say(f"setting up in {folder}: installers, repository, daemon, hosts", "")
    with _kept_if_it_fails(folder, lambda: matched, say), set_up(folder, way.hosts, way.artifacts) as stage:
        story = Story(stage, announce, lambda text: say(f"  {text}", ""))
        for outcome in story.play():
            outcomes.append(outcome)
            _show(outcome, say)
        matched = all(outcome.matched for outcome in outcomes)
        say("", "")
        say("every host matched in every scene" if matched else "NOT EVERY HOST MATCHED", "bold")
        if not check and sys.stdin.isatty():
            _look_around(stage)
    if check:
        print_json(
            {
                "matched": matched,
                "hosts": way.hosts.kind,
                "seconds": round(time.monotonic() - started, 2),
                "stages": [{"matched": outcome.matched, **_plain(outcome)} for outcome in outcomes],
            }
        )
    raise typer.Exit(0 if matched else 1)


@contextmanager
def _kept_if_it_fails(folder: Path, matched: Callable[[], bool], say: Say) -> Iterator[None]:
    """Remove the demo's folder at the end, unless the demo failed: its logs and database say why.

    Args:
        folder: the demo's folder.
        matched: returns whether every host matched.
        say: prints where the folder is kept.
    """
    failed = True
    try:
        yield
        failed = not matched()
    except (KeyboardInterrupt, typer.Exit):
        failed = False  # the user ended it
        raise
    finally:
        if failed:
            say("", "")
            say(f"kept {folder}: see {folder / 'data' / 'daemon.log'}; remove the folder when you are done", "")
        else:
            shutil.rmtree(folder)


def _say_aside(text: str, _style: str) -> None:
    """Leave standard output to the one JSON object."""
    from reconciler.cli.output import print_aside

    print_aside(text)


def _show(outcome: SceneOutcome, say: Say) -> None:
    for host, found in outcome.hosts.items():
        packages = sorted(found.before.keys() | found.after.keys())
        shown = ", ".join(
            f"{package} {_change(found.before.get(package), found.after.get(package))}" for package in packages
        )
        say(f"  {host:<10} {'matches' if found.matched else 'DIFFERS'}  {shown}", "" if found.matched else "red")
    say(f"  {outcome.seconds:.1f} s", "")


def _change(before: str | None, after: str | None) -> str:
    return after or "-" if before == after else f"{before or '-'} -> {after or '-'}"


def _plain(outcome: SceneOutcome) -> dict[str, object]:
    import dataclasses

    return dataclasses.asdict(outcome)


def _look_around(stage: Stage) -> None:
    from reconciler.cli.output import print_line

    print_line()
    print_line("It all still runs. In another terminal, try:")
    for command in ("status", "trace PROD-01 contoso-agent", "history", "plan --revision main~1"):
        print_line(f"  RECONCILER_DATA={stage.site.settings.data} reconciler {command}")
    for name, password in stage.colleagues.passwords.items():
        print_line(f"  RECONCILER_USER={name} RECONCILER_PASSWORD={password} … reconciler change list --state all")
    print_line(f"or commit on a branch in {stage.colleagues.folder}, and push it. Press Enter here to end it.")
    sys.stdin.readline()
