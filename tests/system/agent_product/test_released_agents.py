"""Agents that were released go on working with today's server: see tests/compatibility/README.md."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler.agent.placing import SiteDefaults
from reconciler.operations.status import site_status
from reconciler.operations.token import make_token
from reconciler.packaging.agent_msi import build_agent_msi
from tests.system.agent_product.conftest import DATA
from tests.system.main_job.conftest import HOST, eventually, fleet

THIS_TREE = "this tree"
RELEASED = Path(__file__).parents[2] / "compatibility" / "released"
MSIS = [THIS_TREE, *sorted(path.name for path in RELEASED.glob("*.msi"))]

__all__ = ["fleet"]


@pytest.mark.parametrize("msi", MSIS)
def test_it_enrols_installs_and_reports(fleet, lab_host, tmp_path, msi):
    commit = fleet.publish(contoso_agent="2.1.0")
    url = fleet.daemon.start()
    eventually(fleet.site.revisions.in_force)
    file = RELEASED / msi
    if msi == THIS_TREE:
        file = build_agent_msi(SiteDefaults({"server": "https://elsewhere.example.com"}), tmp_path / "a.msi").path
    host = lab_host(HOST)
    settings = {
        "server": f"https://127.0.0.1:{urlsplit(url).port}",
        "host": HOST,
        "token": make_token(fleet.site, "dev"),
        "ca": "ca.pem",
        "pollSeconds": 0.5,
    }
    data = host.unix_path(DATA)
    data.mkdir(parents=True)
    (data / "agent.json").write_text(json.dumps(settings))
    host.copy_in(fleet.site.settings.data / "tls" / "ca.pem", rf"{DATA}\ca.pem")
    host.copy_in(file, r"C:\Setup\agent.msi")

    assert host.run(r"msiexec /i C:\Setup\agent.msi /qn").exit_code == 0
    eventually(lambda: site_status(fleet.site).hosts)
    fleet.await_synced(commit)
    assert "2.1.0" in fleet.installed(host).values()
    assert [attempt.to_version for attempt in fleet.attempts()] == ["2.1.0"]
