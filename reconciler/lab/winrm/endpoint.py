"""Puts the WinRM endpoint on a lab host, starts it, finds it and ends it; what it answers is its own affair."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from reconciler.lab.commands import start
from reconciler.lab.errors import LabError
from reconciler.lab.paths import unix_path
from reconciler.lab.prefix import WinePrefix
from reconciler.lab.processes import WineProcess, kill_all, processes_of
from reconciler.lab.template import PYTHON
from reconciler.lab.winrm.libraries import libraries
from reconciler.lab.winrm.server import IN_CONSOLE
from reconciler.lab.winrm.server.limits import Limits
from reconciler.lab.winrm.tools import install_tools

FOLDER = r"C:\ProgramData\Reconciler Lab\winrm"
PORT = 5985
TLS_PORT = 5986

_SERVER = Path(__file__).with_name("server")
_PACKAGE = ("reconciler", "lab", "winrm")
_CONFIG, _READY, _FAILURE = "config.json", "ready.json", "failure.txt"
_START_SECONDS = 60
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class ClientCertificates:
    """Which client certificates sign in as the account: those that ``authority`` has given to ``principal``.

    ``authority`` is a PEM file. The principal is the user principal name (``svc@contoso.example``) among the
    certificate's alternative names.

    Source: learn.microsoft.com/windows/win32/winrm/authentication-for-remote-connections
    """

    authority: Path
    principal: str


@dataclass(frozen=True, slots=True)
class WinrmSettings:
    """How the endpoint is to be.

    ``certificate`` is a PEM file with key and chain, if HTTPS is wanted; ``clients`` says which certificates of
    clients sign in there, if any do.
    """

    user: str = "Administrator"
    password: str = field(default="Lab-Passw0rd", repr=False)
    certificate: Path | None = None
    clients: ClientCertificates | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class WinrmEndpoint:
    """An endpoint that listens."""

    address: str
    settings: WinrmSettings

    @property
    def url(self) -> str:
        """Where it takes WS-Management requests over HTTP."""
        return f"http://{self.address}:{PORT}/wsman"

    @property
    def tls_url(self) -> str:
        """The same over HTTPS."""
        return f"https://{self.address}:{TLS_PORT}/wsman"


def start_winrm(prefix: WinePrefix, settings: WinrmSettings) -> WinrmEndpoint:
    """Put the endpoint on the host and start it, at the address it had before or at a free one of 127.0.1.0/24.

    Raises:
        LabUnavailable: what it needs could not be downloaded.
        LabError: it did not start.
    """
    folder = unix_path(prefix.drive_c, FOLDER)
    earlier = _address_in(folder / _READY)
    _install(folder, libraries(prefix))
    install_tools(prefix.drive_c)
    for stale in (_READY, _FAILURE):
        (folder / stale).unlink(missing_ok=True)
    config = {
        "user": settings.user,
        "password": settings.password,
        "addresses": [*([earlier] if earlier else []), *(f"127.0.1.{number}" for number in range(2, 255))],
        "port": PORT,
        "tls_port": TLS_PORT,
        "limits": asdict(settings.limits),
    }
    if settings.certificate is not None:
        shutil.copyfile(settings.certificate, folder / "certificate.pem")
        config["certificate"] = FOLDER + r"\certificate.pem"
    if settings.clients is not None:
        shutil.copyfile(settings.clients.authority, folder / "clients.pem")
        config["clients"] = {"authority": FOLDER + r"\clients.pem", "principal": settings.clients.principal}
    (folder / _CONFIG).write_text(json.dumps(config), encoding="utf-8")
    start(prefix, [PYTHON, FOLDER])
    return WinrmEndpoint(_await_address(prefix, folder), settings)


def stop_winrm(prefix: WinePrefix) -> None:
    """End the endpoint at once, and with it the commands of its shells."""
    kill_all(prefix.directory, _is_endpoint)


def winrm_running(prefix: WinePrefix) -> bool:
    """Return whether an endpoint runs on the host, whoever started it."""
    return any(_is_endpoint(process) for process in processes_of(prefix.directory))


def _install(folder: Path, libraries: Path) -> None:
    package = folder.joinpath(*_PACKAGE)
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(libraries, folder)
    package.mkdir(parents=True)
    for depth in range(1, len(_PACKAGE) + 1):
        folder.joinpath(*_PACKAGE[:depth], "__init__.py").touch()
    shutil.copytree(_SERVER, package / _SERVER.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(_SERVER / "launch.py", folder / "__main__.py")


def _await_address(prefix: WinePrefix, folder: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while (address := _address_in(folder / _READY)) is None:
        if (folder / _FAILURE).exists():
            raise LabError(f"the WinRM endpoint failed: {(folder / _FAILURE).read_text('utf-8')[-600:]}")
        if time.monotonic() > deadline:
            raise LabError(
                f"the WinRM endpoint did not listen within {_START_SECONDS} s", where=prefix.computer_name
            )
        time.sleep(_LOOK_SECONDS)
    return address


def _address_in(file: Path) -> str | None:
    try:
        found: str = json.loads(file.read_text("utf-8"))["address"]
    except (OSError, ValueError, KeyError):
        return None
    return found


def _is_endpoint(process: WineProcess) -> bool:
    return process.command[-2:] == (FOLDER, IN_CONSOLE)
