"""What the demo leaves behind: nothing where every host matched, its folder where it failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_failed_demo_keeps_the_folder_that_its_message_names(tmp_path: Path) -> None:
    no_programs = tmp_path / "bin"
    no_programs.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "reconciler.cli.main", "demo", "--check", "--simulated"],
        env={**os.environ, "PATH": str(no_programs), "TMPDIR": str(tmp_path), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr
    (kept,) = tmp_path.glob("reconciler-demo-*")
    assert f"kept {kept}" in done.stderr
    assert (kept / "data" / "daemon.log").is_file()
