"""Starts the endpoint: in a console of its own, at the first free address, with the user it is told of."""

from __future__ import annotations

import ctypes
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from spnego._ntlm_raw.crypto import ntowfv1

from reconciler.lab.winrm.server import IN_CONSOLE
from reconciler.lab.winrm.server.limits import Limits
from reconciler.lab.winrm.server.operations import Service
from reconciler.lab.winrm.server.shells import CONSOLE_CODE_PAGE, Shells
from reconciler.lab.winrm.server.sign_in import ACCOUNTS_VARIABLE, Account
from reconciler.lab.winrm.server.web import Listener

_CREATE_NO_WINDOW = 0x08000000


def main(words: list[str]) -> None:
    """Run with ``config.json`` of this program's folder; with ``IN_CONSOLE`` never returns."""
    if IN_CONSOLE not in words:
        _start_in_console()
        return
    _use_code_page()
    folder = Path(sys.argv[0]).absolute()
    config = json.loads((folder / "config.json").read_text("utf-8"))
    account = Account(config["user"], config["password"], config.get("clients", {}).get("principal", ""))
    _write_accounts(folder / "accounts", account)
    listeners = _listen(config, Service(Shells(Limits(**config["limits"]))), account)
    for listener in listeners:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
    _tell(folder / "ready.json", {"address": str(listeners[0].server_address[0])})
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


def _listen(config: Mapping[str, Any], service: Service, account: Account) -> list[Listener]:
    """Listen on the first of the addresses on which every port is free.

    Raises:
        OSError: there is none.
    """
    ports: dict[int, ssl.SSLContext | None] = {config["port"]: None}
    if config.get("certificate"):
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(config["certificate"])
        if config.get("clients"):
            tls.load_verify_locations(config["clients"]["authority"])
            tls.verify_mode = ssl.CERT_OPTIONAL
        ports[config["tls_port"]] = tls
    for address in config["addresses"]:
        with ExitStack() as opened:
            try:
                listeners = [
                    opened.enter_context(Listener((address, port), service, account, tls))
                    for port, tls in ports.items()
                ]
            except OSError:
                continue  # somebody else's; what has been opened of it is closed
            opened.pop_all()
            return listeners
    raise OSError("no address is free")


def _tell(file: Path, note: dict[str, object]) -> None:
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(note), encoding="utf-8")
    unfinished.replace(file)
