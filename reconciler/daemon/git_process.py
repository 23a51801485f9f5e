"""Runs git for the git server: with little of the daemon's environment, and bounded in memory and time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from typing import IO

import structlog
from starlette.requests import Request

from reconciler.daemon.git_requests import RequestRefused

_MOST_KILOBYTES = 2 * 1024 * 1024
"""Memory that one git process may ask for, in units of 1,024 bytes."""
_SETTINGS = (
    "receive.unpackLimit=1",
    "core.packedGitWindowSize=16m",
    "core.packedGitLimit=256m",
    "core.deltaBaseCacheLimit=32m",
    "pack.threads=1",
    "uploadpack.allowFilter=true",
    "http.receivepack=true",
)
_NOT_FOUND = 127  # how a shell says that there is no such program
_LIMITED = ("sh", "-c", f'ulimit -v {_MOST_KILOBYTES} && exec "$@"', "sh")
_log = structlog.get_logger("reconciler.git")


def git_command(setting: str, *words: str) -> list[str]:
    """Return the command that runs git within bounds.

    Args:
        setting: one more setting of git's configuration.
        words: what git is to do.
    """
    settings = [word for one in (*_SETTINGS, setting) for word in ("-c", one)]
    return [*_LIMITED, "git", *settings, *words]


def environment_of(request: Request) -> dict[str, str]:
    """Return what git may know: nothing of the daemon's own environment but where programs are."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    protocol = request.headers.get("git-protocol", "")
    if re.fullmatch(r"[A-Za-z0-9=:.,-]{1,200}", protocol):
        environment["GIT_PROTOCOL"] = protocol
    return environment


def run(command: list[str], environment: dict[str, str], stdin: IO[bytes] | int, seconds: float = 60.0) -> bytes:
    """Run git to its end and return what it says.

    Raises:
        RequestRefused: it took too long, or cannot be run.
    """
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output, complaints = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        end(process.pid)
        process.communicate()
        raise RequestRefused(503, f"git did not come to an end in {seconds:.0f} s") from error
    if process.returncode == _NOT_FOUND:
        raise RequestRefused(503, "there is no git executable on the server")
    if process.returncode != 0:
        _log.warning("git failed", exit_code=process.returncode, said=complaints[-500:])
    return output


def end(process: int) -> None:
    """End git and what it started."""
    try:
        os.killpg(process, signal.SIGKILL)
    except ProcessLookupError:
        return
