"""The server's grants file: what is wrong in it grants nothing, and is reported by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.grants.credentials import CredentialMissing, secret_of
from reconciler.grants.loading import GrantsUnusable, load_grants
from reconciler.grants.model import NO_GRANTS, NotGranted, channel_grant, covers, winrm_grant

WINRM = "version: 1\nwinrm:\n  a:\n    environments: [dev]\n    networks: [10.0.0.0/8]\n    user: svc\n"


def written(folder: Path, text: str) -> str:
    path = folder / "grants.yaml"
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("text", "place", "complaint"),
    [
        (WINRM + "    password: Summer2026!\n", "7:15", "not a reference to a secret"),
        (WINRM + "    password: env:A\n    netwerks: []\n", "8:5", "unknown key 'netwerks'"),
        (WINRM, "4:5", "ntlm needs password"),
        (WINRM.replace("10.0.0.0/8", "10.0.0.1/8"), "5:16", "has host bits set"),
        (WINRM.replace("[dev]", "[]"), "4:19", "at least 1"),
        (WINRM + "    password: file:{data}/tls/ca.key\n", "7:15", "a file in the data folder"),
        (WINRM + "    password: file:{data}/../data/tls/ca.key\n", "7:15", "a file in the data folder"),
        (WINRM + "    password: file:{link}\n", "7:15", "a file in the data folder"),
        ("version: 1\nversion: 1\n", "2:1", "version"),
        ("winrm: {}\n", "1:1", "the key 'version' is missing"),
    ],
)
def test_a_wrong_file_is_refused_by_line(tmp_path: Path, text: str, place: str, complaint: str) -> None:
    data, link = tmp_path / "data", tmp_path / "link"
    (data / "tls").mkdir(parents=True)
    (data / "tls" / "ca.key").write_text("the key of the authority")
    link.symlink_to(data / "tls" / "ca.key")
    path = written(tmp_path, text.replace("{data}", str(data)).replace("{link}", str(link)))
    with pytest.raises(GrantsUnusable, match=complaint) as refused:
        load_grants(path, data)
    assert refused.value.where == f"{path}:{place}"
    assert "Summer2026!" not in str(refused.value)


def test_a_link_that_leads_into_the_data_folder_later_is_refused_at_use(tmp_path: Path) -> None:
    data, link = tmp_path / "data", tmp_path / "link"
    data.mkdir()
    (data / "review-key").write_text("the key that merges are signed by")
    link.write_text("a password")
    assert secret_of(f"file:{link}", data) == "a password"
    link.unlink()
    link.symlink_to(data / "review-key")
    with pytest.raises(CredentialMissing, match="in the data folder of the server"):
        secret_of(f"file:{link}", data)


def test_a_file_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "version: 1\n")
    Path(path).chmod(0o666)
    with pytest.raises(GrantsUnusable, match="other accounts can write"):
        load_grants(path, tmp_path / "data")


def test_a_change_counts_without_a_restart(tmp_path: Path) -> None:
    path = written(tmp_path, "version: 1\n")
    assert load_grants(path, tmp_path).winrm == {}
    written(tmp_path, WINRM + "    password: env:A\n")
    assert load_grants(path, tmp_path).winrm["a"].password == "env:A"


def test_without_a_file_nothing_is_granted(tmp_path: Path) -> None:
    assert load_grants("", tmp_path) is NO_GRANTS
    with pytest.raises(NotGranted, match="no WinRM grant 'prod-hosts'") as refused:
        winrm_grant(NO_GRANTS, "prod-hosts", "prod")
    assert "set RECONCILER_GRANTS" in str(refused.value.hint)
    with pytest.raises(NotGranted, match="no notification grant 'ops'"):
        channel_grant(NO_GRANTS, "ops")


@pytest.mark.parametrize(
    ("patterns", "environment", "covered"),
    [
        (("*",), "prod", True),
        (("*",), "acme/prod", True),
        (("*",), "", True),
        (("prod",), "prod", True),
        (("prod",), "acme/prod", False),
        (("acme/prod",), "acme/prod", True),
        (("acme/*",), "acme/prod", True),
        (("acme/*",), "acme2/prod", False),
        (("acme/*",), "acme", False),
        (("acme",), "acme/prod", False),
        (("acme/*", "prod"), "", False),
    ],
)
def test_a_grant_covers_its_environments_alone(patterns: tuple[str, ...], environment: str, covered: bool) -> None:
    assert covers(patterns, environment) is covered
