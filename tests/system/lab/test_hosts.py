"""A lab host is a Windows machine of its own: named, booted, restarted, cut from power, removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.lab import Lab, LabError, LabHost, LabTimeout
from reconciler.lab.processes import processes_of
from reconciler.lab.template import PYTHON

MakeHost = Callable[[str], LabHost]


def python(host: LabHost, code: str) -> str:
    finished = host.run([PYTHON, "-c", code])
    assert finished.exit_code == 0, finished.stderr
    return finished.stdout.strip()


def test_a_host_has_its_own_windows_name(lab_host: MakeHost) -> None:
    host = lab_host("dev-01")

    names = python(host, "import os, platform; print(os.environ['COMPUTERNAME'], platform.node().upper())")

    assert names == "DEV-01 DEV-01"


def test_a_host_sees_no_file_of_this_machine(lab_host: MakeHost) -> None:
    host = lab_host("dev-01")

    drives = python(
        host, "import os; print([d for d in 'ABCDEFGHIJKLMNOPQRSTUVWXYZ' if os.path.exists(d + ':/')])"
    )

    assert drives == "['C']"


@pytest.mark.parametrize("code", [0, 1, 1603, 3010, -1073741819])
def test_exit_codes_come_whole(lab_host: MakeHost, code: int) -> None:
    host = lab_host("dev-01")

    finished = host.run(
        [PYTHON, "-c", f"import sys; print('out'); print('err', file=sys.stderr); sys.exit({code})"]
    )

    assert (finished.exit_code, finished.stdout, finished.stderr) == (code, "out\n", "err\n")


def test_a_command_line_reaches_the_program_as_it_is_written(lab_host: MakeHost) -> None:
    host = lab_host("dev-01")

    finished = host.run(f'"{PYTHON}" -c "import sys; print(sys.argv[1:])" PROP="a b"')

    assert finished.stdout.strip() == "['PROP=a b']"


def test_a_hanging_command_is_ended(lab_host: MakeHost) -> None:
    host = lab_host("dev-01")

    with pytest.raises(LabTimeout, match="dev-01"):
        host.run([PYTHON, "-c", "import time; time.sleep(60)"], timeout=0.5)

    assert not [process for process in processes_of(host.prefix.directory) if "python" in process.command[0]]


def test_a_program_that_is_not_there_is_an_error(lab_host: MakeHost) -> None:
    with pytest.raises(LabError, match="did not start"):
        lab_host("dev-01").run(["no-such-program.exe"])


def test_files_go_in_and_come_out(lab_host: MakeHost, tmp_path: Path) -> None:
    host = lab_host("dev-01")
    source = tmp_path / "note.txt"
    source.write_text("hello", encoding="utf-8")

    host.copy_in(source, r"C:\Notes\Note.txt")

    assert python(host, r"print(open(r'C:\notes\NOTE.TXT').read())") == "hello"
    assert host.read(r"c:\NOTES\note.txt") == b"hello"
    with pytest.raises(LabError, match="can't be read"):
        host.read(r"C:\Notes\other.txt")
    with pytest.raises(LabError, match="not a full path on drive C"):
        host.unix_path(r"C:\..\..\etc\passwd")


def test_a_power_cut_ends_everything_on_that_host_alone(lab_host: MakeHost) -> None:
    host, other = lab_host("dev-01"), lab_host("dev-02")
    sleeper = [PYTHON, "-c", "import time; time.sleep(60)"]
    here, there = host.start(sleeper), other.start(sleeper)

    host.power_cut()

    here.wait(30)  # it would sleep for twice as long
    assert not host.booted()
    assert processes_of(host.prefix.directory) == ()
    assert there.running()
    assert other.booted()
    with pytest.raises(LabError, match="switched off"):
        host.run([PYTHON, "-c", "pass"])
    host.boot()
    assert python(host, "print(1)") == "1"
    there.kill()


def test_what_the_registry_holds_survives_a_shutdown(lab_host: MakeHost) -> None:
    host = lab_host("dev-01")
    host.run(r"reg add HKLM\Software\Lab /v Kept /d yes /f")

    host.shutdown()
    host.boot()

    assert "yes" in host.run(r"reg query HKLM\Software\Lab /v Kept").stdout


def test_a_reboot_ends_programs_and_does_pending_renames(lab_host: MakeHost, tmp_path: Path) -> None:
    host = lab_host("dev-01")
    old = tmp_path / "old.txt"
    old.write_text("moved at boot", encoding="utf-8")
    host.copy_in(old, r"C:\old.txt")
    python(host, r"import ctypes; assert ctypes.windll.kernel32.MoveFileExW(r'C:\old.txt', r'C:\new.txt', 4)")
    program = host.start([PYTHON, "-c", "import time; time.sleep(60)"])
    assert not host.unix_path(r"C:\new.txt").exists()

    host.reboot()

    program.wait(30)
    assert host.booted()
    assert host.read(r"C:\new.txt") == b"moved at boot"


def test_a_removed_host_leaves_nothing(lab_host: MakeHost) -> None:
    host = lab_host("dev-01")
    sockets = Path("/tmp") / (host.prefix.directory / "wineserver").read_text(encoding="ascii")
    assert sockets.is_dir()

    host.remove()

    assert not host.directory.exists()
    assert not sockets.exists()
    assert processes_of(host.prefix.directory) == ()
    assert str(host.directory) not in Path("/proc/mounts").read_text(encoding="utf-8")


def test_another_process_finds_and_removes_the_hosts(lab_host: MakeHost, lab: Lab) -> None:
    lab_host("dev-01")
    lab_host("dev-02").shutdown()

    later = Lab(lab.root)

    assert [(s.name, s.booted, s.agent_running) for s in later.status()] == [
        ("dev-01", True, False),
        ("dev-02", False, False),
    ]
    assert later.host("DEV-01").booted()
    later.down()
    assert later.status() == ()
    with pytest.raises(LabError, match="no lab host"):
        later.host("dev-01")


def test_what_a_dead_session_left_half_made_is_replaced(lab_host: MakeHost, lab: Lab) -> None:
    host = lab_host("dev-01")
    (host.directory / "host.json").unlink()  # as if its maker had died; its mount and its processes are there
    assert lab.status() == ()

    again = lab_host("dev-01")

    assert python(again, "print(1)") == "1"
    assert [status.name for status in lab.status()] == ["dev-01"]


def test_up_keeps_a_host_that_runs(lab_host: MakeHost) -> None:
    host = lab_host("dev-01")
    program = host.start([PYTHON, "-c", "import time; time.sleep(60)"])

    assert lab_host("dev-01") == host

    assert program.running()


@pytest.mark.parametrize("name", ["", "-a", "a_b", "a" * 16, "a/b", ".."])
def test_a_name_that_windows_would_not_take_is_refused(lab: Lab, name: str) -> None:
    with pytest.raises(LabError, match="name of a Windows host"):
        lab.up([name])
