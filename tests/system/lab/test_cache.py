"""What is costly is built once, whoever asks at the same time, and never used half-built."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest

from reconciler.packaging.cache import build_once, cache_folder
from reconciler.packaging.errors import PackagingUnavailable


def make_slowly(target: Path) -> None:
    with (target.parent / "log").open("a") as log:
        log.write("built\n")
    (target / "first").touch()
    time.sleep(0.3)  # long enough for the other builder to come, and to see half of it if it could
    (target / "second").touch()


def build_and_check(target: Path) -> None:
    made = build_once(target, make_slowly)
    assert {entry.name for entry in made.iterdir()} == {"first", "second"}


def test_two_builders_at_once_build_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    builders = [context.Process(target=build_and_check, args=(tmp_path / "thing",)) for _ in range(3)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(90)

    assert [builder.exitcode for builder in builders] == [0, 0, 0]
    assert (tmp_path / "log").read_text() == "built\n"


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(target: Path) -> None:
        (target / "first").touch()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        build_once(tmp_path / "thing", fail)

    assert [entry.name for entry in tmp_path.iterdir()] == ["thing.lock"]


def test_what_a_killed_builder_left_is_cleared(tmp_path: Path) -> None:
    half_built = tmp_path / "thing.partial-x"
    half_built.mkdir()
    (half_built / "first").touch()

    made = build_once(tmp_path / "thing", lambda target: (target / "all").touch())

    assert {entry.name for entry in made.iterdir()} == {"all"}
    assert not half_built.exists()


def test_the_cache_can_be_put_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("RECONCILER_CACHE", raising=False)
    assert cache_folder() == tmp_path / "reconciler"

    monkeypatch.setenv("RECONCILER_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


@pytest.fixture
def home_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home in which no folder can be made, even by root; returns the system's temporary folder."""
    for name in ("RECONCILER_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.touch()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_read_only_home_moves_the_cache_to_a_private_temporary_folder(home_that_cannot_be_written: Path) -> None:
    found = cache_folder()
    assert found.parent == home_that_cannot_be_written
    assert found.stat().st_mode & 0o777 == 0o700
    assert cache_folder() == found


def test_temporary_cache_that_others_can_write_is_refused(home_that_cannot_be_written: Path) -> None:
    cache_folder().chmod(0o777)
    with pytest.raises(PackagingUnavailable, match="not this user's alone"):
        cache_folder()


def test_temporary_cache_behind_a_link_is_refused(home_that_cannot_be_written: Path) -> None:
    elsewhere = home_that_cannot_be_written / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder = cache_folder()
    folder.rmdir()
    folder.symlink_to(elsewhere)
    with pytest.raises(PackagingUnavailable):
        cache_folder()
