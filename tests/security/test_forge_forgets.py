"""What was seen of a change while it was open counts, though the forge does not report it any more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from reconciler.approval.evidence import Approval, Change, Evidence
from reconciler.approval.policy import Judgement, judge
from reconciler.approval.sightings import Seen, recall, see
from reconciler.desired.approvals import ApprovalPolicy, Person
from reconciler.desired.people import People
from reconciler.operations.witnessed_forge import WitnessedForge
from reconciler.store.database import Database
from reconciler.store.sightings import SightingStore
from tests.approval.served import COMMITS, Reference, Served, load
from tests.approval.test_odd_answers import FORGES

MERGE = COMMITS["<merge>"]
LISTED = People(
    {"ben": Person("ben", ("@ben", "ben@example.com"))},
    {"managers": ("@ben", "@cleo", "ben@example.com", "cleo@example.com")},
)
ONE = ApprovalPolicy(1, ("managers",))


class Witness:
    """A forge whose situation changes, and a daemon that looks at it. A new daemon has the same database."""

    def __init__(self, server: HTTPServer, database: Database) -> None:
        self._server = server
        self._sightings = SightingStore(database)

    def looks(self, forge: str, situation: str) -> Change:
        reference = Reference.of(forge)
        served = Served(reference, load(forge, situation, reference))
        self._server.clear()
        self._server.expect_request(re.compile("/.*")).respond_with_handler(served.answer)
        adapter = FORGES[forge](self._server.url_for(reference.base))
        found = WitnessedForge(adapter, f"{forge}:acme", self._sightings, lambda: 1.0).merged_change(MERGE)
        assert served.surprises == []
        assert found is not None
        return found

    def judges(self, forge: str, situation: str) -> Judgement:
        return judge(ONE, LISTED, "", Evidence(MERGE, self.looks(forge, situation)))


@pytest.fixture
def witness(tmp_path: Path, httpserver: HTTPServer) -> Iterator[Witness]:
    database = Database(tmp_path / "database.sqlite")
    yield Witness(httpserver, database)
    database.close()


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_who_was_seen_to_push_did_so(witness: Witness, forge: str) -> None:
    assert not witness.judges(forge, "pusher-unknown").approved
    witness.looks(forge, "merged-by-merge-commit")
    seen = witness.looks(forge, "pusher-unknown")
    assert (seen.pushers, seen.unknown_pushers) == (("@ann",), "")
    assert witness.judges(forge, "pusher-unknown").approved


def test_a_pusher_who_was_seen_does_not_approve_though_another_pushed_the_same(witness: Witness) -> None:
    seen = see(Seen(), replace(CHANGE, pushers=("@ben",)))
    assert recall(seen, replace(CHANGE, pushers=("@ann",))).pushers == ("@ann", "@ben")
    assert witness.judges("gitlab", "merged-by-merge-commit").approved


@pytest.mark.parametrize(
    ("forge", "later"),
    [
        ("gitlab", "merged-by-merge-commit"),
        ("gitlab", "review-requested-again"),
        ("azure_devops", "merged-by-merge-commit"),
        ("azure_devops", "rejection-reset"),
    ],
)
def test_a_rejection_stands_though_its_reviewer_was_removed(witness: Witness, forge: str, later: str) -> None:
    assert not witness.judges(forge, "rejected").approved
    judged = witness.judges(forge, later)
    assert not judged.approved
    assert "rejected it, and is not among its reviewers any more" in judged.reasons[0]


def test_a_rejection_that_its_reviewer_took_back_is_none(witness: Witness) -> None:
    witness.looks("gitlab", "rejected")
    assert witness.judges("gitlab", "rejection-taken-back").approved


@pytest.mark.parametrize("forge", ["gitlab", "azure_devops"])
def test_who_rejected_and_then_approves_approves(witness: Witness, forge: str) -> None:
    witness.looks(forge, "rejected")
    assert witness.judges(forge, "approved-twice").approved


@pytest.mark.parametrize("forge", ["github", "gitlab", "forgejo", "azure_devops"])
def test_an_account_is_the_one_that_was_seen_first(witness: Witness, forge: str) -> None:
    assert witness.judges(forge, "merged-by-merge-commit").approved
    judged = witness.judges(forge, "login-reused")
    assert not judged.approved
    assert "with the account 666, and was" in judged.reasons[1]


def test_a_vote_that_came_between_two_looks_is_for_what_both_saw(witness: Witness) -> None:
    """A vote at Azure DevOps has no time: that it was not there before shows that it is newer."""
    assert not witness.judges("azure_devops", "retargeted").approved
    witness.looks("azure_devops", "not-yet-approved")
    assert witness.judges("azure_devops", "retargeted").approved


CHANGE = Change("!1", "", "", "@ann", "1" * 40, 0.0, target="main", revision="1")
PEOPLE = st.sampled_from(["@ben", "@cleo"])
LOOKS = st.lists(
    st.builds(
        lambda revision, approving, rejecting, withdrawn: replace(
            CHANGE,
            revision=str(revision),
            head=str(revision) * 40,
            approvals=tuple(Approval(by, "") for by in sorted(approving)),
            rejections=tuple(sorted(rejecting - approving)),
            withdrawn=tuple(sorted(withdrawn - approving - rejecting)),
        ),
        st.integers(1, 3),
        st.sets(PEOPLE),
        st.sets(PEOPLE),
        st.sets(PEOPLE),
    ),
    min_size=1,
    max_size=8,
)


@given(LOOKS)
def test_nothing_is_made_up_and_no_rejection_is_lost(looks: list[Change]) -> None:
    seen = Seen()
    for number, change in enumerate(looks):
        seen = see(seen, change)
        found = recall(seen, change)
        assert {approval.by for approval in found.approvals} == {approval.by for approval in change.approvals}
        for person in ("@ben", "@cleo"):
            since = [one for one in looks[: number + 1] if _says_anything(one, person)]
            rejects = bool(since) and person in since[-1].rejections
            assert (person in found.rejections) == rejects
        for approval in found.approvals:
            if approval.commit:
                given_for = _given_for(looks[: number + 1], approval.by)
                assert given_for == change.revision, "it was not there at the look before, at the same revision"


def _says_anything(change: Change, person: str) -> bool:
    return person in {*(approval.by for approval in change.approvals), *change.rejections, *change.withdrawn}


def _given_for(looks: list[Change], person: str) -> str:
    """Return the revision at which an approval appeared that has stood since; empty where looks do not show it."""
    found = ""
    for before, after in zip([None, *looks], looks, strict=False):
        approves = any(approval.by == person for approval in after.approvals)
        approved = before is not None and any(approval.by == person for approval in before.approvals)
        if not approves:
            found = ""
        elif not approved:
            found = after.revision if before is not None and before.revision == after.revision else ""
    return found
