"""What may be pushed to the repository that the daemon holds, by the hook's own words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from reconciler.approval.ssh_signatures import public_key_of, sign
from reconciler.review import hook
from reconciler.review.emergencies import write_signers
from reconciler.review.repository import HostedRepository

NONE = "0" * 40
ON_CALL, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in (1, 2))


class Hosted:
    """The repository, with its hook as git would call it."""

    def __init__(self, folder: Path) -> None:
        self.repository = HostedRepository.make(folder, "main")
        self.folder = folder
        self.tree = self._object("tree", "")
        self.first = self.commit("First")
        write_signers(folder, [public_key_of(ON_CALL).line])

    def commit(self, message: str, *parents: str, by: Ed25519PrivateKey | None = None) -> str:
        lines = [f"tree {self.tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"{role} A <a@example.com> 1700000000 +0000" for role in ("author", "committer")]
        head, rest = "\n".join(lines) + "\n", f"\n{message}\n"
        if by is not None:
            head += "gpgsig " + sign((head + rest).encode(), by).strip().replace("\n", "\n ") + "\n"
        return self._object("commit", head + rest)

    def push(self, old: str, new: str, ref: str = "refs/heads/main") -> str:
        """What the hook tells; empty where it takes the push."""
        done = subprocess.run(
            [self.folder / "hooks" / "pre-receive"],
            input=f"{old} {new} {ref}\n",
            env={"PATH": os.environ["PATH"], "GIT_DIR": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == (done.stderr == "")
        return done.stderr

    def _object(self, kind: str, content: str) -> str:
        command = ["git", "-C", str(self.folder), "hash-object", "-w", "-t", kind, "--stdin"]
        return (
            subprocess.run(command, input=content.encode(), capture_output=True, check=True)
            .stdout.decode()
            .strip()
        )


@pytest.fixture
def hosted(tmp_path: Path) -> Hosted:
    return Hosted(tmp_path / "desired.git")


def test_the_first_push_makes_the_branch(hosted: Hosted) -> None:
    assert hosted.push(NONE, hosted.first) == ""


def test_other_branches_may_go_anywhere(hosted: Hosted) -> None:
    other = hosted.commit("Other")
    for old, new in ((NONE, other), (hosted.first, other), (other, NONE)):
        assert hosted.push(old, new, "refs/heads/change") == ""


@pytest.mark.parametrize(
    "ref",
    [
        "refs/tags/v1",
        "refs/heads/HEAD",
        f"refs/heads/{'a' * 40}",
        "refs/reconciler/changes/1",
        "refs/notes/x",
        "main",
    ],
)
def test_what_is_no_branch_is_refused(hosted: Hosted, ref: str) -> None:
    assert "only branches are kept here" in hosted.push(NONE, hosted.first, ref)


def test_the_branch_is_neither_deleted_nor_rewound_nor_pushed_to(hosted: Hosted) -> None:
    on_top = hosted.commit("On top", hosted.first)
    assert "cannot be deleted" in hosted.push(hosted.first, NONE)
    assert "cannot be rewound" in hosted.push(on_top, hosted.first)
    assert "cannot be rewound" in hosted.push(hosted.first, hosted.commit("Elsewhere"))
    assert "cannot be pushed to" in hosted.push(hosted.first, on_top)


@pytest.mark.parametrize(
    ("message", "signed", "taken"),
    [
        ("Now\n\nEmergency: the site is down", True, True),
        ("Now\n\nemergency: the site is down\nSigned-off-by: A <a@example.com>", True, True),
        ("Now\n\nEmergency: the site is down", False, False),
        ("Now\n\nEmergency:", True, False),
        ("Now\n\nEmergency: told above\n\nand this is the end", True, False),
        ("Now", True, False),
    ],
)
def test_an_emergency_says_so_in_its_trailer_and_is_signed(
    hosted: Hosted, message: str, *, signed: bool, taken: bool
) -> None:
    by = ON_CALL if signed else None
    assert (hosted.push(hosted.first, hosted.commit(message, hosted.first, by=by)) == "") is taken


def test_an_emergency_is_signed_by_somebody_who_may_declare_one(hosted: Hosted) -> None:
    urgent = "Now\n\nEmergency: the site is down"
    strange = hosted.commit(urgent, hosted.first, by=STRANGER)
    assert f"{strange[:10]} claims an emergency, and no member" in hosted.push(hosted.first, strange)
    (hosted.folder / "emergency-signers.json").write_text("damaged")
    assert "claims an emergency" in hosted.push(hosted.first, hosted.commit(urgent, hosted.first, by=ON_CALL))
    (hosted.folder / "emergency-signers.json").unlink()
    assert "claims an emergency" in hosted.push(hosted.first, hosted.commit(urgent, hosted.first, by=ON_CALL))


def test_an_emergency_takes_no_other_commit_of_the_branch_along(hosted: Hosted) -> None:
    urgent = "Now\n\nEmergency: the site is down"
    before = hosted.commit("Before", hosted.first)
    assert hosted.push(hosted.first, hosted.commit(urgent, before, by=ON_CALL)) != ""
    # What it merges is another side, and judged with it.
    side = hosted.commit("Side", hosted.first)
    assert hosted.push(hosted.first, hosted.commit(urgent, hosted.first, side, by=ON_CALL)) == ""


def test_the_hook_uses_nothing_of_ours_and_of_others() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", hook.__file__, "main"], input="", capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
