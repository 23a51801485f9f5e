"""Starts the endpoint: in a console of its own, at the first free address, with the user it is told of."""

from __future__ import annotations

import ctypes
import json
import os
import ssl
import subprocess
import sys
import threading
from pathlib import Path

from spnego._ntlm_raw.crypto import ntowfv1

from reconciler.lab.winrm.server.limits import Limits
from reconciler.lab.winrm.server.operations import Service
from reconciler.lab.winrm.server.shells import CONSOLE_CODE_PAGE, Shells
from reconciler.lab.winrm.server.sign_in import ACCOUNTS_VARIABLE, Account
from reconciler.lab.winrm.server.web import Listener

IN_CONSOLE = "in-console"
"""The word on the command line of the process that is the endpoint, and not the one that gives it its console."""

_CREATE_NO_WINDOW = 0x08000000


def main(words: list[str]) -> None:
    """Run with ``config.json`` of this program's folder; with ``IN_CONSOLE`` never returns."""
    if IN_CONSOLE not in words:
        _start_in_console()
        return
    _use_code_page()
    folder = Path(sys.argv[0]).absolute()
    config = json.loads((folder / "config.json").read_text("utf-8"))
    account = Account(config["user"], config["password"])
    _write_accounts(folder / "accounts", account)
    listeners = _listen(config, Service(Shells(Limits(**config["limits"]))), account)
    for listener in listeners:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
    _tell(folder / "ready.json", {"address": str(listeners[0].server_address[0]), "pid": os.getpid()})
    threading.Event().wait()


def _start_in_console() -> None:
    # A hidden console, which commands share: without one Wine's cmd writes in no code page at all.
    subprocess.Popen(
        [sys.executable, sys.argv[0], IN_CONSOLE],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        creationflags=_CREATE_NO_WINDOW,
    )


def _use_code_page() -> None:
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32")
        kernel.SetConsoleCP(CONSOLE_CODE_PAGE)
        kernel.SetConsoleOutputCP(CONSOLE_CODE_PAGE)


def _write_accounts(file: Path, account: Account) -> None:
    """Write the file that pyspnego looks users up in, for every domain that a client may name this host by."""
    nt_hash = ntowfv1(account.password).hex().upper()
    host = os.environ.get("COMPUTERNAME", "")
    names = [f"{domain}{account.user}" for domain in ("", ".\\", f"{host}\\", "WORKSTATION\\")]
    lines = [f"{name}:1000:{'0' * 32}:{nt_hash}:[U]:LCT-00000000" for name in names]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.environ[ACCOUNTS_VARIABLE] = str(file)


def _listen(config: dict[str, object], service: Service, account: Account) -> list[Listener]:
    """Listen on the first of the addresses on which every port is free."""
    tls: ssl.SSLContext | None = None
    certificate = config.get("certificate")
    ports: list[tuple[int, ssl.SSLContext | None]] = [(int(str(config["port"])), None)]
    if isinstance(certificate, str):
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
        ports.append((int(str(config["tls_port"])), tls))
    addresses = config["addresses"]
    assert isinstance(addresses, list)
    for address in addresses:
        listeners: list[Listener] = []
        try:
            for port, context in ports:
                listeners.append(Listener((address, port), service, account, context))
        except OSError:
            for listener in listeners:
                listener.server_close()
            continue
        return listeners
    raise OSError("no address is free")


def _tell(file: Path, note: dict[str, object]) -> None:
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(note), encoding="utf-8")
    unfinished.replace(file)
