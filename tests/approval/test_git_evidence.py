"""What git alone tells of a commit: OpenPGP signatures by GnuPG itself, authors, trailers, altered merges."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.approval.evidence import Change
from reconciler.approval.git_evidence import evidence_of
from reconciler.desired.public_keys import UnusableKey, key_identity
from reconciler.desired.repository import GitRepository


@dataclass
class Signer:
    """Somebody with GnuPG and a key of their own."""

    home: Path
    program: str

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.program, "--homedir", str(self.home), "--batch", "--no-tty", *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    @property
    def key(self) -> str:
        return self.run("--armor", "--export")

    @property
    def fingerprint(self) -> str:
        listed = self.run("--with-colons", "--list-keys")
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))


@pytest.fixture(scope="module")
def signers(gpg: str) -> Iterator[tuple[Signer, Signer]]:
    # A socket of gpg-agent lies in the folder, and its path must be short.
    homes = [Path(tempfile.mkdtemp(prefix="gpg-")) for _ in range(2)]
    made = tuple(Signer(home, gpg) for home in homes)
    for signer, name in zip(made, ("ann", "eve"), strict=True):
        signer.home.chmod(0o700)
        signer.run("--passphrase", "", "--quick-gen-key", f"{name} <{name}@example.com>", "ed25519", "sign")
    yield made[0], made[1]
    for signer in made:
        subprocess.run(["gpgconf", "--homedir", str(signer.home), "--kill", "all"], check=False)
        shutil.rmtree(signer.home, ignore_errors=True)


class Clone:
    """A repository, worked on with plain git."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")
        self.commit("first.txt", "First")

    def git(self, *arguments: str, signer: Signer | None = None, author: str = "ann") -> str:
        environment = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{role}_NAME": author for role in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{role}_EMAIL": f"{author}@example.com" for role in ("AUTHOR", "COMMITTER")},
            **({"GNUPGHOME": str(signer.home)} if signer is not None else {}),
        }
        self.folder.mkdir(exist_ok=True)
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, name: str, message: str, signer: Signer | None = None, author: str = "ann") -> str:
        (self.folder / name).write_text(message, "utf-8")
        self.git("add", "-A")
        signing = ["-S"] if signer is not None else []
        self.git("commit", "-q", *signing, "-m", message, signer=signer, author=author)
        return self.git("rev-parse", "HEAD")

    @property
    def repository(self) -> GitRepository:
        return GitRepository(self.folder)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def test_what_gnupg_signed_is_known_by_its_key(clone: Clone, signers: tuple[Signer, Signer]) -> None:
    ann, eve = signers
    commit = clone.commit("a.txt", "Signed", ann)
    clone.git("verify-commit", commit, signer=ann)
    found = evidence_of(clone.repository, commit, pgp_keys=[eve.key, ann.key])
    assert found.signer == key_identity(ann.key) == f"key:{ann.fingerprint}"
    assert (found.signers, found.unsigned) == ((found.signer,), ())


def test_a_key_that_nobody_is_known_by_signs_nothing(clone: Clone, signers: tuple[Signer, Signer]) -> None:
    ann, eve = signers
    commit = clone.commit("a.txt", "Signed", eve, author="eve")
    found = evidence_of(clone.repository, commit, pgp_keys=[ann.key])
    assert (found.signer, found.unsigned) == ("", (commit,))


def test_a_commit_that_was_changed_under_its_signature_is_not_signed(
    clone: Clone, signers: tuple[Signer, Signer]
) -> None:
    ann, _ = signers
    commit = clone.commit("a.txt", "Signed", ann)
    raw = clone.git("cat-file", "commit", commit).replace("\n\nSigned", "\n\nEmergency: forged") + "\n"
    path = clone.folder / "forged"
    path.write_text(raw, "utf-8")
    forged = clone.git("hash-object", "-w", "-t", "commit", str(path))
    assert evidence_of(clone.repository, forged, pgp_keys=[ann.key]).signer == ""


@pytest.mark.parametrize("text", ["", "ssh-ed25519", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n"])
def test_what_is_no_key_is_refused_with_what_to_give(text: str) -> None:
    with pytest.raises(UnusableKey, match="key"):
        key_identity(text)


def test_a_merge_tells_who_wrote_what_it_brings_in(clone: Clone) -> None:
    base = clone.git("rev-parse", "HEAD")
    clone.git("checkout", "-q", "-b", "side")
    clone.commit("a.txt", "One", author="dora")
    head = clone.commit("b.txt", "Two\n\nCo-authored-by: Eve <eve@example.com>", author="finn")
    clone.git("checkout", "-q", "main")
    clone.commit("c.txt", "Meanwhile", author="gus")
    clone.git("merge", "-q", "--no-ff", "-m", "Merge\n\nEmergency: no time", "side", author="hal")
    merge = clone.git("rev-parse", "HEAD")
    found = evidence_of(clone.repository, merge, Change("#1", "", "", "@dora", head, 0.0))
    assert set(found.authors) == {f"{name}@example.com" for name in ("dora", "finn", "eve")}
    assert (found.emergency, found.altered) == ("no time", False)
    assert evidence_of(clone.repository, merge, Change("#1", "", "", "@dora", base, 0.0)).altered, "another head"


def test_a_squash_is_what_was_approved_or_it_is_told(clone: Clone) -> None:
    clone.git("checkout", "-q", "-b", "side")
    clone.commit("a.txt", "One", author="dora")
    head = clone.commit("b.txt", "Two", author="dora")
    clone.git("checkout", "-q", "main")
    clone.commit("c.txt", "Meanwhile", author="gus")
    clone.git("merge", "-q", "--squash", "side")
    change = Change("#1", "", "", "@dora", head, 0.0)
    squash = clone.commit("a.txt", "One")
    assert not evidence_of(clone.repository, squash, change).altered
    clone.git("commit", "-q", "--amend", "-m", "Squashed")
    other = clone.commit("d.txt", "Something else by that name")
    assert evidence_of(clone.repository, other, change).altered
    gone = evidence_of(clone.repository, other, Change("#1", "", "", "@dora", "f" * 40, 0.0))
    assert gone.altered
    assert "its head ffffffffff is not in the repository" in gone.alteration


def test_a_merge_that_was_amended_is_told(clone: Clone) -> None:
    clone.git("checkout", "-q", "-b", "side")
    clone.commit("a.txt", "One", author="dora")
    clone.git("checkout", "-q", "main")
    clone.git("merge", "-q", "--no-ff", "-m", "Merge", "side")
    (clone.folder / "smuggled.txt").write_text("more")
    clone.git("add", "-A")
    clone.git("commit", "-q", "--amend", "--no-edit")
    assert evidence_of(clone.repository, clone.git("rev-parse", "HEAD")).altered
