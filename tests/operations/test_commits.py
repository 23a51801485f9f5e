"""Commits made without a working tree: nothing of anybody else's is lost, hooks count, and nobody is forced."""

from __future__ import annotations

from pathlib import Path

import pygit2
import pytest

from reconciler.desired.commits import BranchMoved, Person, PushRefused, person, push, read_text, write_commit
from reconciler.desired.mirror import fetch, open_mirror
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.testing.workspace import Workspace

RILEY = Person("Riley Release", "riley@example.com")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "fleet.git", tmp_path / "fleet")
    made.write({"a.yaml": "a: 1\r\n", "deep/er/b.yaml": "b: 1\n", "run.sh": "true\n"})
    made.path("run.sh").chmod(0o755)
    made.commit("first")
    made.push()
    return made


@pytest.fixture
def mirror(tmp_path: Path, workspace: Workspace) -> GitRepository:
    opened = open_mirror(str(workspace.bare), tmp_path / "mirror.git")
    fetch(opened)
    return opened


def head(workspace: Workspace, branch: str = "main") -> str:
    return GitRepository(workspace.bare).head(branch)


def test_a_commit_changes_the_files_that_it_names_and_no_others(
    workspace: Workspace, mirror: GitRepository
) -> None:
    files = {"deep/er/b.yaml": "b: 2\n", "new/c.yaml": "c: ä\n", "run.sh": "false\n"}
    commit = write_commit(mirror, workspace.head, files, RILEY, "change\n\nbecause")
    push(mirror, commit, "main", workspace.head)
    bare = GitRepository(workspace.bare)
    assert bare.head("main") == commit
    assert bare.changed_paths(workspace.head, commit) == ("deep/er/b.yaml", "new/c.yaml", "run.sh")
    assert {path: read_text(bare, commit, path) for path in files} == files
    assert read_text(bare, commit, "a.yaml") == "a: 1\r\n"
    assert read_text(bare, commit, "deep") is None
    assert read_text(bare, commit, "nowhere.yaml") is None
    made = bare.commit(commit)
    assert (made.author, made.author_email, made.subject) == ("Riley Release", "riley@example.com", "change")
    assert (
        bare.handle()[commit].peel(pygit2.Commit).tree["run.sh"].filemode == pygit2.enums.FileMode.BLOB_EXECUTABLE
    )


def test_a_branch_that_moved_is_not_overwritten(workspace: Workspace, mirror: GitRepository) -> None:
    commit = write_commit(mirror, workspace.head, {"a.yaml": "a: 2\n"}, RILEY, "ours")
    theirs = workspace.publish({"a.yaml": "a: 3\n"}, "theirs")
    before = GitRepository(workspace.bare).commit(theirs).parents[0]
    with pytest.raises(BranchMoved):
        push(mirror, commit, "main", before)
    assert head(workspace) == theirs


def test_a_branch_that_went_back_is_not_brought_forward_again(workspace: Workspace, mirror: GitRepository) -> None:
    first = workspace.head
    second = workspace.publish({"a.yaml": "a: 2\n"}, "taken back")
    fetch(mirror)
    commit = write_commit(mirror, second, {"a.yaml": "a: 3\n"}, RILEY, "ours")
    workspace.reset(first)
    workspace.push(force=True)
    with pytest.raises(BranchMoved):
        push(mirror, commit, "main", second)
    assert head(workspace) == first


def test_a_new_branch_is_made_only_where_there_is_none(workspace: Workspace, mirror: GitRepository) -> None:
    ours = write_commit(mirror, workspace.head, {"a.yaml": "a: 2\n"}, RILEY, "ours")
    push(mirror, ours, "propose/this", None)
    assert head(workspace, "propose/this") == ours
    other = write_commit(mirror, workspace.head, {"a.yaml": "a: 3\n"}, RILEY, "other")
    with pytest.raises(BranchMoved):
        push(mirror, other, "propose/this", None)
    assert head(workspace, "propose/this") == ours


def test_a_hook_of_the_repository_has_the_last_word(workspace: Workspace, mirror: GitRepository) -> None:
    hook = workspace.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'main takes changes by request only' >&2\nexit 1\n")
    hook.chmod(0o755)
    commit = write_commit(mirror, workspace.head, {"a.yaml": "a: 2\n"}, RILEY, "ours")
    with pytest.raises(PushRefused, match="by request only"):
        push(mirror, commit, "main", workspace.head)
    assert head(workspace) == workspace.head


def test_a_branch_that_is_checked_out_is_left_alone(tmp_path: Path, workspace: Workspace) -> None:
    mirror = open_mirror(str(workspace.folder), tmp_path / "other.git")
    fetch(mirror)
    commit = write_commit(mirror, workspace.head, {"a.yaml": "a: 2\n"}, RILEY, "ours")
    with pytest.raises(PushRefused, match="checked out") as caught:
        push(mirror, commit, "main", workspace.head)
    assert "bare" in (caught.value.hint or "")


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path, workspace: Workspace) -> None:
    mirror = open_mirror(str(workspace.bare), tmp_path / "other.git")
    fetch(mirror)
    commit = write_commit(mirror, workspace.head, {"a.yaml": "a: 2\n"}, RILEY, "ours")
    mirror.handle().remotes.set_url("origin", "http://riley:s3cret@127.0.0.1:1/fleet.git")
    with pytest.raises(PushRefused) as caught:
        push(mirror, commit, "main", workspace.head)
    assert "127.0.0.1:1/fleet.git" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_no_parent_no_commit(workspace: Workspace, mirror: GitRepository) -> None:
    with pytest.raises(RepositoryError):
        write_commit(mirror, "0" * 40, {"a.yaml": ""}, RILEY, "ours")


@pytest.mark.parametrize(
    "text", ["Riley", "riley@example.com", "<riley@example.com>", "Riley <>", "A <b> <c@d>", ""]
)
def test_who_the_author_is_must_be_said_in_full(text: str) -> None:
    with pytest.raises(RepositoryError, match="author"):
        person(text)


def test_an_author_has_a_name_and_an_address() -> None:
    assert person(" Riley O. Release  <riley@example.com> ") == Person("Riley O. Release", "riley@example.com")
