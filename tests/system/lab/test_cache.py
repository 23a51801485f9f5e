"""What is costly is built once, whoever asks at the same time, and never used half-built."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest

from reconciler.packaging.cache import build_once, cache_folder


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
