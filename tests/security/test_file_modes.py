"""Nobody but the daemon's user can read what the data folder holds, whatever the umask and whatever was there."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.kernel.errors import ReconcilerError
from reconciler.operations.accounts import add_account
from reconciler.operations.text_files import write_all
from reconciler.settings import Settings
from reconciler.site import open_site
from reconciler.store.data_folder import DataFolderUnsafe, protect
from reconciler.testing import preloaded
from reconciler.testing.daemon_process import DaemonProcess
from reconciler.testing.waiting import eventually
from reconciler.testing.workspace import Workspace
from tests.daemon.conftest import FILES

OTHERS = 0o077
SOMEBODY = 12345
"""The uid of another account."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another account")


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(folder: Path) -> dict[str, str]:
    """Return what others can reach in a folder, with its mode."""
    paths = [folder, *folder.rglob("*")]
    modes = {str(path.relative_to(folder)): path.lstat().st_mode for path in paths if not path.is_symlink()}
    return {path: oct(stat.S_IMODE(mode)) for path, mode in modes.items() if mode & OTHERS}


def run(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RECONCILER_DATA": str(data)}
    return preloaded.run(words, environment)


@pytest.mark.parametrize("mask", [0o000, 0o022])
@pytest.mark.parametrize("hosted", [False, True])
def test_a_daemon_makes_everything_for_its_own_user_alone(tmp_path: Path, mask: int, hosted: bool) -> None:
    data = tmp_path / "data"
    workspace = Workspace(tmp_path / "fleet.git", tmp_path / "fleet")
    workspace.publish(FILES, "first")
    settings = {"host_repository": "true"} if hosted else {}
    with umask(mask):
        # The folder is the daemon's to make: what starts it here would make it in its own way.
        daemon = DaemonProcess(data, "" if hosted else workspace.bare, settings)
        daemon.start()
        try:
            if not hosted:
                with open_site(Settings(data=data)) as site:
                    eventually(site.revisions.in_force)
                    site.logs.keep("a1", b"a log")
                    msi = tmp_path / "app.msi"
                    msi.write_bytes(b"an installer")
                    site.artifacts.add(msi)
            assert open_to_others(data) == {}
        finally:
            daemon.kill()
    assert (data / "reconciler.sqlite").exists()
    assert (data / "tls" / "ca.key").exists()
    assert (data / ("desired.git" if hosted else "repository.git")).is_dir()


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_a_pushed_commit_is_kept_for_the_daemons_user_alone(tmp_path: Path, mask: int) -> None:
    data = tmp_path / "data"
    workspace = Workspace(tmp_path / "fleet.git", tmp_path / "fleet")
    workspace.publish(FILES, "first")
    with umask(mask):
        daemon = DaemonProcess(data, "", {"host_repository": "true"})
        daemon.start()
        try:
            with open_site(Settings(data=data, host_repository=True)) as site:
                account = add_account(site, "ann", "ann@example.com")
                url = daemon.url.replace("://", f"://ann:{account.password}@") + "/git/desired.git"
                pushed = subprocess.run(
                    ["git", "-C", str(workspace.folder), "push", "-q", url, "main"],
                    env={**os.environ, "GIT_SSL_CAINFO": str(data / "tls" / "ca.pem"), "GIT_TERMINAL_PROMPT": "0"},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert pushed.returncode == 0, pushed.stderr
                eventually(lambda: site.revisions.in_force() == workspace.head)
            assert open_to_others(data) == {}
        finally:
            daemon.kill()


@pytest.mark.parametrize("words", [("agent", "token", "--environment", "dev"), ("account", "list"), ("status",)])
def test_a_command_makes_everything_for_its_own_user_alone(tmp_path: Path, words: tuple[str, ...]) -> None:
    with umask(0o000):
        run(tmp_path / "data", *words)
    assert (tmp_path / "data" / "reconciler.sqlite").exists()
    assert open_to_others(tmp_path / "data") == {}


def test_no_file_is_open_to_others_for_a_moment(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with umask(0o000), open_site(Settings(data=data)) as site:
        assert os.umask(OTHERS) == OTHERS, "whatever makes a file now makes it for this user alone"
        add_account(site, "ann", "ann@example.com")
        assert {"reconciler.sqlite", "reconciler.sqlite-wal"} <= {path.name for path in data.iterdir()}
        assert open_to_others(data) == {}


def test_what_a_command_writes_for_its_user_follows_that_users_umask(tmp_path: Path) -> None:
    written = tmp_path / "clone" / "catalog" / "app.yaml"
    with umask(0o022):
        with open_site(Settings(data=tmp_path / "data")):
            write_all({written: "upgradeCode: …\n"})
        assert stat.S_IMODE(written.stat().st_mode) == 0o644
        assert stat.S_IMODE(written.parent.stat().st_mode) == 0o755
        assert os.umask(0o022) == 0o022


def test_a_folder_that_was_open_to_others_is_closed_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    with open_site(Settings(data=data)):
        pass
    key = data / "tls" / "ca.key"
    key.parent.mkdir()
    key.write_text("secret")
    for path, mode in ((data, 0o755), (data / "reconciler.sqlite", 0o644), (key.parent, 0o777), (key, 0o644)):
        path.chmod(mode)
    with open_site(Settings(data=data)):
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert stat.S_IMODE((data / "reconciler.sqlite").stat().st_mode) == 0o600
    protect(data, deep=True)
    assert open_to_others(data) == {}
    told = caplog.text
    assert "other accounts could read" in told
    assert "ca.key" in told
    assert "replace" in told, "whoever may have read a key has to replace it"


def test_a_daemon_closes_what_lies_deep_in_its_folder_and_says_so(tmp_path: Path) -> None:
    data = tmp_path / "data"
    workspace = Workspace(tmp_path / "fleet.git", tmp_path / "fleet")
    workspace.publish(FILES, "first")
    log = data / "pushed" / "PROD-01" / "journal.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text("{}\n")
    log.chmod(0o666)
    data.chmod(0o755)
    daemon = DaemonProcess(data, workspace.bare)
    daemon.start()
    try:
        assert open_to_others(data) == {}
        assert "other accounts could" in daemon.log.read_text()
    finally:
        daemon.kill()


def test_closing_a_folder_changes_nothing_else_in_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    hook = data / "hook"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    sealed = data / "object"
    sealed.write_text("x")
    sealed.chmod(0o444)
    protect(data, deep=True)
    assert stat.S_IMODE(hook.stat().st_mode) == 0o700
    assert stat.S_IMODE(sealed.stat().st_mode) == 0o400
    assert sealed.read_text() == "x"


def test_a_closed_folder_is_taken_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_site(Settings(data=tmp_path / "data")):
        protect(tmp_path / "data", deep=True)
    with open_site(Settings(data=tmp_path / "data")):
        protect(tmp_path / "data", deep=True)
    assert caplog.text == ""


def test_a_link_to_a_folder_is_followed_and_the_folder_closed(tmp_path: Path) -> None:
    real = tmp_path / "disk"
    real.mkdir(mode=0o755)
    (tmp_path / "data").symlink_to(real)
    with open_site(Settings(data=tmp_path / "data")):
        assert open_to_others(real) == {}
    (real / "reconciler.sqlite").chmod(0o644)
    with open_site(Settings(data=tmp_path / "data")):
        assert open_to_others(real) == {}


def test_a_linked_part_of_the_folder_is_closed_too(tmp_path: Path) -> None:
    data, disk = tmp_path / "data", tmp_path / "disk"
    data.mkdir(mode=0o700)
    disk.mkdir(mode=0o755)
    (disk / "kept.msi").write_bytes(b"x")
    (disk / "kept.msi").chmod(0o644)
    (data / "artifacts").symlink_to(disk)
    protect(data, deep=True)
    assert open_to_others(disk) == {}


def test_a_second_name_elsewhere_opens_no_file(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    with open_site(Settings(data=data)):
        pass
    os.link(data / "reconciler.sqlite", elsewhere)
    elsewhere.chmod(0o644)
    with open_site(Settings(data=data)):
        assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o600


@as_root
@pytest.mark.parametrize("inside", [None, "reconciler.sqlite", "review-key"])
def test_what_belongs_to_another_account_is_refused(tmp_path: Path, inside: str | None) -> None:
    data = tmp_path / "data"
    with open_site(Settings(data=data)):
        (data / "review-key").write_text("key")
    os.chown(data / inside if inside else data, SOMEBODY, SOMEBODY)
    with pytest.raises(DataFolderUnsafe, match="belongs to") as refused, open_site(Settings(data=data)):
        pass
    assert str(data) in str(refused.value)
    assert "chown" in str(refused.value)
    assert str(SOMEBODY) in str(refused.value)


@as_root
def test_a_daemon_refuses_what_another_account_put_deep_into_its_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "desired.git" / "hooks").mkdir(parents=True)
    planted = data / "desired.git" / "hooks" / "pre-receive"
    planted.write_text("#!/bin/sh\n")
    os.chown(planted, SOMEBODY, SOMEBODY)
    done = run(data, "daemon", "--repository", str(tmp_path), "--port", "0")
    assert done.returncode == 1
    assert str(planted) in done.stderr
    assert "Traceback" not in done.stderr


@as_root
def test_a_link_that_another_account_can_move_is_refused(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    os.chown(tmp_path / "data", SOMEBODY, SOMEBODY, follow_symlinks=False)
    with pytest.raises(DataFolderUnsafe, match="belongs to"), open_site(Settings(data=tmp_path / "data")):
        pass


def test_a_mount_of_its_own_is_taken(tmp_path: Path) -> None:
    (tmp_path / "data" / "lost+found").mkdir(parents=True, mode=0o700)
    protect(tmp_path / "data", deep=True)


def test_a_file_system_that_keeps_no_modes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)
    monkeypatch.setattr(os, "chmod", lambda *_, **__: None)
    with pytest.raises(DataFolderUnsafe, match="cannot be closed"), open_site(Settings(data=tmp_path / "data")):
        pass


def test_a_file_in_the_place_of_the_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(ReconcilerError, match="folder"), open_site(Settings(data=tmp_path / "data")):
        pass


def test_a_default_access_list_gives_nobody_what_is_made_later(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    everybody = 0xFFFFFFFF
    tags = ((0x01, everybody), (0x02, SOMEBODY), (0x04, everybody), (0x10, everybody), (0x20, everybody))
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, 7, who) for tag, who in tags)
    try:
        os.setxattr(data, "system.posix_acl_default", packed)
    except OSError:
        pytest.skip("this file system has no access lists")
    with open_site(Settings(data=data)):
        (data / "attempt-logs").mkdir()
        assert open_to_others(data) == {}
