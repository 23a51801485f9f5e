"""The people of the demonstration: each with an account, one with a clone. They use plain git, and the review."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.kernel.errors import ReconcilerError
from reconciler.operations.accounts import add_account
from reconciler.review.client import Server, ServerRefused
from reconciler.site import Site

REQUESTER = "riley"
REVIEWERS = ("alex", "sam")
_GIT_SECONDS = 60.0


class GitFailed(ReconcilerError):
    """Plain git did not do what the demonstration asked it for."""

    reference = "git-failed"


class Colleagues:
    """Riley, who asks for changes, and Alex and Sam, who review them.

    Args:
        site: the installation whose daemon holds the repository.
        url: the daemon's address.
        folder: where Riley's clone is made.
    """

    def __init__(self, site: Site, url: str, folder: Path) -> None:
        self.folder = folder
        self._ca = site.settings.data / "tls" / "ca.pem"
        self.passwords = {
            name: add_account(site, name, f"{name}@example.com").password for name in (REQUESTER, *REVIEWERS)
        }
        self._servers = {name: Server(url, self._ca, name, word) for name, word in self.passwords.items()}
        credentials = folder.with_name("credentials")
        credentials.touch(0o600)
        credentials.write_text(
            f"https://{REQUESTER}:{self.passwords[REQUESTER]}@{urlsplit(url).netloc}\n", "utf-8"
        )
        settings = {
            "http.sslCAInfo": str(self._ca),
            "credential.helper": f"store --file={credentials}",
            "user.name": "Riley Release",
            "user.email": f"{REQUESTER}@example.com",
        }
        options = [word for name, value in settings.items() for word in ("--config", f"{name}={value}")]
        self._git("clone", "--quiet", *options, f"{url}/git/desired.git", str(folder), at=folder.parent)

    @property
    def head(self) -> str:
        """The newest commit of the branch that is followed, as Riley last fetched or pushed it."""
        return self._git("rev-parse", "origin/main").strip()

    def path(self, name: str) -> Path:
        """Return where a file of Riley's clone lies."""
        return self.folder / name

    def begin(self, message: str) -> str:
        """Push everything that lies in the clone as the first commit of the repository, and return its id."""
        self._commit(message)
        self._git("push", "--quiet", "origin", "HEAD:refs/heads/main")
        return self.head

    def propose(self, branch: str, files: Mapping[str, str], message: str) -> int:
        """Push a commit on a branch of its own, and return the number of the change that it is."""
        self._branch(branch)
        for name, text in files.items():
            self.path(name).write_text(text, "utf-8")
        self._commit(message)
        return self._push(branch)

    def propose_undoing(self, branch: str, merge: str) -> int:
        """Push the reverse of a merge on a branch of its own, and return the number of the change that it is."""
        self._branch(branch)
        self._git("revert", "--no-edit", "--mainline", "1", merge)
        return self._push(branch)

    def why_not(self, number: int) -> str:
        """Have Riley try to merge, and return why the server refuses; empty where it does not."""
        try:
            self.merge(number)
        except ServerRefused as error:
            return error.what
        return ""

    def approve(self, name: str, number: int) -> None:
        """Have a reviewer approve a change."""
        server = self._servers[name]
        shown = server.get(f"/api/changes/{number}")
        head = shown["detail"]["change"]["head"]
        server.post(f"/api/changes/{number}/reviews", {"verdict": "approved", "head": head})

    def merge(self, number: int) -> str:
        """Have Riley merge a change, and return the commit that did."""
        merged = self._servers[REQUESTER].post(f"/api/changes/{number}/merge", {})
        self._git("fetch", "--quiet", "--prune", "origin")
        return str(merged["detail"]["merge_commit"])

    def _branch(self, name: str) -> None:
        self._git("fetch", "--quiet", "origin")
        self._git("checkout", "--quiet", "-B", name, "--no-track", "origin/main")

    def _commit(self, message: str) -> None:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)

    def _push(self, branch: str) -> int:
        self._git("push", "--quiet", "origin", branch)
        found = self._servers[REQUESTER].get("/api/changes")
        return int(next(change["number"] for change in found if change["branch"] == branch))

    def _git(self, *arguments: str, at: Path | None = None) -> str:
        environment = {
            **os.environ,
            "GIT_SSL_CAINFO": str(self._ca),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_EDITOR": "true",
            "LC_ALL": "C",
        }
        command = ["git", "-C", str(at or self.folder), *arguments]
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False
            )
        except FileNotFoundError as error:
            raise GitFailed("there is no git executable", hint="install git") from error
        except subprocess.TimeoutExpired as error:
            raise GitFailed(f"git {arguments[0]} took longer than {_GIT_SECONDS:.0f} s") from error
        if done.returncode != 0:
            raise GitFailed(f"git {arguments[0]} failed: {done.stderr.strip()}", where=str(self.folder))
        return done.stdout
