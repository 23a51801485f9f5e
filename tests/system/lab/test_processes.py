"""Finding a prefix's processes: also one whose first thread has ended while others live on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from reconciler.lab.processes import MARK, kill_all, processes_of

_LEADER_ENDS = """
import ctypes, sys, threading, time
threading.Thread(target=lambda: (print("ready", flush=True), time.sleep(120))).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_whose_first_thread_has_ended_is_found_and_ended(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _LEADER_ENDS],
        env={MARK: str(tmp_path)},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        state = Path(f"/proc/{process.pid}/stat")
        while state.read_text().rpartition(")")[2].split()[0] != "Z":
            assert process.poll() is None
        assert [found.pid for found in processes_of(tmp_path)] == [process.pid]
        kill_all(tmp_path, lambda _process: True)
        assert process.wait(90) != 0
        assert processes_of(tmp_path) == ()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


_STARTS_PROGRAMS = 'n=$1; [ "$n" -gt 0 ] && exec sh "$0" $((n-1)); exec sleep 120'


def test_a_process_that_is_just_taking_up_another_program_is_found(tmp_path: Path) -> None:
    script = tmp_path / "starts-programs.sh"
    script.write_text(_STARTS_PROGRAMS)
    process = subprocess.Popen(["sh", str(script), "400"], env={MARK: str(tmp_path), "PATH": os.defpath})
    try:
        command = ()
        while "sleep" not in command:
            (found,) = processes_of(tmp_path)
            command = found.command
            assert found.pid == process.pid
    finally:
        process.kill()
        process.wait()
