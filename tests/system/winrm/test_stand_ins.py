"""The stand-ins do what the real tools do for the few calls that they know, wherever they are called from."""

from __future__ import annotations

import hashlib
import http.server
import re
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from winrm.protocol import Protocol

from reconciler.lab import Finished, LabHost
from reconciler.lab.processes import processes_of
from reconciler.lab.template import PYTHON
from reconciler.lab.winrm import WinrmEndpoint
from reconciler.testing.waiting import eventually
from tests.system.certificates import Authority
from tests.system.winrm.conftest import Run

CONTENT = bytes(range(256)) * 4096
RANGE = re.compile(r"bytes=(\d+)-")


class Files(http.server.BaseHTTPRequestHandler):
    """``/whole`` knows ranges, ``/cut`` breaks off after half of it, ``/key`` wants a header."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path not in ("/whole", "/cut", "/key") or (
            self.path == "/key" and self.headers.get("X-Key") != "a b"
        ):
            self.send_error(403 if self.path == "/key" else 404)
            return
        found = RANGE.fullmatch(self.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if found else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : len(CONTENT) // 2 if self.path == "/cut" else None])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve(tls: ssl.SSLContext | None) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def files() -> Iterator[str]:
    yield from serve(None)


@pytest.fixture
def target(winrm_host: LabHost, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    name = rf"C:\fetched-{tmp_path.name}.bin"
    yield name, winrm_host.unix_path(name)
    winrm_host.unix_path(name).unlink(missing_ok=True)


def test_curl_fetches_a_file(run: Run, files: str, target: tuple[str, Path]) -> None:
    done = run(f'curl.exe -sS -f -o "{target[0]}" -H "X-Key: a b" {files}/key')

    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    assert target[1].read_bytes() == CONTENT


def test_curl_goes_on_where_it_was_cut(run: Run, files: str, target: tuple[str, Path]) -> None:
    cut = run(f'curl.exe -sS -f -o "{target[0]}" {files}/cut')
    assert (cut.exit_code, target[1].stat().st_size) == (18, len(CONTENT) // 2)
    assert f"transfer closed with {len(CONTENT) // 2} bytes remaining to read" in cut.stderr

    rest = run(f'C:\\Windows\\System32\\curl.exe -sS -f -C - -o "{target[0]}" {files}/whole')

    assert rest.exit_code == 0
    assert target[1].read_bytes() == CONTENT
    assert run(f'curl.exe -sS -f -C - -o "{target[0]}" {files}/whole').exit_code == 0
    assert target[1].read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("-sS -f -o {target} {files}/none", 22),
        ("-sS -f -o {target} {files}/key", 22),
        ("-sS -f -o {target} http://127.0.0.1:1/", 7),
        ("-sS -f -o {target} http://no-such-host.invalid/", 6),
        (r"-sS -f -o C:\no\such\folder\x {files}/whole", 23),
        ("--frobnicate", 2),
    ],
)
def test_curl_fails_with_curl_s_exit_codes(
    run: Run, files: str, target: tuple[str, Path], arguments: str, code: int
) -> None:
    done = run(f"curl.exe {arguments.format(target=target[0], files=files)}")

    assert done.exit_code == code
    assert done.stderr.startswith(f"curl: ({code}) " if code != 2 else "curl: ")
    assert not target[1].exists()


def test_curl_trusts_whom_it_is_told_to(
    run: Run, winrm_host: LabHost, endpoint: WinrmEndpoint, tls_authority: Authority, target: tuple[str, Path]
) -> None:
    winrm_host.copy_in(tls_authority.file, r"C:\ca.pem")
    url = endpoint.tls_url  # which answers a GET with 501: the handshake is what matters

    assert run(f"curl.exe -sS -f -o {target[0]} {url}").exit_code == 60
    assert run(rf"curl.exe -sS -f --cacert C:\ca.pem -o {target[0]} {url}").exit_code == 22


def test_certutil_tells_hashes(run: Run, winrm_host: LabHost, tmp_path: Path) -> None:
    source = tmp_path / "x"
    source.write_bytes(CONTENT)
    winrm_host.copy_in(source, r"C:\hash me.bin")

    done = run(r'certutil -hashfile "C:\hash me.bin" SHA256')

    assert done == Finished(
        0,
        "SHA256 hash of C:\\hash me.bin:\n"
        f"{hashlib.sha256(CONTENT).hexdigest()}\n"
        "CertUtil: -hashfile command completed successfully.\n",
        "",
    )
    missing = run(r"C:\Windows\System32\certutil.exe -hashfile C:\none SHA256")
    assert missing.exit_code == -2147024894
    assert "ERROR_FILE_NOT_FOUND" in missing.stdout


def status_of(run: Run, task: str) -> tuple[str, str]:
    done = run(f"schtasks /query /tn {task} /v /fo LIST")
    fields = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    return fields["Status"].strip(), fields["Last Result"].strip()


def test_a_task_outlives_the_shell_that_started_it(run: Run, winrm_host: LabHost, basic: Protocol) -> None:
    gate = winrm_host.unix_path(r"C:\task-gate")
    script = winrm_host.unix_path(r"C:\task.py")
    script.write_text(
        "import os, sys, time\nwhile not os.path.exists(r'C:\\task-gate'): time.sleep(0.02)\n"
        "print(os.getcwd(), file=open(r'C:\\task-folder', 'w'))\nsys.exit(1603)"
    )
    command = rf"\"{PYTHON}\" C:\task.py"
    made = run(rf'schtasks /create /tn Lab\Install /tr "{command}" /sc ONCE /st 00:00 /ru SYSTEM /rl HIGHEST /f')
    assert made.stdout == 'SUCCESS: The scheduled task "Lab\\Install" has successfully been created.\n'
    assert status_of(run, r"Lab\Install") == ("Ready", "267011")

    shell = basic.open_shell(codepage=65001)
    command_id = basic.run_command(shell, r"schtasks /run /tn Lab\Install")
    assert basic.get_command_output(shell, command_id)[2] == 0
    basic.close_shell(shell)

    assert status_of(run, r"Lab\Install") == ("Running", "267009")
    gate.touch()
    eventually(lambda: status_of(run, r"Lab\Install") == ("Ready", "1603"))
    assert winrm_host.read(r"C:\task-folder").strip().lower() == rb"c:\windows\system32"
    assert run(r"schtasks /delete /tn Lab\Install /f").exit_code == 0
    assert run(r"schtasks /query /tn Lab\Install") == Finished(
        1, "", "ERROR: The system cannot find the file specified.\n"
    )


def test_task_runs_though_another_process_has_its_file_open(run: Run, winrm_host: LabHost) -> None:
    """Nobody can replace a file that somebody has open, so the stand-in waits until it is free."""
    tasks = winrm_host.unix_path(r"C:\ProgramData\Reconciler Lab\tasks")
    holding, release = winrm_host.unix_path(r"C:\holding"), winrm_host.unix_path(r"C:\release")
    run(r'schtasks /create /tn Busy /tr "cmd /c exit 7" /sc ONCE /st 00:00 /ru SYSTEM /f')
    winrm_host.unix_path(r"C:\hold.py").write_text(
        "import os, time\nfile = open(r'C:\\ProgramData\\Reconciler Lab\\tasks\\Busy.json')\n"
        "open(r'C:\\holding', 'w')\nwhile not os.path.exists(r'C:\\release'): time.sleep(0.02)"
    )
    holder = winrm_host.start([PYTHON, r"C:\hold.py"])
    eventually(holding.exists)
    starter = winrm_host.start(["schtasks.exe", "/run", "/tn", "Busy"])
    eventually(lambda: list(tasks.glob("*.unfinished")))
    release.touch()
    holder.wait(90)
    starter.wait(90)
    eventually(lambda: status_of(run, "Busy") == ("Ready", "7"))


def test_a_task_is_ended(run: Run, winrm_host: LabHost) -> None:
    run(r'schtasks /create /tn End /tr "ping -n 48 127.0.0.1" /sc ONCE /st 00:00 /ru SYSTEM /f')
    run("schtasks /run /tn End")

    def pings() -> bool:
        return any("48" in process.command for process in processes_of(winrm_host.prefix.directory))

    eventually(pings)

    assert run("schtasks /end /tn End").exit_code == 0

    eventually(lambda: not pings())
    assert status_of(run, "End") == ("Ready", "267014")


@pytest.mark.parametrize(
    "arguments",
    [
        "/create /tn X /tr ver /sc DAILY /ru SYSTEM /f",
        "/create /tn X /tr ver /sc ONCE /st 00:00 /ru Somebody /f",
        "/run /tn NoSuchTask",
        "/query",
        "/frobnicate",
    ],
)
def test_schtasks_refuses_what_it_does_not_know(run: Run, arguments: str) -> None:
    done = run(f"schtasks {arguments}")

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("ERROR: ")


def test_taskkill_ends_a_tree(run: Run, winrm_host: LabHost, basic: Protocol) -> None:
    shell = basic.open_shell(codepage=65001)
    code = "import os, subprocess; print(os.getpid(), flush=True); subprocess.run('ping -n 47 127.0.0.1')"
    command_id = basic.run_command(shell, f'"{PYTHON}"', ["-c", f'"{code}"'])
    pid = int(basic.get_command_output_raw(shell, command_id)[0])

    def pings() -> bool:
        return any("47" in process.command for process in processes_of(winrm_host.prefix.directory))

    eventually(pings)

    done = run(f"taskkill /F /T /PID {pid}")

    assert done.exit_code == 0
    assert done.stdout.count("SUCCESS: The process with PID") == 2
    eventually(lambda: not pings())
    assert basic.get_command_output(shell, command_id)[2] == 1
    assert run(f"taskkill /F /T /PID {pid}").exit_code == 128
    basic.close_shell(shell)
