"""The agent's MSI is what its content says, and holds nothing that was not checked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import reconciler
from reconciler import __version__
from reconciler.agent.placing import SiteDefaults, read_site
from reconciler.agent.settings import InvalidSettings
from reconciler.artifacts.msi_file import read_msi
from reconciler.kernel.agent_package import AGENT_UPGRADE_CODE
from reconciler.operations.agent_installer import AgentInstaller, NoAuthority, make_agent_installer
from reconciler.packaging import agent_msi
from reconciler.packaging import windows_python as windows_python_module
from reconciler.packaging.agent_msi import build_agent_msi
from reconciler.packaging.errors import PackageBuildFailed, PackagingUnavailable
from reconciler.packaging.windows_python import check_windows_python
from reconciler.packaging.wixl import require_builder

SITE = SiteDefaults({"server": "https://reconciler.example.com:8443"})
CODE = Path(str(reconciler.__file__)).parent


@pytest.fixture(autouse=True)
def _builder():
    try:
        require_builder()
    except PackagingUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must be able to build packages. {error}", pytrace=False)
        pytest.skip(str(error))


def test_it_is_what_was_built(tmp_path):
    built = build_agent_msi(SITE, tmp_path / "agent.msi")
    found = read_msi(built.path)
    assert (found.product_name, found.architecture) == ("Reconciler Agent", "x64")
    assert (found.version, found.upgrade_code) == (__version__, AGENT_UPGRADE_CODE)
    assert (found.product_code, found.package_code) == (built.product_code, built.package_code)


def test_equal_content_gives_an_equal_file_and_any_other_another_product(tmp_path):
    first = build_agent_msi(SITE, tmp_path / "a" / "first.msi")
    second = build_agent_msi(SITE, tmp_path / "b" / "second.msi")
    assert first.path.read_bytes() == second.path.read_bytes()
    other = build_agent_msi(SiteDefaults({**SITE.settings, "pollSeconds": 5}), tmp_path / "other.msi")
    assert other.product_code != first.product_code
    assert other.package_code != first.package_code


def test_its_version_is_that_of_its_code_and_must_be_three_numbers(tmp_path):
    for room in ("kernel", "agent"):
        shutil.copytree(CODE / room, tmp_path / "code" / room)
    start = tmp_path / "code" / "__init__.py"
    start.write_text('__version__ = "4.5.6"\n')
    built = build_agent_msi(SITE, tmp_path / "agent.msi", tmp_path / "code")
    assert built.version == read_msi(built.path).version == "4.5.6"
    for wrong in ('__version__ = "4.5"\n', '__version__ = "4.5.6rc1"\n', ""):
        start.write_text(wrong)
        with pytest.raises(PackageBuildFailed, match=r"no ProductVersion|does not tell its version"):
            build_agent_msi(SITE, tmp_path / "agent.msi", tmp_path / "code")


def test_its_code_runs_from_the_archive(tmp_path):
    kept = tmp_path / "agent.zip"
    agent_msi._write_archive(CODE, kept)
    with zipfile.ZipFile(kept) as archive:
        names = archive.namelist()
    assert {name.split("/")[1] for name in names} == {"__init__.py", "kernel", "agent"}
    assert "reconciler/agent/windows/upgrade_run.py" in names
    assert not any("__pycache__" in name for name in names)
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(kept)!r}); import reconciler.agent.loop",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_file_that_is_not_the_one_listed_is_refused(tmp_path, monkeypatch):
    listed = tmp_path / "list.sha256"
    folder = tmp_path / "python"
    folder.mkdir()
    (folder / "python.exe").write_bytes(b"python")
    listed.write_text("b" * 64 + "  python.exe\n")
    monkeypatch.setattr(windows_python_module, "_LIST", listed)
    with pytest.raises(PackageBuildFailed, match=r"not as listed in list\.sha256: python\.exe"):
        check_windows_python(folder)
    listed.write_text("11a4a60b518bf24989d481468076e5d5982884626aed9faeb35b8576fcd223e1  python.exe\n")
    check_windows_python(folder)
    (folder / "extra.dll").touch()
    with pytest.raises(PackageBuildFailed, match=r"extra\.dll"):
        check_windows_python(folder)
    (folder / "extra.dll").unlink()
    (folder / "python.exe").unlink()
    with pytest.raises(PackageBuildFailed, match=r"python\.exe"):
        check_windows_python(folder)


def test_a_windows_python_that_was_changed_since_it_was_fetched_is_not_packed(tmp_path, monkeypatch):
    changed = tmp_path / "python"
    shutil.copytree(windows_python_module.windows_python(), changed)
    (changed / "python313.dll").write_bytes(b"something else")
    monkeypatch.setattr(agent_msi, "windows_python", lambda: changed)
    with pytest.raises(PackageBuildFailed, match=r"python313\.dll"):
        build_agent_msi(SITE, tmp_path / "agent.msi")
    assert not (tmp_path / "agent.msi").exists()


@pytest.mark.parametrize(
    ("server", "settings", "told"),
    [
        ("http://far.example.com", {}, "clear text"),
        ("far.example.com", {}, "not an address"),
        ("https://far.example.com", {"pollSeconds": 0}, "pollSeconds"),
        ("https://far.example.com", {"proxy": "proxy:1"}, "proxy"),
    ],
)
def test_an_installer_for_settings_that_no_agent_could_use_is_not_built(tmp_path, server, settings, told):
    with pytest.raises(InvalidSettings, match=told):
        make_agent_installer(AgentInstaller(server, None, settings), tmp_path / "agent.msi")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n", "\xff"])
def test_what_is_no_authority_is_not_packed(tmp_path, content):
    ca = tmp_path / "ca.pem"
    ca.write_text(content, "latin-1")
    with pytest.raises(NoAuthority):
        make_agent_installer(AgentInstaller("https://far.example.com", ca, {}), tmp_path / "agent.msi")
    with pytest.raises(NoAuthority, match="cannot be read"):
        make_agent_installer(AgentInstaller("https://far", tmp_path / "none", {}), tmp_path / "agent.msi")


def test_the_command_says_what_it_made_and_packs_what_it_was_told(tmp_path):
    words = ["--server", "https://far.example.com:8443", "--poll-seconds", "30", "--proxy", "http://proxy:3128"]
    words += ["--bandwidth-kilobytes-per-second", "500", "--download-window", "22:00-06:00"]
    words += ["--cache-megabytes", "2000", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "reconciler.cli.main", "agent", "msi", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert read_msi(tmp_path / told["file"]).product_code == told["productCode"]
    unpacked = subprocess.run(["msiextract", told["file"]], cwd=tmp_path, capture_output=True, check=False)
    assert unpacked.returncode == 0, unpacked.stderr
    (site,) = tmp_path.rglob("site.json")
    assert read_site(site).settings == {
        "server": "https://far.example.com:8443",
        "pollSeconds": 30.0,
        "proxy": "http://proxy:3128",
        "bandwidthKilobytesPerSecond": 500.0,
        "downloadWindow": "22:00-06:00",
        "cacheMegabytes": 2000.0,
    }
