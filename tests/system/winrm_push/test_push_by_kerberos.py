"""A host is kept by Kerberos: with a ticket of the daemon's user, every message sealed; without one it is told."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.lab import LabHost
from tests.system.main_job.conftest import HOST
from tests.system.winrm_push.conftest import HOST_FILE, PUSHED, ExamplePackages, PushedFleet, eventually
from tests.system.winrm_push.realm import ACCOUNT, Realm

TOOLS = ("krb5kdc", "kadmin.local", "kdb5_util", "kinit")
ACCEPTOR = Path(__file__).with_name("kerberos_acceptor.py")


@pytest.fixture
def realm(tmp_path: Path) -> Iterator[Realm]:
    lacking = [tool for tool in TOOLS if shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]
    if importlib.util.find_spec("kerberos") is None:
        lacking.append("pykerberos")
    if lacking:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have {', '.join(lacking)}", pytrace=False)
        pytest.skip(f"needs {', '.join(lacking)}")
    folder = tmp_path / "realm"
    folder.mkdir()
    made = Realm(folder)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def host(pushed: PushedFleet, realm: Realm, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabHost]:
    """A host that is reached by Kerberos alone."""
    for name in ("KRB5_CONFIG", "KRB5CCNAME"):
        monkeypatch.setenv(name, realm.variables[name])
    (host,) = pushed.lab.up([HOST])
    endpoint = host.start_winrm()
    behind = (endpoint.address, endpoint.settings.user, endpoint.settings.password)
    acceptor = subprocess.Popen(
        [sys.executable, str(ACCEPTOR), *behind, ACCOUNT], env=os.environ | realm.variables, stdout=subprocess.PIPE
    )
    assert acceptor.stdout is not None
    port = int(acceptor.stdout.readline())
    pushed.grant(transport="kerberos", user=ACCOUNT)
    pushed.workspace.write({HOST_FILE: PUSHED.format(url=f"http://127.0.0.1:{port}")})
    yield host
    acceptor.terminate()
    acceptor.wait()
    acceptor.stdout.close()


def test_a_ticket_lets_the_daemon_in(
    pushed: PushedFleet, host: LabHost, realm: Realm, example_packages: ExamplePackages
) -> None:
    code = example_packages.get("contoso-agent", "2.0.0").source.product_code
    commit = pushed.publish("first", contoso_agent="2.0.0")
    pushed.serve()
    record = eventually(lambda: (found := pushed.site.hosts.find(HOST)) and found.trouble and found)
    assert "Can't find client principal" in record.trouble
    assert "kinit" in record.trouble

    realm.sign_in()
    pushed.await_synced(commit)
    assert pushed.installed(host) == {code: "2.0.0"}
