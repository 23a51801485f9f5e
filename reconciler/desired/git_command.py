"""Runs the git executable for what libgit2 cannot do: with a deadline, and without asking anybody anything."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

CONNECT_TIMEOUT = 30.0
"""Seconds that a git server may take to accept a connection."""


class NoGit(Exception):
    """There is no git executable."""


class GitTimeout(Exception):
    """The git executable did not come to an end in time."""


@dataclass(frozen=True, slots=True)
class GitAnswer:
    """How a git command ended, and what it said."""

    exit_code: int
    output: str
    complaints: str


def run_git(folder: Path, *arguments: str, timeout: float) -> GitAnswer:
    """Run git in a repository.

    Questions are switched off, for passwords as for host keys: nobody is there to answer them. An SSH command that
    the environment names is kept.

    Args:
        folder: the repository.
        arguments: what git is to do.
        timeout: seconds that it may take.

    Raises:
        NoGit: there is no git executable.
        GitTimeout: it did not end in time.
    """
    ssh = os.environ.get("GIT_SSH_COMMAND", "ssh") + f" -o BatchMode=yes -o ConnectTimeout={CONNECT_TIMEOUT:.0f}"
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": ssh, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise NoGit from error
    except subprocess.TimeoutExpired as error:
        raise GitTimeout(f"no end after {timeout:.0f} s") from error
    return GitAnswer(
        done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    )
