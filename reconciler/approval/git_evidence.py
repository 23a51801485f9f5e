"""Reads from git what a commit tells: who wrote what it brought in, who signed it, what its trailers say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pygit2
from pygit2.enums import SortMode

from reconciler.approval.evidence import Change, Evidence
from reconciler.approval.landing import alteration
from reconciler.approval.pgp_signatures import verify_pgp
from reconciler.approval.ssh_signatures import BadSignature, verify
from reconciler.desired.people import Identity
from reconciler.desired.repository import GitRepository, RepositoryError

EMERGENCY_TRAILER = "Emergency"
"""The trailer of a commit that claims to need no approvals; its value is the reason."""

MOST_COMMITS = 2000
"""Commits that a merge may bring in: one with more is not judged by all of them, and so not at all."""

_SSH_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_PGP_BEGIN = "-----BEGIN PGP SIGNATURE-----"
_MAIL = re.compile(r"<([^<>\s]+)>\s*$")


def evidence_of(
    repository: GitRepository,
    commit: str,
    change: Change | None = None,
    pgp_keys: Iterable[str] = (),
    start: str = "",
    received_at: float | None = None,
) -> Evidence:
    """Return what is known of a first-parent commit.

    Args:
        repository: where it is.
        commit: its full id.
        change: what it came by, as the forge tells.
        pgp_keys: the OpenPGP keys that signatures may be by, in armor.
        start: the commit of the branch before all that the change brought in; its first parent where it is empty.
        received_at: when the server first received it, in seconds since 1970; ``None`` leaves the expiry of keys
            out of account.

    Raises:
        RepositoryError: it is not there, or brings in too much to be judged.
    """
    found = _commit(repository, commit)
    keys = tuple(pgp_keys)
    brought = _brought_in(repository, found, change, start)
    altered = alteration(repository, found, change)
    signed = {str(each.id): signer_of(each, keys, received_at) for each in brought}
    return Evidence(
        commit=commit,
        change=change,
        authors=tuple(dict.fromkeys(_authors(found, brought))),
        altered=bool(altered),
        alteration=altered,
        signer=signer_of(found, keys, received_at),
        signers=tuple(dict.fromkeys(signer for signer in signed.values() if signer)),
        unsigned=tuple(each for each, signer in signed.items() if not signer),
        emergency=_trailer(found, EMERGENCY_TRAILER),
    )


def _brought_in(
    repository: GitRepository, commit: pygit2.Commit, change: Change | None, start: str
) -> tuple[pygit2.Commit, ...]:
    """Return the commits whose content is in this one and was not in the branch before: itself, unless it merges.

    Of a squash or a rebase these are also the commits of the change, as far as the repository has them.
    """
    handle = repository.handle()
    heads = [parent.id for parent in commit.parents[1:]] or [commit.id]
    if change is not None and change.head in handle:
        heads.append(pygit2.Oid(hex=change.head))
    walk = handle.walk(None, SortMode.TOPOLOGICAL)
    for head in heads:
        walk.push(head)
    hidden = pygit2.Oid(hex=start) if start else (commit.parents[0].id if commit.parents else None)
    if hidden is not None:
        walk.hide(hidden)
    elif len(heads) == 1:
        return (commit,)
    found = []
    for each in walk:
        found.append(each)
        if len(found) > MOST_COMMITS:
            raise RepositoryError(
                f"commit {str(commit.id)[:10]} brings in more than {MOST_COMMITS} commits",
                where=str(repository.folder),
                hint="merge it in several parts",
            )
    return tuple(found)


def _authors(commit: pygit2.Commit, brought: Iterable[pygit2.Commit]) -> Iterator[Identity]:
    """Yield who wrote what came in.

    Of what a merge brings in, committers count too. A commit without a second side may be a squash, of which a
    forge names whoever merged it as the committer: who made it is told by its author, and by the change.
    """
    for each in brought:
        yield each.author.email
        if len(commit.parents) > 1:
            yield each.committer.email
        for trailer, value in _trailers(each):
            mail = _MAIL.search(value)
            if trailer.casefold() == "co-authored-by" and mail is not None:
                yield mail.group(1)


def signer_of(
    signed: pygit2.Commit | pygit2.Tag, pgp_keys: Iterable[str], received_at: float | None = None
) -> Identity:
    """Return whose key a commit or an annotated tag is signed with; empty where no good signature is on it.

    Args:
        signed: the object.
        pgp_keys: the OpenPGP keys that the signature may be by, in armor.
        received_at: when the server first received it; ``None`` leaves the expiry of keys out of account.
    """
    signature, payload = _signature_of(signed)
    text = signature.decode("utf-8", "replace")
    try:
        found = verify(payload, text) if _SSH_BEGIN in text else verify_pgp(payload, text, pgp_keys, received_at)
    except BadSignature:
        return ""
    return f"key:{found}"


def _signature_of(signed: pygit2.Commit | pygit2.Tag) -> tuple[bytes, bytes]:
    """Return the signature and what it is over: of a commit a header has it, of a tag the end of its message.

    Source: git-scm.com/docs/gitformat-signature
    """
    if isinstance(signed, pygit2.Commit):
        signature, payload = signed.gpg_signature
        return signature or b"", payload or b""
    content = signed.read_raw()
    starts = [at for begin in (_SSH_BEGIN, _PGP_BEGIN) if (at := content.rfind(b"\n" + begin.encode())) >= 0]
    cut = max(starts) + 1 if starts else len(content)
    return content[cut:], content[:cut]


def _trailer(commit: pygit2.Commit, name: str) -> str:
    values = [value for trailer, value in _trailers(commit) if trailer.casefold() == name.casefold()]
    return values[-1].strip() if values else ""


def _trailers(commit: pygit2.Commit) -> Iterator[tuple[str, str]]:
    """Yield the trailers of a commit's message: lines of the form ``Name: value`` in its last paragraph."""
    paragraphs = re.split(r"\n\s*\n", commit.message.strip())
    if len(paragraphs) < 2:
        return
    for line in paragraphs[-1].splitlines():
        name, colon, value = line.partition(":")
        if colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name):
            yield name, value.strip()


def _commit(repository: GitRepository, commit: str) -> pygit2.Commit:
    try:
        return repository.handle()[commit].peel(pygit2.Commit)
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise RepositoryError(f"there is no commit {commit}", where=str(repository.folder)) from error
