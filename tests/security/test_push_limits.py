"""Pushes by an ordinary account are bounded in size, number and time, whatever they expand to."""

from __future__ import annotations

import base64
import random
import socket
import ssl
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.daemon.git_answers import refusal
from reconciler.daemon.git_requests import packet
from reconciler.daemon.pack_limits import PackLimits, PackRefused, check_pack
from reconciler.daemon.slots import NoSlot, Slots
from reconciler.review import push_check
from reconciler.review.changed_files import LONGEST_COMPARED, changed_files
from reconciler.testing.daemon_process import DaemonProcess
from reconciler.testing.waiting import eventually
from reconciler.testing.workspace import Workspace
from tests.daemon.conftest import FILES
from tests.security.conftest import ClientsOf, head, resident_bytes
from tests.system.review.conftest import HostedServer, Person, prod

RECEIVE = "application/x-git-receive-pack-request"
LIMITS = {
    "host_repository": "true",
    "push_bytes": str(256 * 1024),
    "push_file_bytes": str(64 * 1024),
    "branches_per_account": "3",
    "changes_per_account": "2",
    "body_seconds": "2",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedServer]:
    server = HostedServer(tmp_path_factory.mktemp("hosted"))
    server.daemon = DaemonProcess(server.data, "", LIMITS)
    server.daemon.start()
    ann = server.person("ann")
    ann.clone()
    first = ann.commit(FILES, "The fleet as it is")
    ann.git("push", "-q", "origin", "main")
    eventually(lambda: server.in_force() == first)
    yield server
    server.daemon.kill()


_people = iter(range(1000))


@pytest.fixture
def mallory(server: HostedServer) -> Person:
    """An ordinary account of the test's own."""
    mallory = server.person(f"mallory{next(_people)}")
    mallory.clone()
    return mallory


def refused(person: Person, branch: str) -> str:
    done = person.git("push", "origin", branch, check=False)
    assert done.returncode != 0
    return done.stderr


def test_a_large_file_is_refused_in_words_before_git_unpacks_it(server: HostedServer, mallory: Person) -> None:
    """60 MB of short lines, 60 kB when packed: comparing them used to take 3 GB."""
    mallory.git("checkout", "-q", "-b", "large")
    mallory.commit({"environments/large.yaml": "a\n" * 30_000_000}, "Large")
    before = resident_bytes(server.daemon.pid)
    assert "remote: the push has a file or folder of 60000000 bytes; at most 65536 are allowed" in refused(
        mallory, "large"
    )
    assert mallory.change("list") == []
    assert resident_bytes(server.daemon.pid) < before + 64 * 1024 * 1024
    mallory.propose("small", prod("2.0.0"), "Small")
    mallory.git("push", "-q", "origin", ":small")


def test_a_large_push_is_refused_in_words(mallory: Person) -> None:
    mallory.git("checkout", "-q", "-b", "many")
    noise = random.Random(1)
    files = {f"{number}.txt": noise.randbytes(20_000).hex() for number in range(20)}
    mallory.commit(files, "Many")
    assert "at most 262144 are allowed" in refused(mallory, "many")


def test_a_tree_that_expands_to_billions_of_files_is_refused(server: HostedServer, mallory: Person) -> None:
    tree = mallory.git("rev-parse", "HEAD:environments").stdout.strip()
    for _ in range(12):
        listing = "".join(f"040000 tree {tree}\tf{number}\n" for number in range(10))
        made = subprocess.run(
            ["git", "-C", str(mallory.folder), "mktree"], input=listing, capture_output=True, text=True, check=True
        )
        tree = made.stdout.strip()
    commit = mallory.git("commit-tree", "-p", "HEAD", "-m", "Bomb", tree).stdout.strip()
    mallory.git("branch", "bomb", commit)
    assert "remote: refs/heads/bomb: it has more than 50000 files" in refused(mallory, "bomb")
    assert [change["branch"] for change in mallory.change("list")] == []


def test_an_account_has_only_so_many_branches_and_open_changes(server: HostedServer, mallory: Person) -> None:
    for number in range(2):
        mallory.propose(f"{mallory.name}-{number}", prod(f"2.0.{number}"), f"Change {number}")
    mallory.git("checkout", "-q", "-b", "third", "origin/main")
    mallory.commit(prod("3.0.0"), "One more")
    assert f"remote: {mallory.name} has 2 open changes, and may have 2" in refused(mallory, "third")
    mallory.git("push", "-q", "origin", "origin/main:refs/heads/merged")
    mallory.git("branch", "also-merged", "origin/main")
    assert "has 3 branches, and may have 3" in refused(mallory, "also-merged")
    other = server.person(f"other-{mallory.name}")
    other.clone()
    other.propose("of-somebody-else", prod("2.0.0"), "Not mallory's")
    mallory.propose(f"{mallory.name}-0", prod("2.1.0"), "A push to a change that is open")
    mallory.git("push", "-q", "origin", f":{mallory.name}-1")
    mallory.git("push", "-q", "origin", "third")
    for branch in (f"{mallory.name}-0", "third", "merged"):
        mallory.git("push", "-q", "origin", f":{branch}")


def begin_push(connection: socket.socket, person: Person) -> None:
    """Say that a push follows, and send only a little of it."""
    basic = base64.b64encode(f"{person.name}:{person.password}".encode()).decode()
    wanted = (f"Authorization: Basic {basic}", f"Content-Type: {RECEIVE}")
    connection.sendall(head("POST", "/git/desired.git/git-receive-pack", 200_000, *wanted) + b"00")


def received(connection: ssl.SSLSocket) -> bytes | None:
    """What the server has sent: ``None`` where nothing yet, empty where it ended the connection."""
    connection.setblocking(False)
    try:
        return connection.recv(65536)
    except ssl.SSLWantReadError:
        return None
    except OSError:
        return b""


def test_stalled_pushes_of_one_account_keep_nobody_from_pushing(
    server: HostedServer, mallory: Person, clients_of: ClientsOf
) -> None:
    clients = clients_of(server.daemon)
    stalled = [clients.tls() for _ in range(8)]
    for connection in stalled:
        begin_push(connection, mallory)
    answers: list[bytes] = []

    def look() -> list[bytes]:
        for connection in tuple(stalled):
            if (answer := received(connection)) is not None:
                stalled.remove(connection)
                answers.append(answer)
        return [answer for answer in answers if answer.startswith(b"HTTP/1.1 503 ")]

    assert eventually(lambda: len(look()) >= 6, 20)
    other = server.person(f"other-{mallory.name}")
    other.clone()
    other.propose(f"beside-{mallory.name}", prod("2.0.0"), "While others stall")
    assert eventually(lambda: look() and not stalled, 30), "each ends: answered, or cut off"
    mallory.propose("again", prod("2.0.0"), "Mallory may push again")
    mallory.git("push", "-q", "origin", ":again")


def test_a_client_that_understands_no_report_gets_an_empty_answer() -> None:
    assert refusal(frozenset(), (), "no") == b""
    assert refusal(frozenset({"report-status"}), (), "no") == packet(b"unpack no\n") + b"0000"


async def test_one_account_never_takes_all_slots() -> None:
    slots = Slots(total=2, of_one=1, wait_seconds=0.01)
    async with slots.taken_by("mallory"):
        with pytest.raises(NoSlot, match="1 of your requests"):
            async with slots.taken_by("mallory"):
                pass
        async with slots.taken_by("ann"):
            with pytest.raises(NoSlot, match="busy"):
                async with slots.taken_by("ben"):
                    pass
    async with slots.taken_by("mallory"), slots.taken_by("ben"):
        pass


def pack_of(*objects: bytes, count: int | None = None) -> bytes:
    number = len(objects) if count is None else count
    return b"PACK" + (2).to_bytes(4, "big") + number.to_bytes(4, "big") + b"".join(objects) + bytes(20)


def entry(kind: int, size: int, content: bytes, before: bytes = b"") -> bytes:
    head = [kind << 4 | size & 15]
    size >>= 4
    while size:
        head[-1] |= 128
        head.append(size & 127)
        size >>= 7
    return bytes(head) + before + zlib.compress(content)


def varint(number: int) -> bytes:
    out = []
    while True:
        out.append(number & 127 | (128 if number > 127 else 0))
        number >>= 7
        if not number:
            return bytes(out)


def checked(folder: Path, pack: bytes) -> str:
    """What is said of a pack; empty where nothing is."""
    file = folder / "pack"
    file.write_bytes(b"before" + pack)
    with file.open("rb") as body:
        try:
            check_pack(body, 6, PackLimits(object=1000, unpacked=5000))
        except PackRefused as error:
            return str(error)
    return ""


def test_a_pack_is_judged_by_what_its_objects_expand_to(tmp_path: Path) -> None:
    small, delta = b"x" * 900, varint(900) + varint(900) + b"\x90\x64"
    bomb = varint(10) + varint(5_000_000_000) + b"\x90\x64"
    base = bytes(20)
    assert checked(tmp_path, b"") == ""
    assert checked(tmp_path, pack_of(entry(3, 900, small), entry(7, len(delta), delta, base))) == ""
    assert checked(tmp_path, pack_of(entry(3, 900, small), entry(6, len(delta), delta, b"\x81\x05"))) == ""
    assert "1001 bytes" in checked(tmp_path, pack_of(entry(3, 1001, b"x" * 1001)))
    assert "5000000000 bytes" in checked(tmp_path, pack_of(entry(7, len(bomb), bomb, base)))
    assert "once unpacked" in checked(tmp_path, pack_of(*[entry(3, 900, small)] * 6))
    assert "longer than it says" in checked(tmp_path, pack_of(entry(3, 10, bytes(1_000_000))))
    assert "objects" in checked(tmp_path, pack_of(count=4_000_000_000))
    assert "damaged" in checked(tmp_path, pack_of(entry(3, 900, small), count=9))
    assert "cut off" in checked(tmp_path, pack_of(entry(3, 900, small))[:-22])
    assert "damaged" in checked(tmp_path, pack_of(b"\x35" + b"no zlib" * 9))
    assert "no pack" in checked(tmp_path, b"rubbish" * 9)


def test_packs_that_git_makes_pass(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "bare", tmp_path / "work")
    for number in range(30):
        workspace.write({f"{n}.txt": f"{n} {number if n == 3 else ''}\n" * 200 for n in range(10)})
        workspace.commit(f"{number}")
    made = subprocess.run(
        ["git", "-C", str(workspace.folder), "pack-objects", "--revs", "--stdout", "-q", "--delta-base-offset"],
        input=b"main\n",
        capture_output=True,
        check=True,
    )
    file = tmp_path / "pack"
    file.write_bytes(made.stdout)
    with file.open("rb") as body:
        check_pack(body, 0, PackLimits(1_000_000, 100_000_000))


def test_lines_of_large_files_are_not_compared(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "bare", tmp_path / "work")
    workspace.write({"a.txt": "a\n", "large.txt": "x\n"})
    before = workspace.commit("before")
    workspace.write({"a.txt": "b\nc\n", "large.txt": "a\n" * LONGEST_COMPARED})
    after = workspace.commit("after")
    found = [(file.path, file.added, file.removed) for file in changed_files(workspace.folder, before, after)]
    assert found == [("a.txt", 2, 1), ("large.txt", None, None)]


def test_a_ref_without_its_object_is_refused_without_a_traceback(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    done = subprocess.run(
        [sys.executable, "-I", push_check.__file__],
        cwd=tmp_path,
        input=f"{'0' * 40} {'1' * 40} refs/heads/x\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "git cannot read what was pushed" in done.stderr
    assert "Traceback" not in done.stderr
