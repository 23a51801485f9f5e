"""Says what may be pushed to the hosted repository: git runs it before any ref moves. Standard library only.

It is started by its path, once for each push, so it imports nothing of ours: that would take longer than the push.
Only a commit that claims an emergency is given to another process, which verifies its signature.
What the hook refuses it tells on standard error, which git shows as ``remote:`` lines. All is refused, or nothing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

NONE = "0" * 40
_BRANCHES = "refs/heads/"
_MOST_COMMITS = 100
_EMERGENCY = re.compile(r"(?mi)^Emergency:[ \t]*\S")


def refusals(branch: str, updates: list[tuple[str, str, str]], verify: list[str]) -> Iterator[str]:
    """Yield why a push is refused, a line for each reason.

    Args:
        branch: the branch that is followed.
        updates: for each ref where it is, where it is to go, and its name.
        verify: the command that is given a commit, and returns 0 where one who may declare an emergency signed it.
    """
    for old, new, ref in updates:
        name = ref.removeprefix(_BRANCHES)
        if ref != _BRANCHES + name or name == "HEAD" or re.fullmatch(r"[0-9a-f]{40}", name):
            yield f"{ref}: only branches are kept here."
        elif name == branch and old != NONE:
            yield from _of_branch(branch, old, new, verify)


def _of_branch(branch: str, old: str, new: str, verify: list[str]) -> Iterator[str]:
    if new == NONE:
        yield f"{branch} cannot be deleted."
        return
    if _git("merge-base", "--is-ancestor", old, new).returncode != 0:
        yield f"{branch} cannot be rewound or rewritten: fetch, and build on what is there."
        return
    listed = _git("rev-list", "--first-parent", f"--max-count={_MOST_COMMITS + 1}", f"{old}..{new}")
    commits = listed.stdout.decode().split()
    if len(commits) > _MOST_COMMITS or not all(map(_claims_emergency, commits)):
        yield f"{branch} cannot be pushed to. Push a branch of another name, and have it reviewed:"
        yield "  git push origin HEAD:refs/heads/<name>     then: reconciler change list"
        yield "In an emergency: a signed commit whose message ends in a line 'Emergency: <reason>'."
        return
    for commit in commits:
        if not _is_verified(commit, verify):
            yield f"{commit[:10]} claims an emergency, and no member of an emergency group signed it."
            yield "Groups and keys count as they are in force: see emergency and people in reconciler.yaml."


def _claims_emergency(commit: str) -> bool:
    """Return whether a commit says that it is one and has a signature, valid or not."""
    head, _, message = _git("cat-file", "commit", commit).stdout.decode("utf-8", "replace").partition("\n\n")
    signed = any(line.startswith("gpgsig ") for line in head.splitlines())
    return signed and _EMERGENCY.search(re.split(r"\n\s*\n", message.strip())[-1]) is not None


def _is_verified(commit: str, verify: list[str]) -> bool:
    content = _git("cat-file", "commit", commit).stdout
    return subprocess.run(verify, input=content, capture_output=True, check=False).returncode == 0


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)


def main() -> int:
    """Read the updates from standard input, as git gives them; return 1 where something is refused."""
    lines = [line.split(" ", 2) for line in sys.stdin.read().splitlines()]
    why = list(refusals(sys.argv[1], [(old, new, ref) for old, new, ref in lines], sys.argv[2:]))
    for line in why:
        sys.stderr.write(line + "\n")
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
