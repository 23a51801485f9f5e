"""A Kerberos realm of the tests' own, by MIT's key distribution centre: one service, and one account."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from reconciler.testing.waiting import eventually

REALM = "CONTOSO.EXAMPLE"
SERVICE = f"HTTP/127.0.0.1@{REALM}"
ACCOUNT = f"svc-reconciler@{REALM}"

_CLIENTS = """[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 0
[realms]
{realm} = {{
  kdc = 127.0.0.1:{port}
}}
"""
_CENTRE = """[kdcdefaults]
kdc_listen = ""
kdc_tcp_listen = 127.0.0.1:{port}
[realms]
{realm} = {{
  database_name = {folder}/principals
  key_stash_file = {folder}/stash
}}
[logging]
kdc = FILE:{folder}/kdc.log
"""


@dataclass
class Realm:
    """The realm, with its files in ``folder``; ``variables`` are those by which programs live in it."""

    folder: Path

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.variables = {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
            "KRB5CCNAME": f"FILE:{self.folder / 'tickets'}",
            "KRB5_KTNAME": f"FILE:{self.folder / 'service.keytab'}",
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        }
        for name, text in (("krb5.conf", _CLIENTS), ("kdc.conf", _CENTRE)):
            (self.folder / name).write_text(text.format(realm=REALM, port=self._port, folder=self.folder))
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master")
        for principal, keytab in ((SERVICE, "service.keytab"), (ACCOUNT, "account.keytab")):
            self._run("kadmin.local", "-q", f"addprinc -randkey {principal}")
            self._run("kadmin.local", "-q", f"ktadd -k {self.folder / keytab} {principal}")

    def start(self) -> None:
        """Start the centre."""
        self._process = subprocess.Popen(["krb5kdc", "-n"], env=self.variables)
        eventually(self._answers)

    def stop(self) -> None:
        """End the centre."""
        self._process.terminate()
        self._process.wait()

    def sign_in(self) -> None:
        """Get a ticket for the account, as an administrator does for the daemon's user."""
        self._run("kinit", "-k", "-t", str(self.folder / "account.keytab"), ACCOUNT)

    def _run(self, *command: str) -> None:
        subprocess.run(command, env=self.variables, check=True, capture_output=True)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0
