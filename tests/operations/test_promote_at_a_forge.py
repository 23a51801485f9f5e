"""With a forge connected, a promotion opens a change there, or brings its text up to date."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from reconciler.operations.promote import Fate
from reconciler.settings import Settings
from reconciler.site import open_site
from reconciler.testing import preloaded
from tests.approval.github_server import PROJECT, TOKEN, GitHubServer
from tests.operations.test_promote import HOUR, Story


@pytest.fixture
def github(httpserver: HTTPServer) -> GitHubServer:
    made = GitHubServer()
    httpserver.expect_request(re.compile("/.*")).respond_with_handler(made.answer)
    return made


@pytest.fixture
def story(
    tmp_path: Path, github: GitHubServer, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Story]:
    monkeypatch.setenv("FORGE_TOKEN", TOKEN)
    with open_site(Settings(data=tmp_path / "data", repository=str(tmp_path / "fleet.git"))) as site:
        made = Story(tmp_path, site)
        connected = site.settings.model_copy(
            update={
                "forge": "github",
                "forge_url": httpserver.url_for("/").rstrip("/"),
                "forge_project": PROJECT,
                "forge_token": "env:FORGE_TOKEN",
            }
        )
        made.site = replace(made.site, settings=connected)
        made.later(5 * HOUR)
        yield made


def test_a_promotion_opens_a_change_with_its_whole_text(story: Story, github: GitHubServer) -> None:
    done = story.promote("app")
    assert (done.fate, done.change, done.trouble) == (Fate.OPENED, "#1", "")
    assert done.url == "https://github.example/acme/desired/pull/1"
    (pull,) = github.pulls.values()
    assert (pull["title"], pull["head"]["ref"], pull["base"]["ref"]) == ("prod: app 2.0.0", done.branch, "main")
    assert f"{pull['title']}\n\n{pull['body']}" == done.message
    assert "| UAT-01 | healthy for 5 h |" in pull["body"]


def test_promoting_again_keeps_the_one_change_up_to_date(story: Story, github: GitHubServer) -> None:
    story.promote("app")
    story.later(24 * HOUR)
    again = story.promote("app")
    assert (again.fate, again.change) == (Fate.UNCHANGED, "#1")
    (pull,) = github.pulls.values()
    assert "| UAT-01 | healthy for 1 d 5 h |" in pull["body"]


def test_the_forge_being_away_leaves_the_branch_and_says_so(story: Story, github: GitHubServer) -> None:
    github.away = True
    done = story.promote("app")
    assert (done.fate, done.change, done.url) == (Fate.OPENED, "", "")
    assert story.branches() == {done.branch}
    assert "GitHub answers 503" in done.trouble
    assert TOKEN not in done.trouble
    github.away = False
    assert story.promote("app").change == "#1"


def test_a_token_that_is_missing_leaves_the_branch_and_says_so(
    story: Story, github: GitHubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORGE_TOKEN")
    done = story.promote("app")
    assert story.branches() == {done.branch}
    assert "FORGE_TOKEN is not set" in done.trouble
    assert not github.pulls


def test_nothing_to_promote_asks_the_forge_nothing(story: Story, github: GitHubServer) -> None:
    story.publish({"environments/prod/environment.yaml": "promotesFrom: uat\npackages:\n  app: 2.0.0\n"})
    assert story.promote().fate is Fate.NOTHING
    assert github.asked == []


@pytest.mark.parametrize("away", [False, True])
def test_the_command_prints_the_address_or_what_is_amiss(story: Story, github: GitHubServer, away: bool) -> None:
    github.away = away
    settings = story.site.settings
    names = ("forge", "forge_url", "forge_project", "forge_token")
    forge = {f"RECONCILER_{name.upper()}": getattr(settings, name) for name in names}
    words = ["promote", "--to", "prod", "--package", "app", "--unverified", "shown"]
    words += ["--author", "Riley <riley@example.com>", "--data", str(settings.data)]
    done = preloaded.run(
        [*words, "--repository", settings.repository],
        {"PATH": os.environ["PATH"], "FORGE_TOKEN": TOKEN, **forge},
    )
    assert done.returncode == (1 if away else 0)
    assert "to promote/prod/app" in done.stdout
    if away:
        assert "promote/prod/app is pushed, but no change was opened from it" in done.stderr
        assert "503" in done.stderr
    else:
        assert "#1 asks for it: https://github.example/acme/desired/pull/1" in done.stdout
    assert TOKEN not in done.stdout + done.stderr
