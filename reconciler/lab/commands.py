"""Runs Windows commands in a prefix: to their end, with their true exit code, or in the background."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from reconciler.lab.errors import LabError, LabTimeout
from reconciler.lab.prefix import WinePrefix
from reconciler.lab.template import PYTHON, TRAMPOLINE

_RESULTS = ("ProgramData", "Reconciler Lab")
_GRACE_SECONDS = 20
"""What the trampoline may take beyond the command's own time, on a busy machine."""

_LAST_OUTPUT_SECONDS = 1
"""How long to wait for the end of the output once the command has ended: a process it left behind may hold it."""

_STARTS = 3
"""How often a command is started whose starter dies first, as may happen on a host that is ending things."""

_TOLD_CHARACTERS = 2000
"""How much of the end of its output an error tells of a command."""

_SIGN_BIT = 2**31


class _NotBegun(LabError):
    """A command that was not started: it can be asked for again without its running twice."""

    reference = "lab-not-begun"


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended: ``exit_code`` is all 32 bits of it, signed."""

    exit_code: int
    stdout: str
    stderr: str


class Background:
    """A Windows process that runs on by itself; how it ended can't be had, as Wine cuts exit codes to 8 bits."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        # Takes its exit from the system whenever that comes: nobody need wait for it, nor keep this object.
        threading.Thread(target=process.wait, daemon=True).start()

    def running(self) -> bool:
        """Return whether the process still runs."""
        return self._process.poll() is None

    def wait(self, seconds: float) -> None:
        """Wait for the process to end.

        Raises:
            LabTimeout: it still runs after ``seconds``.
        """
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise LabTimeout(f"the process still runs after {seconds:g} s") from error

    def kill(self) -> None:
        """End the process at once, but none that it has started."""
        self._process.kill()
        self._process.wait()


def run(prefix: WinePrefix, command: Sequence[str] | str, seconds: float) -> Finished:
    """Run ``command`` to its end.

    Args:
        prefix: a prefix that is switched on.
        command: a list of words, or a whole Windows command line, quoted as its program wants it.
        seconds: how long it may take.

    Raises:
        LabTimeout: it took longer; it has been ended, though not what it started.
        LabError: it could not be started.
    """
    for _ in range(_STARTS - 1):
        with contextlib.suppress(_NotBegun):
            return _run(prefix, command, seconds)
    return _run(prefix, command, seconds)


def _run(prefix: WinePrefix, command: Sequence[str] | str, seconds: float) -> Finished:
    result = prefix.drive_c.joinpath(*_RESULTS, f"{uuid.uuid4().hex}.json")
    begun = result.with_suffix(".begun")
    request = {
        "command": command if isinstance(command, str) else list(command),
        "timeout": seconds,
        "result": "C:\\" + "\\".join((*_RESULTS, result.name)),
    }
    words = ["wine", PYTHON, "-I", TRAMPOLINE, json.dumps(request)]
    process = prefix.spawn(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stdout, stderr = _Collected(process.stdout), _Collected(process.stderr)
    try:
        process.wait(seconds + _GRACE_SECONDS)
        answer = json.loads(result.read_text("utf-8"))
    except subprocess.TimeoutExpired:
        answer = {"timedOut": True}
    except FileNotFoundError as error:
        told = f"its starter died: {stderr.text()[-_TOLD_CHARACTERS:]}"
        if not begun.exists():
            raise _NotBegun(told, where=prefix.computer_name) from error
        answer = {"error": told}
    finally:
        process.kill()
        process.wait()
        result.unlink(missing_ok=True)
        begun.unlink(missing_ok=True)
    return _finished(answer, command, prefix, (stdout.text(), stderr.text()), seconds)


def start(prefix: WinePrefix, command: Sequence[str]) -> Background:
    """Start ``command`` in the background, with no input and no output."""
    # Windows Python dies where a standard handle is a terminal or a plain file; /dev/null is fine.
    words = ["wine", *command]
    return Background(prefix.spawn(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))


def _finished(
    answer: dict[str, object],
    command: Sequence[str] | str,
    prefix: WinePrefix,
    output: tuple[str, str],
    seconds: float,
) -> Finished:
    shown = command if isinstance(command, str) else " ".join(command)
    where = f"{prefix.computer_name}: {shown}"
    match answer:
        case {"exitCode": int(code)}:
            return Finished(code - 2 * _SIGN_BIT if code >= _SIGN_BIT else code, *output)
        case {"timedOut": True}:
            told = f"; its last output was: {output[1][-_TOLD_CHARACTERS:] or output[0][-_TOLD_CHARACTERS:]}"
            late = f"the command did not end within {seconds:g} s, and was ended"
            raise LabTimeout(late + (told if any(output) else ""), where=where)
        case _:
            raise LabError(f"the command did not start: {answer.get('error')}", where=where)


class _Collected:
    """The output of one pipe, read as it comes."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert isinstance(pipe, io.BufferedReader)
        self._pipe = pipe
        self._parts: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def text(self) -> str:
        """Return what has come, once the pipe has ended or a second has passed."""
        self._reader.join(_LAST_OUTPUT_SECONDS)
        return b"".join(self._parts).decode("utf-8", errors="replace").replace("\r\n", "\n")

    def _read(self) -> None:
        with self._pipe:
            while part := self._pipe.read1(65536):
                self._parts.append(part)
