"""The settings name a forge completely, or not at all, and its token never goes out in the clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.approval.forges.azure_devops import AzureDevOps
from reconciler.approval.forges.forgejo import Forgejo
from reconciler.approval.forges.github import GitHub
from reconciler.approval.forges.gitlab import GitLab
from reconciler.grants.credentials import CredentialMissing
from reconciler.operations.desired import mirror_of
from reconciler.operations.forges import ForgeMisconfigured, connected_forge, webhook_secret
from reconciler.operations.landed_changes import LandedChanges
from reconciler.operations.reviews import forge_of, reviews_of
from reconciler.operations.witnessed_forge import WitnessedForge
from reconciler.settings import Settings
from reconciler.site import open_site

GOOD: dict[str, dict[str, Any]] = {
    "github": {"forge": "github", "forge_project": "acme/desired"},
    "gitlab": {"forge": "gitlab", "forge_project": "acme/fleet/desired"},
    "forgejo": {
        "forge": "forgejo",
        "forge_project": "acme/desired",
        "forge_url": "https://git.example.com/api/v1",
    },
    "azure": {"forge": "azure", "forge_project": "contoso/fleet/desired"},
}


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGE_TOKEN", "secret")


def settings(**given: Any) -> Settings:
    return Settings(**{"forge_token": "env:FORGE_TOKEN", **given})


def test_without_a_forge_there_is_none() -> None:
    assert connected_forge(Settings()) is None
    assert webhook_secret(Settings()) == ""


@pytest.mark.parametrize(
    ("name", "kind"), [("github", GitHub), ("gitlab", GitLab), ("forgejo", Forgejo), ("azure", AzureDevOps)]
)
def test_each_forge_is_opened_by_its_name(name: str, kind: type) -> None:
    assert isinstance(connected_forge(settings(**GOOD[name])), kind)


@pytest.mark.parametrize(
    ("name", "project"),
    [
        ("github", ""),
        ("github", "acme"),
        ("github", "acme/"),
        ("github", "acme/desired/more"),
        ("gitlab", "acme"),
        ("azure", "fleet/desired"),
        ("azure", "contoso//desired"),
    ],
)
def test_a_project_that_is_none_is_refused(name: str, project: str) -> None:
    with pytest.raises(ForgeMisconfigured) as refused:
        connected_forge(settings(**{**GOOD[name], "forge_project": project}))
    assert "RECONCILER_FORGE_PROJECT" in (refused.value.hint or "")


@pytest.mark.parametrize("url", ["", "git.example.com", "ftp://git.example.com", "https://ann:pw@git.example.com"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ForgeMisconfigured) as refused:
        connected_forge(settings(**{**GOOD["forgejo"], "forge_url": url}))
    assert "pw" not in str(refused.value)


def test_a_token_is_not_sent_in_the_clear() -> None:
    with pytest.raises(ForgeMisconfigured, match="plain HTTP"):
        connected_forge(settings(**{**GOOD["forgejo"], "forge_url": "http://git.example.com/api/v1"}))
    assert (
        connected_forge(settings(**{**GOOD["forgejo"], "forge_url": "http://127.0.0.1:3000/api/v1"})) is not None
    )


def test_a_token_that_is_not_there_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ForgeMisconfigured, match="no token"):
        connected_forge(settings(**GOOD["github"], forge_token=""))
    monkeypatch.delenv("FORGE_TOKEN")
    with pytest.raises(CredentialMissing):
        connected_forge(settings(**GOOD["github"]))
    with pytest.raises(CredentialMissing) as missed:
        connected_forge(settings(**GOOD["github"], forge_token="the-token-itself"))
    assert "the-token-itself" not in str(missed.value)


def test_the_secret_of_the_webhook_is_referred_to(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("of the webhook\n")
    assert webhook_secret(settings(webhook_secret=f"file:{file}")) == "of the webhook"


def test_what_is_seen_at_a_forge_is_kept_and_rebases_are_followed(tmp_path: Path) -> None:
    given = settings(**GOOD["github"], data=tmp_path / "data", repository=str(tmp_path / "fleet.git"))
    with open_site(given) as site:
        assert isinstance(forge_of(site), WitnessedForge)
        assert isinstance(reviews_of(site, mirror_of(site)), LandedChanges)
