"""Whatever people push, say, close and try in whatever order: a merge happens exactly when it was approved.

The oracle knows nothing of stores and commits: only who pushed since when, and who said what of which head.
"""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.commits import Person, write_commit
from reconciler.operations.accounts import add_account
from reconciler.operations.desired import mirror_of
from reconciler.operations.follow import follow
from reconciler.operations.review import open_review
from reconciler.operations.reviews import reviews_of
from reconciler.review.repository import Signed
from reconciler.review.review import ChangeRefused
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.store.changes import Word
from reconciler.store.pushes import NO_COMMIT, RefUpdate
from tests.daemon.conftest import FILES
from tests.properties import examples

NAMES = ("ann", "ben", "cleo")
MANAGERS = {"ben", "cleo"}
MAIN, BRANCH = "refs/heads/main", "refs/heads/x"
UNKNOWN = ""
FORGED = Person("Anybody", "anybody@example.com")
GUARDED = "promotesFrom: dev\napprovals: {required: 1, from: [managers]}\npackages:\n  app: 1.0.0\n"

PUSHES = st.tuples(st.sampled_from(["push", "push", "force"]), st.sampled_from([*NAMES, UNKNOWN]))
INCIDENTS = st.sampled_from([("close", "ann"), ("restart", UNKNOWN)])
WORDS = st.tuples(st.sampled_from(["approve", "approve", "reject"]), st.sampled_from(sorted(MANAGERS)))
ROUNDS = st.tuples(
    st.lists(st.one_of(PUSHES, PUSHES, INCIDENTS), min_size=1, max_size=3),
    st.lists(WORDS, min_size=1, max_size=2),
    st.just([("merge", "ann")]),
).map(lambda parts: [action for part in parts for action in part])
"""Some pushes, some words, and a try to merge: so that most of what is played comes to a decision."""


@dataclass
class Oracle:
    """What is known of the branch: who pushed since it last had nothing, and the last words on an open change."""

    head: str = ""
    open: bool = False
    pushers: set[str] = field(default_factory=set)
    words: dict[str, tuple[Word, str]] = field(default_factory=dict)

    def pushed(self, name: str, head: str) -> None:
        if not self.open:
            self.words = {}
        self.open, self.head = True, head
        self.pushers.add(name)

    @property
    def approved(self) -> bool:
        standing = {name for name in MANAGERS if self.words.get(name) == (Word.APPROVED, self.head)}
        rejected = any(self.words.get(name, ("",))[0] is Word.REJECTED for name in MANAGERS)
        return not rejected and UNKNOWN not in self.pushers and bool(standing - self.pushers)


class Play:
    """The review as people use it, with an oracle beside."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.review = open_review(site)
        self.oracle = Oracle()
        self.count = 0
        for name in NAMES:
            add_account(site, name, f"{name}@example.com")
        git = self.review.repository
        who = Signed("Ann", "ann@example.com", 1.0)
        empty = str(git.git.handle().TreeBuilder().write())
        root = git.keep_commit(git.commit_text(empty, (), (who, who), "Nothing\n"))
        files = {
            **FILES,
            "environments/reconciler.yaml": 'version: 1\ngroups:\n  managers: ["@ben", "@cleo"]\n',
            "environments/prod/environment.yaml": GUARDED,
        }
        self._move("ann", MAIN, write_commit(git.git, root, files, FORGED, "All"))
        mirror = mirror_of(site)
        follow(site, mirror, None, reviews_of(site, mirror))

    def do(self, action: str, name: str) -> None:
        match action:
            case "push" | "force":
                self._push(name, anew=action == "force")
            case "approve" | "reject" if self.oracle.open:
                word = Word.APPROVED if action == "approve" else Word.REJECTED
                self.review.say(name, self._number(), word, None, "")
                self.oracle.words[name] = (word, self.oracle.head)
            case "close" if self.oracle.open:
                self.review.close(name, self._number(), "")
                self.oracle.open = False
            case "merge" if self.oracle.open:
                self._merge(name)
            case "restart":
                self.review = open_review(self.site)

    def _push(self, name: str, *, anew: bool) -> None:
        refs = self.review.repository.refs()
        parent = refs[MAIN] if anew else refs.get(BRANCH, refs[MAIN])
        self.count += 1
        files = {"environments/prod/hosts/PROD-02.yaml": f"labels: {{number: n{self.count}}}\n"}
        commit = write_commit(self.review.repository.git, parent, files, FORGED, f"Number {self.count}")
        self._move(name, BRANCH, commit)
        self.oracle.pushed(name, commit)

    def _move(self, name: str, ref: str, commit: str) -> None:
        repository = self.review.repository
        old = repository.refs().get(ref, NO_COMMIT)
        if name == UNKNOWN:
            assert repository.move(ref, old, commit)
            self.review.look()
        else:
            update = RefUpdate(ref, old, commit)
            assert self.review.push(name, [update], lambda: repository.move(ref, old, commit))

    def _merge(self, name: str) -> None:
        account = self.site.accounts.find(name)
        assert account is not None
        before = self.review.repository.refs()[MAIN]
        try:
            record = self.review.merge(account, self._number(), None)
        except ChangeRefused:
            assert not self.oracle.approved
            assert self.review.repository.refs()[MAIN] == before
            return
        assert self.oracle.approved
        change = reviews_of(self.site, mirror_of(self.site)).merged_change(record.merge_commit)
        assert change is not None
        assert change.head == self.oracle.head
        self.oracle = Oracle()
        mirror = mirror_of(self.site)
        follow(self.site, mirror, None, reviews_of(self.site, mirror))
        assert self.site.approvals.admissions()["prod"].admission.commit == record.merge_commit

    def _number(self) -> int:
        (found,) = [record for record in self.review.book.changes.of_state(None) if record.state == "open"]
        return found.number


@examples(25)
@given(st.lists(ROUNDS, min_size=2, max_size=4))
def test_a_merge_happens_exactly_when_it_was_approved(rounds: list[list[tuple[str, str]]]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        open_site(Settings(data=Path(folder), host_repository=True)) as site,
    ):
        play = Play(site)
        for action, name in itertools.chain(*rounds):
            play.do(action, name)


def test_the_oracle_sees_both_ways() -> None:
    """A merge that goes through, and one that does not, are both among what is played."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_site(Settings(data=Path(folder), host_repository=True)) as site,
    ):
        play = Play(site)
        for action in (
            "push ann",
            "merge ann",
            "approve ben",
            "push ben",
            "merge ann",
            "approve cleo",
            "merge ben",
        ):
            play.do(*action.split())
        assert play.oracle == Oracle()
        for action in ("push ann", "approve ben", "close ann", "push cleo", "approve ben", "merge ann"):
            play.do(*action.split())
        assert play.oracle == Oracle()
