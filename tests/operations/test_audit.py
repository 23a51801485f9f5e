"""The audit chain holds what happened, and shows when somebody has changed it."""

from __future__ import annotations

import csv
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from reconciler.hosts.roster import Roster
from reconciler.kernel.attempts import Attempt, Outcome
from reconciler.kernel.observation import InstalledProduct
from reconciler.kernel.retries import Retry
from reconciler.kernel.steps import StepKind
from reconciler.operations.audit import BadHead, Head, audit_as_csv, audit_as_json_lines, verify_audit
from reconciler.operations.desired import state_in_force
from reconciler.operations.fleet import assign_all
from reconciler.store.audit import GENESIS
from reconciler.store.hosts import EnrolmentToken
from tests.operations.conftest import APP, Installation, package_code, product_code

ATTEMPT = Attempt("a1", "app", StepKind.INSTALL, "goal", "r1", 10.0, to_version="1.0.0")


@pytest.fixture
def lived(installation: Installation) -> Installation:
    """Return an installation with a host that was assigned to, tried and got there."""
    site = installation.site
    installation.enrol("HOST-1")
    assign_all(site, Roster(site.hosts.all()), state_in_force(site))
    site.attempts.record("HOST-1", [ATTEMPT], 11.0)
    site.attempts.record("HOST-1", [ATTEMPT], 12.0)
    ended = replace(ATTEMPT, ended_at=13.0, outcome=Outcome.SUCCEEDED)
    site.attempts.record("HOST-1", [ended], 14.0)
    site.attempts.record("HOST-1", [ended], 15.0)
    installation.report("HOST-1", InstalledProduct(product_code(1), "1.0.0", "App", package_code(1), APP))
    assign_all(site, Roster(site.hosts.all()), state_in_force(site))
    return installation


def database(installation: Installation) -> Path:
    return installation.site.settings.data / "reconciler.sqlite"


def tamper(installation: Installation, statement: str) -> None:
    connection = sqlite3.connect(database(installation))
    with connection:
        assert connection.execute(statement).rowcount > 0
    connection.close()


def told(installation: Installation) -> list[dict[str, Any]]:
    return [json.loads(line) for line in audit_as_json_lines(installation.site)]


def test_everything_is_told_once_and_in_order(lived: Installation) -> None:
    records = told(lived)
    assert [record["kind"] for record in records] == [
        "revisionSeen",
        "admitted",
        "tokenMade",
        "hostEnrolled",
        "assigned",
        "attemptBegun",
        "attemptEnded",
    ]
    assert [record["number"] for record in records] == list(range(1, 8))
    assert json.loads(records[0]["facts"])["commit"] == lived.site.revisions.in_force()
    assert json.loads(records[4]["facts"])["hosts"] == ["HOST-1"]
    assert json.loads(records[6]["facts"])["attempt"]["outcome"] == "succeeded"
    assert (records[0]["previous"], records[1]["previous"]) == (GENESIS, records[0]["hash"])


def test_a_chain_that_nobody_touched_is_intact(lived: Installation) -> None:
    found = verify_audit(lived.site)
    assert found.intact
    assert (found.records, found.head.number) == (7, 7)
    assert verify_audit(lived.site, Head.parse(str(found.head))).intact


@pytest.mark.parametrize(
    ("statement", "where", "what"),
    [
        ("UPDATE audit SET facts = replace(facts, 'HOST-1', 'HOST-2') WHERE number = 5", 5, "was changed"),
        ("UPDATE audit SET at = at + 1 WHERE number = 5", 5, "was changed"),
        ("UPDATE audit SET kind = 'assigned' WHERE number = 6", 6, "was changed"),
        ("DELETE FROM audit WHERE number = 3", 4, "1 record(s) before it are missing"),
        ("DELETE FROM audit WHERE number = 1", 2, "1 record(s) before it are missing"),
        ("UPDATE audit SET hash = previous WHERE number = 2", 2, "was changed"),
    ],
)
def test_what_somebody_changes_is_found(lived: Installation, statement: str, where: int, what: str) -> None:
    tamper(lived, statement)
    found = verify_audit(lived.site)
    assert not found.intact
    assert found.faults[0].number == where
    assert what in found.faults[0].what


def test_a_record_that_was_hashed_anew_no_longer_fits_the_next(lived: Installation) -> None:
    records = list(lived.site.audit.records())
    forged = replace(records[4], facts=records[4].facts.replace("HOST-1", "HOST-2"))
    tamper(lived, f"UPDATE audit SET facts = '{forged.facts}', hash = '{forged.rightful_hash}' WHERE number = 5")
    (fault,) = verify_audit(lived.site).faults
    assert (fault.number, "does not follow" in fault.what) == (6, True)


def test_an_end_that_was_cut_off_shows_by_a_head_that_was_noted(lived: Installation) -> None:
    noted = verify_audit(lived.site).head
    tamper(lived, "DELETE FROM audit WHERE number > 4")
    assert verify_audit(lived.site).intact, "by itself a shorter chain cannot be told from a whole one"
    (fault,) = verify_audit(lived.site, noted).faults
    assert "the end of the chain was cut off" in fault.what


def test_a_chain_that_was_written_anew_shows_by_a_head_that_was_noted(lived: Installation) -> None:
    noted = verify_audit(lived.site).head
    tamper(lived, "DELETE FROM audit")
    for _ in range(6):
        lived.enrol("HOST-3") if not told(lived) else lived.site.hosts.add_token(
            EnrolmentToken("t" * 64 + str(_), "dev", 2.0, None, None), 1.0
        )
    found = verify_audit(lived.site, noted)
    assert any("not the one that was noted" in fault.what for fault in found.faults)


@pytest.mark.parametrize("text", ["", "5", "5:", "x:" + "0" * 64, "5:" + "g" * 64, "5:" + "0" * 63])
def test_a_head_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadHead, match="no head of the chain"):
        Head.parse(text)


def test_csv_holds_the_same(lived: Installation) -> None:
    rows = list(csv.DictReader(audit_as_csv(lived.site)))
    assert [row["hash"] for row in rows] == [record["hash"] for record in told(lived)]
    assert json.loads(rows[4]["facts"])["hosts"] == ["HOST-1"]


@pytest.mark.parametrize("table", ["retries", "audit"])
def test_neither_the_fact_nor_its_record_is_there_without_the_other(lived: Installation, table: str) -> None:
    before = len(told(lived))
    connection = sqlite3.connect(database(lived))
    connection.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
    connection.close()
    with pytest.raises(IntegrityError):
        lived.site.retries.add(Retry(0, 1.0, "ann", "", "app", "dev", "HOST-1"))
    assert len(told(lived)) == before
    assert lived.site.retries.last_number() == 0
