"""The built-in review tells what every forge must: on a repository, a store and merges of its own, for real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from reconciler.approval.evidence import CheckState, Identity
from reconciler.approval.forge import Forge
from reconciler.desired.commits import Person, write_commit
from reconciler.operations.accounts import add_account
from reconciler.operations.review import daemon_key, open_review
from reconciler.review.forge import BuiltInForge
from reconciler.review.repository import BRANCHES, Signed
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.store.changes import Word
from reconciler.store.pushes import NO_COMMIT, RefUpdate
from tests.contracts.forge_contract import BRANCH, Deed, ForgeContract, Landed, Step, Story, Way
from tests.daemon.conftest import FILES

PEOPLE = ("ann", "ben", "cleo", "dora", "emil", "finn")
WORDS = {Deed.APPROVE: Word.APPROVED, Deed.REJECT: Word.REJECTED, Deed.COMMENT: Word.COMMENTED}


class BuiltInWorld:
    """Everybody has an account. Refs move as git would move them, between what is put down before and after."""

    forge: Forge
    tells_heads = True

    def __init__(self, site: Site) -> None:
        self._site = site
        self._review = open_review(site)
        self._repository = self._review.repository
        self.forge = BuiltInForge(self._review, daemon_key(site))
        site.revisions.set_fact("url", "https://reconciler.example.com:8443")
        for name in PEOPLE:
            add_account(site, name, f"{name}@example.com")
        handle = self._repository.git.handle()
        empty = handle.TreeBuilder().write()
        text = self._repository.commit_text(str(empty), (), (_signed("ann"), _signed("ann")), "Nothing yet\n")
        first = write_commit(
            self._repository.git, self._repository.keep_commit(text), FILES, _person("ann"), "All"
        )
        self._push("ann", "main", first)

    def who(self, name: str) -> Identity:
        return f"@{name}"

    def writer(self, name: str) -> Identity:
        return f"@{name}"

    def merged(self, story: Story) -> Landed:
        if story.into != "main":
            return self._merged_elsewhere(story)
        heads = [self._commit("ann", BRANCH, "first")]
        (found,) = self.forge.open_changes()
        for step in story.steps:
            if step.deed is Deed.PUSH:
                heads.append(self._commit(step.by, BRANCH, "more"))
            else:
                self._review.say(step.by, found.number, WORDS[step.deed], None, "")
        for context, state in story.checks.items():
            self.forge.set_status(heads[-1], context, state, "")
        cleo = self._site.accounts.find("cleo")
        assert cleo is not None
        return Landed(self._review.merge(cleo, found.number, None).merge_commit, tuple(heads))

    def pushed_directly(self) -> str:
        return self._commit("ann", "main", "straight")

    def opened(self) -> tuple[str, str]:
        first = self._commit("ann", BRANCH, "first")
        (found,) = self.forge.open_changes()
        self._review.say("ben", found.number, Word.APPROVED, None, "")
        return first, self._commit("dora", "another", "second")

    def branch(self, name: str) -> None:
        self._commit("ann", name, "first")

    def open_one(self) -> tuple[int, str]:
        head = self._commit("ann", BRANCH, "first")
        (found,) = self.forge.open_changes()
        return found.number, head

    def proposals(self) -> Mapping[int, tuple[str, str]]:
        found = [self._review.find(change.number) for change in self.forge.open_changes()]
        return {record.number: (record.title, record.body) for record in found if record.branch == BRANCH}

    def comments(self, number: int) -> list[str]:
        return [note.body for note in self._site.changes.notes(number)]

    def statuses(self, commit: str) -> Mapping[str, tuple[CheckState, str]]:
        return {s.context: (CheckState(s.state), s.text) for s in self._site.changes.statuses(commit)}

    def _merged_elsewhere(self, story: Story) -> Landed:
        head = self._commit("ann", BRANCH, "first")
        release = self._commit("ann", story.into, "a release")
        tree = self._repository.merge_tree(release, head)
        people = (_signed("cleo"), _signed("cleo"))
        text = self._repository.commit_text(tree, (release, head), people, "Merge\n")
        merge = self._repository.keep_commit(text)
        self._push("cleo", story.into, merge)
        return Landed(merge, (head,))

    def _commit(self, name: str, branch: str, text: str) -> str:
        refs = self._repository.refs()
        parent = refs.get(BRANCHES + branch, refs[f"{BRANCHES}main"])
        files = {f"{branch.replace('/', '-')}.txt": text}
        commit = write_commit(self._repository.git, parent, files, _person(name), f"{text}\n\nBy {name}")
        self._push(name, branch, commit)
        return commit

    def _push(self, name: str, branch: str, commit: str) -> None:
        ref = BRANCHES + branch
        old = self._repository.refs().get(ref, NO_COMMIT)
        moved = self._review.push(
            name, [RefUpdate(ref, old, commit)], lambda: self._repository.move(ref, old, commit)
        )
        assert moved


def _person(name: str) -> Person:
    return Person(name.title(), f"{name}@example.com")


def _signed(name: str) -> Signed:
    return Signed(name.title(), f"{name}@example.com", 1_700_000_000.0)


class TestBuiltInReview(ForgeContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[BuiltInWorld]:
        with open_site(Settings(data=tmp_path, host_repository=True)) as site:
            yield BuiltInWorld(site)

    @pytest.mark.parametrize("way", [Way.MERGE_COMMIT])
    def test_a_merged_change_is_told_however_it_was_merged(self, world: BuiltInWorld, way: Way) -> None:
        """There is one way of merging here."""
        super().test_a_merged_change_is_told_however_it_was_merged(world, way)

    def test_a_dismissed_approval_does_not_stand(self, world: BuiltInWorld) -> None:
        """Nobody can take back what another said: who approved takes it back by rejecting."""
        assert set(Word) == set(WORDS.values())
        steps = (Step(Deed.APPROVE, "ben"), Step(Deed.REJECT, "ben"), Step(Deed.APPROVE, "cleo"))
        change, _ = self.told(world, Story("taken-back", steps))
        assert [found.by for found in change.approvals] == [world.who("cleo")]


del ForgeContract  # pytest would run it by itself
