"""Checkpoints outside the database show that the audit chain was cut off or written anew, whoever wrote to it."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reconciler.audit import same_machine
from reconciler.audit.checkpoint import BadCheckpoint, SignedCheckpoint, VerifierKey, key_of, parse_checkpoints
from reconciler.audit.key import KEY_FILE, open_key
from reconciler.audit.witnesses import BadWitness, open_witness
from reconciler.cli.main import app
from reconciler.kernel.errors import ReconcilerError
from reconciler.operations.anchor import CHECKPOINT_FILE, SHORTEST_SECONDS, TROUBLE, Anchor, witness_states
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.store.audit import Happened, append, chain_hash
from reconciler.store.database import Database
from reconciler.testing.daemon_process import DaemonProcess
from reconciler.testing.waiting import eventually
from reconciler.testing.workspace import Workspace
from tests.daemon.conftest import FILES

DAY = 86400.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def write_records(data: Path, *words: str) -> None:
    database = Database(data / "reconciler.sqlite")
    with database.write() as connection:
        append(connection, 1.0, Happened.PUSHED, [{"word": word} for word in words])
    database.close()


def tamper(data: Path, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(data / "reconciler.sqlite")
    with connection:
        connection.execute(statement, values)
    connection.close()


def forge(data: Path, number: int, word: str) -> None:
    """Change a record, and hash all that follow anew: a chain that is whole by itself."""
    connection = sqlite3.connect(data / "reconciler.sqlite")
    rows = connection.execute("SELECT number, at, kind, facts, previous FROM audit ORDER BY number").fetchall()
    with connection:
        before = rows[0][4]
        for at_number, at, kind, facts, _ in rows:
            told = json.dumps({"word": word}, separators=(",", ":")) if at_number == number else facts
            found = chain_hash(before, at_number, at, kind, told)
            statement = "UPDATE audit SET facts = ?, previous = ?, hash = ? WHERE number = ?"
            connection.execute(statement, (told, before, found, at_number))
            before = found
    connection.close()


def verify(data: Path, *words: str) -> Any:
    done = CliRunner().invoke(app, ["audit", "verify", "--data", str(data), "--format", "json", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return json.loads(done.stdout) | {"exit": done.exit_code}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    with open_site(Settings(data=folder)):
        write_records(folder, *(f"record {number}" for number in range(1, 8)))
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere" / "checkpoints"


@pytest.fixture
def site(data: Path, kept: Path, clock: Clock) -> Iterator[Site]:
    kept.parent.mkdir()
    with open_site(Settings(data=data, audit_witnesses=(f"file:{kept}",), checkpoint_records=3)) as opened:
        yield replace(opened, clock=clock)


def test_a_cut_off_end_is_found_by_a_checkpoint(site: Site, data: Path, kept: Path) -> None:
    Anchor(site).look()
    assert verify(data, "--checkpoint", str(kept))["intact"]
    tamper(data, "DELETE FROM audit WHERE number > 4")
    assert verify(data)["intact"], "by itself a shorter chain is whole"
    found = verify(data, "--checkpoint", str(kept))
    assert (found["intact"], found["exit"]) == (False, 1)
    assert "3 of the 7 records that a checkpoint covers are missing" in found["faults"][0]["what"]


def test_a_chain_that_was_written_anew_is_found_by_a_checkpoint(site: Site, data: Path, kept: Path) -> None:
    Anchor(site).look()
    forge(data, 2, "nothing happened")
    assert verify(data)["intact"], "by itself a new chain is whole"
    found = verify(data, "--checkpoint", str(kept))
    assert not found["intact"]
    assert "written anew" in found["faults"][0]["what"]


def test_a_longer_chain_that_still_holds_the_old_one_is_intact(
    site: Site, data: Path, kept: Path, clock: Clock
) -> None:
    anchor = Anchor(site)
    anchor.look()
    write_records(data, "eighth", "ninth", "tenth")
    clock.now += SHORTEST_SECONDS
    anchor.look()
    write_records(data, "eleventh")
    found = verify(data, "--checkpoint", str(kept))
    assert (found["intact"], found["records"], found["covered"]) == (True, 11, 10)


def test_an_earlier_checkpoint_tells_where_the_chain_was_changed(
    site: Site, data: Path, kept: Path, clock: Clock
) -> None:
    anchor = Anchor(site)
    anchor.look()
    write_records(data, "eighth", "ninth", "tenth")
    clock.now += SHORTEST_SECONDS
    anchor.look()
    forge(data, 9, "nothing happened")
    faults = verify(data, "--checkpoint", str(kept))["faults"]
    assert faults[0]["number"] == 10, "the checkpoint of 7 records still fits"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n7\n", "\n6\n", "does not hold"),
        ("reconciler/", "reconciler/x", "was not signed by"),
        ("\u2014 ", "- ", "no checkpoint can be read"),
        ("\n7\n", "\n07\n", "no checkpoint can be read"),
        ("\n7\n", "\n-7\n", "no checkpoint can be read"),
    ],
)
def test_a_changed_checkpoint_is_refused(
    site: Site, data: Path, kept: Path, old: str, new: str, message: str
) -> None:
    Anchor(site).look()
    text = kept.read_text("utf-8")
    assert old in text
    kept.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(BadCheckpoint, match=message):
        verify(data, "--checkpoint", str(kept))


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"hello\n", b"a\n1\nAAAA\n\n\xe2\x80\x94 a b\n", b"\n" * 9]
)
def test_what_is_no_checkpoint_is_a_clear_error(site: Site, data: Path, kept: Path, content: bytes) -> None:
    Anchor(site).look()
    kept.write_bytes(content)
    with pytest.raises(BadCheckpoint, match=str(kept)):
        verify(data, "--checkpoint", str(kept))


def test_a_checkpoint_that_somebody_else_signed_is_refused(
    site: Site, data: Path, kept: Path, tmp_path: Path
) -> None:
    Anchor(site).look()
    key = str(key_of(open_key(data / KEY_FILE)))
    other = tmp_path / "other"
    shutil.copytree(data, other, ignore=shutil.ignore_patterns(KEY_FILE, CHECKPOINT_FILE))
    forge(other, 2, "nothing happened")
    forged = tmp_path / "elsewhere" / "forged"
    with open_site(Settings(data=other, audit_witnesses=(f"file:{forged}",))) as second:
        Anchor(second).look()
    assert verify(other, "--checkpoint", str(forged))["intact"], "its own key vouches for it"
    with pytest.raises(BadCheckpoint, match="was not signed by"):
        verify(other, "--checkpoint", str(forged), "--key", key)


def test_a_copy_of_the_database_is_verified_on_another_machine(
    site: Site, data: Path, kept: Path, tmp_path: Path
) -> None:
    Anchor(site).look()
    key = CliRunner().invoke(app, ["audit", "key", "--data", str(data)]).stdout.strip()
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    source, target = sqlite3.connect(data / "reconciler.sqlite"), sqlite3.connect(copy / "reconciler.sqlite")
    source.backup(target)
    source.close()
    target.close()
    (copy / "reconciler.sqlite").chmod(0o600)
    with pytest.raises(BadCheckpoint, match="no key here"):
        verify(copy, "--checkpoint", str(kept))
    found = verify(copy, "--checkpoint", str(kept), "--key", key)
    assert found["intact"]
    assert not any("key of this machine" in note for note in found["notes"])
    assert not (copy / KEY_FILE).exists()
    tamper(copy, "DELETE FROM audit WHERE number > 4")
    assert not verify(copy, "--checkpoint", str(kept), "--key", key)["intact"]


def test_the_key_is_read_by_its_owner_alone_and_its_public_half_is_checked(site: Site, data: Path) -> None:
    Anchor(site)
    assert (data / KEY_FILE).stat().st_mode & 0o077 == 0
    key = key_of(open_key(data / KEY_FILE))
    assert VerifierKey.parse(str(key)) == key
    for text in (
        "",
        "x",
        str(key)[:-4],
        str(key).replace("reconciler/", "reconciler/x"),
        f"{key.name}+00000000+AQ==",
    ):
        with pytest.raises(BadCheckpoint, match="no key"):
            VerifierKey.parse(text)


def test_without_a_witness_verification_says_so(data: Path) -> None:
    assert any("there is no witness" in note for note in verify(data)["notes"])


def test_a_witness_on_the_same_file_system_is_no_witness(site: Site, data: Path) -> None:
    Anchor(site).look()
    notes = verify(data)["notes"]
    assert any("same file system as the data folder" in note for note in notes)
    assert any("WARNING: the only witness is this same machine" in note for note in notes)


def test_a_witness_on_a_share_is_another_machine(
    site: Site, data: Path, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Path("/dev/shm")  # a second device
    if not shared.is_dir() or shared.stat().st_dev == data.stat().st_dev:
        pytest.skip("needs a second file system")
    assert "tmpfs" in same_machine.why_folder_is_here(shared, data)
    device = shared.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 1 {os.major(device)}:{os.minor(device)} / /mnt rw - nfs4 files:/audit rw\n")
    monkeypatch.setattr(same_machine, "_MOUNTS", mounts)
    assert same_machine.why_folder_is_here(shared, data) == ""


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:1/x", "https://localhost/x", "git:ssh://git@127.0.0.1/audit.git", "git:{data}/x.git"],
)
def test_a_witness_behind_loopback_is_this_machine(data: Path, address: str) -> None:
    assert open_witness(address.format(data=data), data, lambda _: "").why_here()


def test_a_witness_elsewhere_is_not_this_machine(data: Path) -> None:
    assert open_witness("https://192.0.2.1/x", data, lambda _: "").why_here() == ""
    assert open_witness("git:git@192.0.2.1:audit.git", data, lambda _: "").why_here() == ""


@pytest.mark.parametrize(
    "address",
    ["", "nowhere", "ftp://x", "https://", "git:", "git:x#main", "git:https://me:pw@x", "file:x", "file:{data}/x"],
)
def test_a_witness_that_cannot_be_is_refused(data: Path, address: str) -> None:
    with pytest.raises(BadWitness):
        open_witness(address.format(data=data), data, lambda _: "")


def test_a_secret_address_is_never_told(data: Path) -> None:
    witness = open_witness(
        "env:WITNESS", data, {"env:WITNESS": "https://me:pa55word@192.0.2.1/x?token=s3cret"}.__getitem__
    )
    assert witness.name == "https://192.0.2.1/x"
    with pytest.raises(BadWitness) as refused:
        open_witness("env:WITNESS", data, {"env:WITNESS": "pa55word"}.__getitem__)
    assert "pa55word" not in str(refused.value)


def test_a_checkpoint_is_signed_after_a_number_of_records_or_a_day(
    site: Site, data: Path, kept: Path, clock: Clock
) -> None:
    anchor = Anchor(site)
    anchor.look()
    write_records(data, "eighth")
    anchor.look()
    assert sizes(kept) == [7]
    clock.now += DAY
    anchor.look()
    assert sizes(kept) == [7, 8]
    write_records(data, "ninth", "tenth", "eleventh")
    anchor.look()
    assert sizes(kept) == [7, 8], "not more often than once a minute"
    clock.now += SHORTEST_SECONDS
    anchor.look()
    assert sizes(kept) == [7, 8, 11]


def sizes(kept: Path) -> list[int]:
    return [note.checkpoint.size for note in parse_checkpoints(kept.read_text("utf-8"), str(kept))]


def test_a_witness_that_fails_is_tried_again_and_told_of_after_two_days(
    site: Site, kept: Path, clock: Clock
) -> None:
    away = kept.parent.rename(kept.parent.with_name("unmounted"))
    anchor = Anchor(site)
    (state,) = anchor.look()
    assert "cannot be written" in state.error
    assert not kept.parent.exists(), "a missing mount is not written over"
    assert anchor.look() == (), "not at once"
    assert site.revisions.fact(TROUBLE) == ""
    clock.now += 2 * DAY
    anchor = Anchor(site)  # a restart forgets nothing
    anchor.look()
    trouble = site.revisions.fact(TROUBLE) or ""
    assert "no witness" in trouble
    assert "cannot be written" in trouble
    away.rename(kept.parent)
    clock.now += 3600
    anchor.look()
    assert site.revisions.fact(TROUBLE) == ""
    assert sizes(kept) == [7]


@pytest.mark.parametrize("restarted", [True, False])
@pytest.mark.parametrize("how", ["cut off", "written anew", "changed"])
def test_no_checkpoint_is_signed_that_would_hide_a_change(
    site: Site, data: Path, kept: Path, clock: Clock, how: str, restarted: bool
) -> None:
    anchor = Anchor(site)
    anchor.look()
    if how == "cut off":
        tamper(data, "DELETE FROM audit WHERE number > 4")
    elif how == "written anew":
        forge(data, 2, "nothing happened")
    else:
        tamper(data, "UPDATE audit SET facts = '{}' WHERE number = 7")
        write_records(data, "eighth") if restarted else tamper(data, "DELETE FROM audit WHERE number = 7")
    anchor = Anchor(site) if restarted else anchor
    clock.now += DAY
    anchor.look()
    assert site.revisions.fact(TROUBLE)
    write_records(data, "more", "and more", "and more still", "and yet more")
    clock.now += DAY
    anchor.look()
    assert "no checkpoint is signed" in (site.revisions.fact(TROUBLE) or "")
    assert sizes(kept)[-1] == 7


def test_after_a_restore_a_deleted_checkpoint_file_lets_it_go_on(
    site: Site, data: Path, kept: Path, clock: Clock
) -> None:
    Anchor(site).look()
    tamper(data, "DELETE FROM audit WHERE number > 4")
    Anchor(site).look()
    assert site.revisions.fact(TROUBLE)
    (data / CHECKPOINT_FILE).unlink()
    Anchor(site).look()
    assert site.revisions.fact(TROUBLE) == ""
    assert sizes(kept) == [7, 4], "the witness has both, and shows what was lost"


def test_a_git_ref_keeps_every_checkpoint(data: Path, tmp_path: Path, clock: Clock) -> None:
    bare = tmp_path / "audit.git"
    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)
    with open_site(Settings(data=data, audit_witnesses=(f"git:{bare}",), checkpoint_records=1)) as site:
        anchor = Anchor(replace(site, clock=clock))
        anchor.look()
        write_records(data, "eighth")
        clock.now += SHORTEST_SECONDS
        anchor.look()
        assert [state.size for state in witness_states(site)] == [8]
    log = subprocess.run(
        ["git", "-C", str(bare), "log", "--format=%s", "reconciler-audit"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert log.stdout.splitlines() == ["Checkpoint of 8 audit records", "Checkpoint of 7 audit records"]
    listed = subprocess.run(
        ["git", "-C", str(bare), "ls-tree", "--name-only", "reconciler-audit"],
        capture_output=True,
        text=True,
        check=True,
    )
    note = subprocess.run(
        ["git", "-C", str(bare), "show", f"reconciler-audit:{listed.stdout.strip()}"],
        capture_output=True,
        check=True,
    )
    kept = tmp_path / "from-git"
    kept.write_bytes(note.stdout)
    assert verify(data, "--checkpoint", str(kept))["covered"] == 8


def test_an_endpoint_that_answers_no_is_no_witness(data: Path, endpoint: Endpoint) -> None:
    with open_site(Settings(data=data, audit_witnesses=(endpoint.url,))) as site:
        endpoint.status = 500
        (state,) = Anchor(site).look()
        assert "answered 500" in state.error
        endpoint.status = 204
        (state,) = Anchor(replace(site, clock=lambda: state.next_at)).look()
        assert (state.error, state.size) == ("", 7)
    assert parse(endpoint.bodies[-1]).checkpoint.size == 7


def parse(body: bytes) -> SignedCheckpoint:
    return parse_checkpoints(body.decode(), "body")[0]


class Endpoint:
    def __init__(self) -> None:
        self.status = 204
        self.bodies: list[bytes] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/checkpoints"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(endpoint) -> type[http.server.BaseHTTPRequestHandler]:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(endpoint.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


def test_a_running_daemon_has_its_chain_witnessed(tmp_path: Path, endpoint: Endpoint) -> None:
    data = tmp_path / "data"
    workspace = Workspace(tmp_path / "fleet.git", tmp_path / "fleet")
    workspace.publish(FILES, "first")
    settings = {"audit_witnesses": json.dumps([endpoint.url]), "checkpoint_records": "1"}
    daemon = DaemonProcess(data, workspace.bare, settings)
    daemon.start()
    try:
        body = eventually(lambda: endpoint.bodies)[-1]
    finally:
        daemon.kill()
    kept = tmp_path / "kept"
    kept.write_bytes(body)
    assert verify(data, "--checkpoint", str(kept))["intact"]
    last = parse(body).checkpoint.size
    tamper(data, "DELETE FROM audit WHERE number >= ?", last)
    assert not verify(data, "--checkpoint", str(kept))["intact"]
    daemon.start()
    try:
        eventually(lambda: b"audit chain not anchored" in daemon.log.read_bytes())
    finally:
        daemon.kill()
    assert parse(endpoint.bodies[-1]).checkpoint.size == last


def test_a_witness_that_cannot_be_is_told_when_the_daemon_starts(tmp_path: Path) -> None:
    with pytest.raises(ReconcilerError, match="of no known kind"):
        DaemonProcess(tmp_path / "data", tmp_path, {"audit_witnesses": '["carrier-pigeon"]'}).start()
