"""Reading git: branches, history, force pushes, mirrors of remotes, and repositories that cannot be read."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pygit2
import pytest

from reconciler.desired.mirror import FetchError, fetch, open_mirror, without_secrets
from reconciler.desired.repository import EntryKind, GitRepository, RepositoryError


def test_head_follows_the_branch(origin: Any, repository: GitRepository) -> None:
    first = origin.commit({"a": "1"})
    assert repository.head("main") == first
    second = origin.commit({"a": "2"})
    assert repository.head("main") == second


def test_a_missing_branch_names_the_nearest(origin: Any, repository: GitRepository) -> None:
    with pytest.raises(RepositoryError, match="push a first commit"):
        repository.head("main")
    origin.commit({"a": "1"}, branch="production")
    with pytest.raises(RepositoryError, match="did you mean production"):
        repository.head("prodction")


def test_resolve(origin: Any, repository: GitRepository) -> None:
    first = origin.commit({"a": "1"})
    second = origin.commit({"a": "2"})
    pygit2.Repository(str(origin.folder)).references.create("refs/tags/v1", first)
    assert repository.resolve("main") == second
    assert repository.resolve("main~1") == first
    assert repository.resolve("v1") == first
    assert repository.resolve(second[:10]) == second
    for wrong in ("nothing", "", "main~9", "refs/heads/../x"):
        with pytest.raises(RepositoryError, match="does not name a commit"):
            repository.resolve(wrong)


def test_commit_metadata(origin: Any, repository: GitRepository) -> None:
    first = origin.commit({"a": "1"})
    commit = repository.commit(origin.commit({"a": "2"}, message="\nUpgrade the agent\n\nBecause.\n"))
    assert commit.subject == "Upgrade the agent"
    assert commit.parents == (first,)
    assert (commit.author, commit.author_email, commit.authored_at) == (
        "Ada Author",
        "ada@example.com",
        1_700_000_000,
    )
    assert (commit.committer, commit.committed_at) == ("Ada Author", 1_700_000_000)


def test_a_force_push_is_noticed(origin: Any, repository: GitRepository) -> None:
    first = origin.commit({"a": "1"})
    second = origin.commit({"a": "2"})
    forced = origin.commit({"a": "3"}, parents=[first])
    assert repository.is_ancestor(first, second)
    assert repository.is_ancestor(second, second)
    assert repository.is_ancestor(first, forced)
    assert not repository.is_ancestor(second, forced)
    assert not repository.is_ancestor(second, first)
    assert not repository.is_ancestor("1" * 40, forced)
    with pytest.raises(RepositoryError, match="there is no commit"):
        repository.is_ancestor(first, "1" * 40)


def test_changed_paths(origin: Any, repository: GitRepository) -> None:
    old = origin.commit({"env/a": "1", "env/b": "1", "env/c": "1", "environs": "1", "other": "1"})
    new = origin.commit({"env/a": "1", "env/b": "2", "env/d": "1", "environs": "2", "other": "2"})
    assert repository.changed_paths(old, new, "env") == ("env/b", "env/c", "env/d")
    assert repository.changed_paths(old, new) == ("env/b", "env/c", "env/d", "environs", "other")
    assert repository.changed_paths(new, new) == ()


def test_entries_below_a_root(origin: Any, repository: GitRepository) -> None:
    commit = origin.commit({"x/a": "1", "x/y/b": "22", "z": "3"})
    entries = list(repository.entries(commit, "x") or ())
    assert [(entry.path, entry.kind) for entry in entries] == [("x/a", EntryKind.FILE), ("x/y/b", EntryKind.FILE)]
    assert [repository.read(entry.oid) for entry in entries] == [b"1", b"22"]
    assert [repository.size(entry.oid) for entry in entries] == [1, 2]
    assert repository.entries(commit, "none") is None
    assert repository.entries(commit, "z") is None


def test_each_thread_reads_through_a_handle_of_its_own(origin: Any, repository: GitRepository) -> None:
    commit = origin.commit({"a": "1"})
    seen: dict[str, Any] = {}

    def look() -> None:
        seen["handle"] = repository.handle()
        seen["subject"] = repository.commit(commit).subject

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen["subject"] == "x"
    assert seen["handle"] is not repository.handle()
    assert repository.handle() is repository.handle()


def test_no_repository(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(RepositoryError, match="cannot open the git repository"):
            GitRepository(folder)


def test_sha256_repositories_are_refused(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", "--object-format=sha256", str(tmp_path)], check=True)
    with pytest.raises(RepositoryError, match="SHA-256 object ids"):
        GitRepository(tmp_path)


def test_repositories_of_a_newer_format_are_refused(origin: Any) -> None:
    config = origin.folder / "config"
    config.write_text("[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefstorage = reftable\n")
    with pytest.raises(RepositoryError, match="newer format"):
        GitRepository(origin.folder)


def test_a_damaged_object(origin: Any, repository: GitRepository) -> None:
    commit = origin.commit({"a": "some text"})
    (entry,) = repository.entries(commit) or ()
    (origin.folder / "objects" / entry.oid[:2] / entry.oid[2:]).unlink()
    with pytest.raises(RepositoryError, match="cannot be read"):
        GitRepository(origin.folder).read(entry.oid)
    with pytest.raises(RepositoryError, match="cannot be read"):
        GitRepository(origin.folder).size(entry.oid)


def test_a_damaged_folder(origin: Any, repository: GitRepository) -> None:
    commit = origin.commit({"a/b": "some text"})
    folder = str(pygit2.Repository(str(origin.folder))[commit].tree["a"].id)  # type: ignore[attr-defined]
    (origin.folder / "objects" / folder[:2] / folder[2:]).unlink()
    with pytest.raises(RepositoryError, match="cannot be read"):
        list(GitRepository(origin.folder).entries(commit) or ())


def test_a_mirror_follows_its_remote(origin: Any, tmp_path: Path) -> None:
    first = origin.commit({"a": "1"})
    mirror = open_mirror(origin.folder.as_uri(), tmp_path / "mirror")
    fetch(mirror)
    assert mirror.head("main") == first
    second = origin.commit({"a": "2"})
    assert mirror.head("main") == first
    fetch(mirror)
    assert mirror.head("main") == second
    assert mirror.is_ancestor(first, second)


def test_a_mirror_follows_a_force_push_and_still_has_what_it_dropped(origin: Any, tmp_path: Path) -> None:
    origin.commit({"a": "1"})
    dropped = origin.commit({"a": "2"})
    origin.commit({"b": "1"}, branch="gone")
    mirror = open_mirror(str(origin.folder), tmp_path / "mirror")
    fetch(mirror)
    forced = origin.commit({"a": "3"}, parents=[])
    pygit2.Repository(str(origin.folder)).branches.delete("gone")
    fetch(mirror)
    assert mirror.head("main") == forced
    assert not mirror.is_ancestor(dropped, forced)
    assert mirror.commit(dropped).id == dropped
    with pytest.raises(RepositoryError, match="no branch 'gone'"):
        mirror.head("gone")


def test_a_mirror_is_reused_and_may_change_its_remote(origin: Any, tmp_path: Path) -> None:
    commit = origin.commit({"a": "1"})
    folder = tmp_path / "mirror"
    open_mirror("https://git.example.invalid/old.git", folder)
    mirror = open_mirror(origin.folder.as_uri(), folder)
    fetch(mirror)
    assert open_mirror(origin.folder.as_uri(), folder).head("main") == commit


def test_a_mirror_does_not_take_a_folder_that_holds_other_things(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RepositoryError, match="holds something else"):
        open_mirror("https://git.example.invalid/x.git", tmp_path)


def test_what_libgit2_cannot_fetch_git_fetches(
    origin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = origin.commit({"a": "1"})
    # libgit2 knows nothing of git's configuration of URLs in the environment; the git executable does.
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{origin.folder.as_uri()}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "forge:repository")
    mirror = open_mirror("forge:repository", tmp_path / "mirror")
    fetch(mirror)
    assert mirror.head("main") == commit


def test_a_remote_that_is_gone(origin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = open_mirror(origin.folder.as_uri(), tmp_path / "mirror")
    shutil.rmtree(origin.folder)
    with pytest.raises(FetchError, match="git says"):
        fetch(mirror)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="no git executable"):
        fetch(mirror)


def test_secrets_stay_out_of_messages() -> None:
    text = "cannot reach https://bot:s3cret@git.example.com/x.git or ssh://git@host/y"
    assert without_secrets(text) == "cannot reach https://git.example.com/x.git or ssh://host/y"
