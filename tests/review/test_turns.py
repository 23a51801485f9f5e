"""One at a time: between threads, and between processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from reconciler.review.turns import Turn
from reconciler.testing.waiting import eventually

HOLDER = """
import sys
from pathlib import Path
from reconciler.review.turns import Turn
with Turn(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_who_holds_it_may_take_it_again_and_others_wait(tmp_path: Path) -> None:
    turn, order = Turn(tmp_path / "lock"), []

    def other() -> None:
        with turn:
            order.append("other")

    with turn:
        thread = threading.Thread(target=other)
        thread.start()
        with turn:
            order.append("inner")
        order.append("outer")
    thread.join(10)
    assert order == ["inner", "outer", "other"]


def test_another_process_waits_and_one_that_dies_holds_it_no_longer(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        taken = threading.Event()

        def take() -> None:
            with Turn(lock):
                taken.set()

        thread = threading.Thread(target=take)
        thread.start()
        assert not taken.wait(0.3)
        holder.kill()
        eventually(taken.is_set)
        thread.join(10)
