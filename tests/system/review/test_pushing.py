"""What may be pushed to the repository that the daemon holds, and who is on record for it. Real git throughout."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.testing.waiting import eventually
from tests.system.review.conftest import PROD, HostedServer, Person, prod


def pushes(server: HostedServer) -> list[tuple[str, str, str]]:
    """Who pushed what, and what came of it."""
    with closing(sqlite3.connect(server.data / "reconciler.sqlite")) as raw:
        return raw.execute("SELECT account, ref, outcome FROM pushes ORDER BY number").fetchall()


def signing(folder: Path) -> tuple[str, ...]:
    """A key for signing, as options of git."""
    key = folder / "signing"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}")


def test_the_branch_is_pushed_to_once_and_then_only_by_reviews(server: HostedServer, ann: Person) -> None:
    before = ann.git("rev-parse", "HEAD").stdout.strip()
    ann.commit(prod("2.0.0"), "Straight to production")
    refused = ann.git("push", "origin", "main", check=False)
    assert refused.returncode == 1
    assert "remote: main cannot be pushed to. Push a branch of another name" in refused.stderr
    ann.git("commit", "-q", "--amend", "--reset-author", "-m", "Urgent\n\nEmergency: the site is down")
    unsigned = ann.git("push", "origin", "main", check=False)
    assert "remote: In an emergency: a signed commit" in unsigned.stderr
    ann.git("reset", "-q", "--hard", "HEAD~1")
    ann.git("commit", "-q", "--amend", "-m", "Another beginning")
    rewound = ann.git("push", "-f", "origin", "main", check=False)
    assert "remote: main cannot be rewound or rewritten" in rewound.stderr
    deleted = ann.git("push", "origin", ":main", check=False)
    assert "remote: main cannot be deleted." in deleted.stderr
    ann.git("tag", "main-again")
    tagged = ann.git("push", "origin", "main-again", check=False)
    assert "remote: refs/tags/main-again: only branches are kept here." in tagged.stderr
    assert server.in_force() == before
    assert pushes(server) == [
        ("ann", "refs/heads/main", "landed"),
        *[("ann", "refs/heads/main", "refused")] * 4,
        ("ann", "refs/tags/main-again", "refused"),
    ]


def on_call(person: Person, key: str) -> None:
    """Make somebody the one who may declare an emergency for production."""
    people = f'''version: 1
groups: {{on-call: ["@{person.name}"], managers: ["@ben"]}}
people: {{{person.name}: {{knownAs: ["@{person.name}"], keys: ["{key}"]}}}}
emergency: {{group: on-call}}
'''
    policy = "promotesFrom: dev\napprovals: {required: 1, from: [managers]}\npackages:\n  app: 1.0.0\n"
    person.propose("on-call", {"environments/reconciler.yaml": people, PROD: policy}, "Who is on call")
    commit = person.change("merge", "1")["detail"]["merge_commit"]
    eventually(lambda: person.server.in_force() == commit)
    eventually(lambda: "ssh-" in (person.server.repository / "emergency-signers.json").read_text())
    person.git("checkout", "-q", "main")
    person.git("pull", "-q", "origin", "main")


@pytest.mark.usefixtures("ssh_keygen")
def test_an_emergency_is_a_signed_commit_that_says_so(server: HostedServer, ann: Person, tmp_path: Path) -> None:
    key = signing(tmp_path)
    on_call(ann, (tmp_path / "signing.pub").read_text().strip())
    (ann.folder / "environments/prod/environment.yaml").write_text(prod("2.0.0").popitem()[1])
    ann.git("add", "-A")
    ann.git(*key, "commit", "-q", "-S", "-m", "Signed, and nothing else")
    assert ann.git("push", "origin", "main", check=False).returncode == 1
    ann.git(*key, "commit", "-q", "-S", "--amend", "-m", "Urgent\n\nEmergency: the site is down")
    ann.git("push", "-q", "origin", "main")
    head = ann.git("rev-parse", "HEAD").stdout.strip()
    eventually(lambda: server.in_force() == head)
    # One emergency takes no other commit along.
    ann.commit({"note.txt": "x"}, "Not urgent")
    (ann.folder / "note.txt").write_text("y")
    ann.git("add", "-A")
    ann.git(*key, "commit", "-q", "-S", "-m", "Urgent\n\nEmergency: again")
    assert ann.git("push", "origin", "main", check=False).returncode == 1


def test_cloning_shallow_and_fetching_with_either_protocol(server: HostedServer, ann: Person, ben: Person) -> None:
    ann.propose("one", prod("2.0.0"), "One")
    ben.clone("--depth", "1", "--no-single-branch")
    assert ben.git("rev-list", "--count", "origin/one").stdout.strip() == "1"
    ben.git("fetch", "-q", "--unshallow")
    assert ben.git("rev-list", "--count", "origin/one").stdout.strip() == "2"
    for protocol in ("0", "1", "2"):
        listed = ben.git("-c", f"protocol.version={protocol}", "ls-remote", "origin").stdout
        assert "refs/heads/one" in listed
        head = ann.propose("one", {"note.txt": protocol}, f"By {protocol}")
        ben.git("-c", f"protocol.version={protocol}", "fetch", "-q", "origin")
        assert ben.git("rev-parse", "origin/one").stdout.strip() == head


def test_nobody_reads_or_writes_without_an_account(server: HostedServer, ann: Person) -> None:
    stranger = Person("ann", "not-the-password", server, server.folder / "stranger")
    refused = stranger.git("clone", server.git_url, str(stranger.folder), check=False)
    assert "Authentication failed" in refused.stderr
    ann.password = "wrong"
    ann.commit(prod("2.0.0"), "x")
    assert "Authentication failed" in ann.git("push", "origin", "HEAD:x", check=False).stderr
    unknown = Person("nobody", "x", server, server.folder).ask("list")
    assert unknown.returncode == 1
    assert "the name or the password is not right" in unknown.stderr


def test_a_push_of_more_than_is_taken_is_refused_in_gits_words(server: HostedServer, ann: Person) -> None:
    (ann.folder / "big.bin").write_bytes(os.urandom(70 * 1024 * 1024))
    ann.git("checkout", "-q", "-b", "big")
    ann.git("add", "-A")
    ann.git("-c", "core.compression=0", "commit", "-q", "-m", "Big")
    refused = ann.git("-c", "core.compression=0", "push", "origin", "big", check=False)
    assert refused.returncode != 0
    assert "at most 67108864 are allowed" in refused.stderr
    assert ann.change("list") == []
    assert len(list((server.repository / "objects").glob("**/tmp_*"))) == 0
    ann.git("rm", "-q", "--cached", "big.bin")
    ann.git("commit", "-q", "--amend", "--allow-empty", "-m", "Small")
    ann.git("push", "-q", "origin", "big")


def test_whoever_pushed_is_known_even_if_the_daemon_dies_at_that_moment(
    server: HostedServer, ann: Person, ben: Person, tmp_path: Path
) -> None:
    """Git waits in its hook, after the daemon put down who pushes; the daemon is killed, and git goes on."""
    gate, waiting = tmp_path / "gate", tmp_path / "waiting"
    hook = server.repository / "hooks" / "update"
    hook.write_text(f"#!/bin/sh\ntouch {waiting}\nwhile [ ! -e {gate} ]; do sleep 0.05; done\n")
    hook.chmod(0o755)
    ben.clone()
    ben.git("checkout", "-q", "-b", "late")
    head = ben.commit(prod("2.0.0"), "Late")
    pushing = subprocess.Popen(
        ["git", "-C", str(ben.folder), "-c", "credential.helper=", "push", "origin", "late"],
        env={
            **os.environ,
            "GIT_SSL_CAINFO": str(server.ca),
            "GIT_ASKPASS": str(_askpass(tmp_path, ben)),
            "GIT_TERMINAL_PROMPT": "0",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(waiting.exists)
    server.daemon.kill()
    assert pushing.wait(30) != 0
    gate.touch()
    hook.unlink()
    eventually(lambda: head in _git(server, "for-each-ref", "--format=%(objectname)"))
    server.daemon.start()
    shown = ann.change("show", "1")["detail"]
    assert shown["change"]["head"] == head
    assert shown["pushers"] == ["ben"]


def _askpass(folder: Path, person: Person) -> Path:
    script = folder / "askpass"
    script.write_text(f'#!/bin/sh\ncase "$1" in User*) echo {person.name};; *) echo "{person.password}";; esac\n')
    script.chmod(0o700)
    return script


def _git(server: HostedServer, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(server.repository), *arguments], capture_output=True, check=True)
    return done.stdout.decode()


def test_a_branch_that_somebody_unknown_moved_has_no_approvals(
    server: HostedServer, ann: Person, ben: Person
) -> None:
    ann.propose("one", prod("2.0.0"), "One")
    ben.change("approve", "1")
    assert ann.change("list")[0]["approved_by"] == ["ben"]
    identity = ("-c", "user.name=Root", "-c", "user.email=root@example.com")
    by_hand = ("commit-tree", "-p", "refs/heads/main", "-m", "By hand", "refs/heads/one^{tree}")
    other = _git(server, *identity, *by_hand).strip()
    _git(server, "update-ref", "refs/heads/one", other)
    shown = ben.change("show", "1")["detail"]
    assert shown["change"]["head"] == other
    assert shown["change"]["approved_by"] == []
    assert shown["pushers"] == ["", "ann"]
    assert "nobody knows who pushed" in ben.ask("approve", "1").stdout


def test_pushes_end_with_the_client_and_leave_the_server_as_it_was(server: HostedServer, ann: Person) -> None:
    """A client that is gone in the middle of sending changes nothing, and holds nobody up."""
    (ann.folder / "big.bin").write_bytes(os.urandom(60 * 1024 * 1024))
    ann.git("checkout", "-q", "-b", "big")
    ann.git("add", "-A")
    ann.git("-c", "core.compression=0", "commit", "-q", "-m", "Big")
    ann.git("config", "core.compression", "0")
    sending = subprocess.Popen(
        ["git", "-C", str(ann.folder), "push", "origin", "big"],
        env={
            **os.environ,
            "GIT_SSL_CAINFO": str(server.ca),
            "GIT_ASKPASS": str(_askpass(server.folder, ann)),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    eventually(lambda: _spooled(server))
    os.killpg(sending.pid, signal.SIGKILL)
    sending.wait()
    ann.git("checkout", "-q", "main")
    ann.propose("small", prod("2.0.0"), "Small")
    assert [item["branch"] for item in ann.change("list")] == ["small"]


def _spooled(server: HostedServer) -> bool:
    """Whether the daemon holds something of a request in a file that nobody else can see."""
    process = server.daemon._process
    assert process is not None
    for handle in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if str(handle.readlink()).endswith("(deleted)") and handle.stat().st_size > 0:
                return True
    return False
