"""A witness that is a ref in a git repository: each checkpoint is a commit, so the ref keeps all of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pygit2

from reconciler.audit.checkpoint import SignedCheckpoint
from reconciler.audit.same_machine import why_folder_is_here, why_host_is_here
from reconciler.audit.witnesses import BadWitness, NotWitnessed
from reconciler.desired.git_command import GitAnswer, GitTimeout, NoGit, run_git
from reconciler.desired.mirror import without_secrets

DEFAULT_REF = "refs/heads/reconciler-audit"
"""The ref that checkpoints are pushed to where the address names none."""

_SECONDS = 120.0
_WHO = ("Reconciler", "reconciler@localhost")
_HERE = "refs/heads/witness"


class GitWitness:
    """A ref of a repository that this server can push to.

    Args:
        address: the repository's URL or path, and perhaps ``#`` and the full name of the ref.
        data: the data folder.

    Raises:
        BadWitness: the ref is not a full one, or the URL holds a password.
    """

    def __init__(self, address: str, data: Path) -> None:
        self._url, _, ref = address.partition("#")
        self._ref = ref or DEFAULT_REF
        self._data = data
        self.name = f"git:{without_secrets(self._url)}#{self._ref}"
        if "://" in self._url and urlsplit(self._url).password is not None:
            raise BadWitness(
                "the URL holds a password, and git's command line would show it to every account of this machine",
                where=self.name,
                hint="leave it out, and give it to git by a credential helper of the daemon's account, or use SSH",
            )
        if not self._url or not self._ref.startswith("refs/") or not pygit2.reference_is_valid_name(self._ref):
            hint = "write git:URL, or git:URL#refs/heads/NAME"
            raise BadWitness("the address names no ref of a repository", where=self.name, hint=hint)

    def why_here(self) -> str:
        """Return why it is this machine."""
        path = Path(self._url.removeprefix("file://"))
        if path.is_absolute():
            try:
                return why_folder_is_here(path, self._data)
            except OSError:
                return "it is a path on this machine"
        host = (
            urlsplit(self._url).hostname if "://" in self._url else self._url.partition(":")[0].rpartition("@")[2]
        )
        return why_host_is_here(host) if host else ""

    def publish(self, checkpoint: SignedCheckpoint) -> None:
        """Push a commit with the checkpoint on top of what the ref has now."""
        with tempfile.TemporaryDirectory(prefix="reconciler-witness-") as scratch:
            folder = Path(scratch)
            repository = pygit2.init_repository(scratch, bare=True)
            try:
                head = self._fetch(folder)
                commit = _commit(repository, head, checkpoint)
                self._push(folder, commit, head)
            except pygit2.GitError as error:
                raise NotWitnessed(f"the commit cannot be made: {error}", where=self.name) from error

    def _fetch(self, folder: Path) -> str | None:
        """Fetch the ref's newest commit; return its id, ``None`` where there is no such ref yet."""
        listed = self._git(folder, "ls-remote", self._url, self._ref)
        if listed.exit_code != 0:
            raise self._trouble(listed)
        if not listed.output.strip():
            return None
        fetched = self._git(
            folder, "fetch", "--quiet", "--depth=1", "--no-tags", self._url, f"+{self._ref}:{_HERE}"
        )
        if fetched.exit_code != 0:
            raise self._trouble(fetched)
        return str(pygit2.Repository(str(folder)).references[_HERE].target)

    def _push(self, folder: Path, commit: str, head: str | None) -> None:
        # The lease keeps two servers that use one ref from dropping each other's commits.
        lease = f"--force-with-lease={self._ref}:{head or ''}"
        pushed = self._git(folder, "push", "--quiet", lease, self._url, f"{commit}:{self._ref}")
        if pushed.exit_code != 0:
            raise self._trouble(pushed)

    def _git(self, folder: Path, *arguments: str) -> GitAnswer:
        try:
            return run_git(folder, *arguments, timeout=_SECONDS)
        except NoGit as error:
            raise NotWitnessed("there is no git executable", where=self.name, hint="install git") from error
        except GitTimeout as error:
            raise NotWitnessed(str(error), where=self.name, hint="check the network") from error

    def _trouble(self, answer: GitAnswer) -> NotWitnessed:
        said = " ".join(without_secrets(answer.complaints).split())[:300]
        return NotWitnessed(
            f"git failed: {said or f'exit code {answer.exit_code}'}",
            where=self.name,
            hint="check that git push works for the daemon's account, and that it may push to the ref",
        )


def _commit(repository: pygit2.Repository, head: str | None, checkpoint: SignedCheckpoint) -> str:
    """Make a commit that differs from the head by this installation's file alone; return its id."""
    origin, size = checkpoint.checkpoint.origin, checkpoint.checkpoint.size
    index = pygit2.Index()
    if head is not None:
        index.read_tree(repository[head].peel(pygit2.Commit).tree)
    name = f"{origin.replace('/', '-')}.checkpoint"
    blob = repository.create_blob(checkpoint.note.encode())
    index.add(pygit2.IndexEntry(name, blob, pygit2.enums.FileMode.BLOB))
    who = pygit2.Signature(*_WHO)
    parents: list[str | pygit2.Oid] = [pygit2.Oid(hex=head)] if head is not None else []
    message = f"Checkpoint of {size} audit records\n\nOrigin: {origin}\n"
    return str(repository.create_commit(None, who, who, message, index.write_tree(repository), parents))
