"""The page that people make backups by names every file that a daemon makes in its data folder, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.operations.accounts import add_account
from reconciler.operations.review import KEY_FILE
from reconciler.settings import Settings
from reconciler.site import open_site
from reconciler.testing.daemon_process import DaemonProcess
from reconciler.testing.waiting import eventually
from reconciler.testing.workspace import Workspace
from tests.daemon.conftest import FILES
from tests.docs.conftest import Page

PAGE = Page.of("how-to/run-the-daemon.md")
ENTRIES = {entry.rstrip("/") for entry in PAGE.section("The data folder").entries()}
OF_TESTS = {"daemon.log"}
"""Where a daemon of a test writes what it prints."""

AWAY = "address: 127.0.0.1\ndriver: winrm\nwinrm: {grant: away}\n"
GRANTS = """version: 1
winrm:
  away: {environments: [prod], networks: [127.0.0.0/8], user: admin, password: env:NOBODY_HAS_SET_THIS}
"""
LATER = {"lab"}
"""What `reconciler lab` makes, and no daemon."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return what a daemon has made at the top of its data folder, by either way of having a repository."""
    return _made(tmp_path_factory.mktemp("followed"), hosted=False) | _made(
        tmp_path_factory.mktemp("held"), hosted=True
    )


def _made(folder: Path, *, hosted: bool) -> set[str]:
    data = folder / "data"
    workspace = Workspace(folder / "fleet.git", folder / "fleet")
    workspace.publish({**FILES, "environments/prod/hosts/PROD-01.yaml": AWAY}, "first")
    grants = folder / "grants.yaml"
    grants.write_text(GRANTS, "utf-8")
    grants.chmod(0o600)
    settings = {"host_repository": "true"} if hosted else {"grants": str(grants)}
    daemon = DaemonProcess(data, "" if hosted else workspace.bare, settings)
    daemon.start()
    try:
        with open_site(Settings(data=data)) as site:
            if hosted:
                add_account(site, "ann", "ann@example.com")
                eventually((data / KEY_FILE).exists)
            else:
                eventually(site.revisions.in_force)
                eventually((data / "pushed").exists)
            eventually((data / "checkpoint").exists)
            site.logs.keep("a1", b"a log")
            site.artifacts.add(Path(__file__))
            return {path.name for path in data.iterdir() if not path.name.startswith((".", "incoming-"))}
    finally:
        daemon.kill()


def test_every_entry_has_its_row(made: set[str]) -> None:
    assert made - OF_TESTS - ENTRIES == set()


def test_every_row_is_of_an_entry_that_there_is(made: set[str]) -> None:
    assert ENTRIES - LATER - made == set()


def test_every_row_says_what_is_lost_without_it() -> None:
    for entry, what, lost in PAGE.section("The data folder").rows():
        assert what, entry
        assert len(lost) >= len("made again"), entry


def test_the_backup_takes_what_cannot_be_made_again() -> None:
    text = PAGE.section("Back it up").text
    copied = set(re.findall(r"[\w.-]+", " ".join(re.findall(r"^cp -a (.+) /backup/$", text, re.MULTILINE))))
    made_again = {"desired-state.cache", "daemon.lock", "lab"}
    of_the_review = {"desired.git", "review-key", "review-key.pub"}  # for these the page has the daemon stopped
    database = {entry for entry in ENTRIES if entry.startswith("reconciler.sqlite")}
    assert copied == ENTRIES - made_again - of_the_review - database
