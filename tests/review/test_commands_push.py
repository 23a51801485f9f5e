"""What commands on the server push to the repository that the daemon holds has a pusher, or is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.desired.commits import Person, PushRefused, write_commit
from reconciler.desired.mirror import fetch
from reconciler.desired.repository import GitRepository
from reconciler.operations.accounts import add_account
from reconciler.operations.desired import mirror_of
from reconciler.operations.pushing import push_as
from reconciler.operations.review import open_review
from reconciler.review.repository import Signed
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.store.pushes import NO_COMMIT, RefUpdate

RILEY = Person("Riley Release", "Riley@example.com")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(Settings(data=tmp_path, host_repository=True)) as site:
        add_account(site, "riley", "riley@example.com")
        review = open_review(site)
        handle = review.repository.git.handle()
        who = Signed("Riley", "riley@example.com", 1.0)
        text = review.repository.commit_text(str(handle.TreeBuilder().write()), (), (who, who), "First\n")
        first = review.repository.keep_commit(text)
        main = "refs/heads/main"
        review.push(
            "riley",
            [RefUpdate(main, NO_COMMIT, first)],
            lambda: review.repository.move(main, NO_COMMIT, first),
        )
        yield site


@pytest.fixture
def mirror(site: Site) -> GitRepository:
    mirror = mirror_of(site)
    fetch(mirror)
    return mirror


def test_a_proposal_is_a_change_of_who_made_it(site: Site, mirror: GitRepository) -> None:
    commit = write_commit(mirror, mirror.head("main"), {"a": "b"}, RILEY, "prod: a\n\nWhy it should be.")
    push_as(site, mirror, RILEY, commit, "promote/prod/a", None)
    review = open_review(site)
    record = review.find(1)
    assert (record.requester, record.title, record.body) == ("riley", "prod: a", "Why it should be.")
    assert review.book.pushers(record) == ("riley",)


def test_whoever_has_no_account_cannot_be_known(site: Site, mirror: GitRepository) -> None:
    commit = write_commit(mirror, mirror.head("main"), {"a": "b"}, RILEY, "prod: a")
    with pytest.raises(PushRefused, match=r"no account has the address eve@example\.com"):
        push_as(site, mirror, Person("Eve", "eve@example.com"), commit, "promote/prod/a", None)
    assert "refs/heads/promote/prod/a" not in open_review(site).repository.refs()


def test_the_branch_that_is_followed_is_guarded_from_commands_as_well(site: Site, mirror: GitRepository) -> None:
    head = mirror.head("main")
    commit = write_commit(mirror, head, {"a": "b"}, RILEY, "dev: a")
    with pytest.raises(PushRefused, match="main cannot be pushed to"):
        push_as(site, mirror, RILEY, commit, "main", head)
    assert open_review(site).repository.refs()["refs/heads/main"] == head
