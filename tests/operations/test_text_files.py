"""Files are written all or none, with their line ends and permissions."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.operations.text_files import CannotWrite, FileChange, read_text, write_all


def test_files_are_written_as_they_are_and_folders_made(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "deep" / "new.yaml"
    old.write_bytes(b"a: 1\r\n")
    old.chmod(0o640)
    write_all({old: "a: ä\r\n", new: "b: 1\n"})
    assert (old.read_bytes(), new.read_bytes()) == ("a: ä\r\n".encode(), b"b: 1\n")
    assert old.stat().st_mode & 0o777 == 0o640
    assert read_text(old) == "a: ä\r\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "old.yaml"], "nothing is left behind"


def test_where_one_cannot_be_written_none_is(tmp_path: Path) -> None:
    first, blocked, last = tmp_path / "1.yaml", tmp_path / "2.yaml", tmp_path / "3.yaml"
    first.write_text("before")
    blocked.mkdir()
    with pytest.raises(CannotWrite, match="nothing was changed") as caught:
        write_all({last: "after", first: "after", blocked: "after"})
    assert caught.value.where == str(blocked)
    assert first.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.yaml", "2.yaml"]


def test_a_diff_shows_what_changed() -> None:
    change = FileChange("dev/environment.yaml", "a: 1\r\nb: 1\r\n", "a: 1\r\nb: 2")
    assert change.diff() == (
        "--- a/dev/environment.yaml\n+++ b/dev/environment.yaml\n@@ -1,2 +1,2 @@\n a: 1\n-b: 1\n+b: 2\n"
    )
    assert FileChange("new.yaml", None, "a: 1\n").diff().startswith("--- /dev/null\n+++ b/new.yaml\n")


def test_what_is_no_text_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff")
    with pytest.raises(CannotWrite, match=r"a\.yaml|read"):
        read_text(tmp_path / "a.yaml")
    assert read_text(tmp_path / "none.yaml") is None
