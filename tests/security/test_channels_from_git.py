"""Git decides who is told of what, within what the server grants a channel; addresses are not in git."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.desired.notifications import Channel, ChannelKind, Topic
from reconciler.grants.loading import load_grants
from reconciler.kernel.wire import encode
from reconciler.notices.notice import Notice, Phase
from reconciler.notices.sending import NotSent
from reconciler.notices.words import Words
from reconciler.operations.deliver import deliver
from reconciler.operations.status import site_status
from reconciler.operations.validate import validate
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.store.outbox import Lane, Letter, Told
from tests.daemon.conftest import FILES
from tests.operations.conftest import Installation

ACME = """version: 1
notifications:
  acme-chat: {environments: ["acme/*"], address: "file:FOLDER/address", authors: [acme.example]}
"""
CHANNEL = Channel("acme", ChannelKind.MAIL, "acme-chat", 1.0, 100)


class Post:
    """An outbox with notices of some environments, and a channel that the server grants for acme alone."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.folder = folder
        self.grants = folder / "grants.yaml"
        self.grants.write_text(ACME.replace("FOLDER", str(folder)))
        (folder / "address").write_text("mailto://mail.example.com\n")
        settings = site.settings.model_copy(update={"grants": str(self.grants)})
        self.now = 1_000_000.0
        self.site = replace(site, settings=settings, clock=lambda: self.now)
        self.taken: list[tuple[str, str]] = []

    def send(self, _channel: Channel, recipient: str, words: Words, address: str) -> None:
        assert address == "mailto://mail.example.com"
        self.taken.append((recipient, words.text))

    def deliver(self, *environments: str, recipient: str = "") -> bool:
        lane = Lane("acme", recipient)
        notices = [Notice(Topic.HALTED, Phase.BEGAN, name, f"of-{name or 'none'}", "1.0") for name in environments]
        letters = [Letter(lane, self.now, json.dumps(encode(notice))) for notice in notices]
        self.site.outbox.put(Told({}, (), letters, 0, 0))
        self.now += 3600
        return self.again()

    def again(self) -> bool:
        waiting = next(item for item in self.site.outbox.waiting() if item.letters)
        return deliver(self.site, waiting, CHANNEL, self.send)

    def given_up(self) -> int:
        return sum(item.given_up for item in self.site.outbox.waiting())


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with open_site(Settings(data=tmp_path / "data")) as site:
        yield Post(tmp_path, site)


def test_a_channel_carries_news_of_its_environments_alone(post: Post) -> None:
    assert post.deliver("acme/prod", "prod", "other/prod", "")
    ((_, text),) = post.taken
    assert "of-acme/prod" in text
    assert "of-prod" not in text
    assert "of-other" not in text
    assert "of-none" not in text


def test_news_that_no_grant_covers_is_sent_nowhere_and_counted(post: Post) -> None:
    assert not post.deliver("prod")
    assert post.taken == []
    assert post.given_up() == 1


@pytest.mark.parametrize(("recipient", "sent"), [("ann@acme.example", True), ("m@mallory.example", False)])
def test_people_are_written_to_at_domains_that_the_server_grants(post: Post, recipient: str, sent: bool) -> None:
    assert post.deliver("acme/prod", recipient=recipient) is sent
    assert bool(post.taken) is sent


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version: 1\n", "there is no notification grant 'acme-chat' on the server: write notifications:"),
        ("version: 2\n", "expected 1"),
        (ACME.replace("FOLDER/address", "FOLDER/data/reconciler.sqlite"), "names a file in the data folder"),
        (ACME.replace("FOLDER/address", "FOLDER/nothing"), "there is no such file"),
    ],
)
def test_a_channel_that_is_not_granted_keeps_its_news_and_says_why(post: Post, text: str, told: str) -> None:
    post.grants.write_text(text.replace("FOLDER", str(post.folder)))
    with pytest.raises(NotSent):
        post.deliver("acme/prod")
    (waiting,) = post.site.outbox.waiting()
    assert waiting.trouble is not None
    assert told in waiting.trouble.error
    post.grants.write_text(ACME.replace("FOLDER", str(post.folder)))
    post.now += 3600
    assert post.again()
    assert len(post.taken) == 1


SETTINGS = """version: 1
notifications:
  channels:
    acme: {kind: mail, grant: acme-chat, authors: [mallory.example]}
    other: {kind: slack, grant: nobody-granted-this}
  tell:
    - {channel: acme, environments: [acme/prod, prod]}
"""


def test_validation_with_the_servers_grants_reports_uses_that_are_not_granted(tmp_path: Path) -> None:
    root = tmp_path / "environments"
    for name, text in {
        "reconciler.yaml": SETTINGS,
        "prod/environment.yaml": "",
        "prod/hosts/PROD-01.yaml": "driver: winrm\naddress: 10.9.0.1\nwinrm: {grant: prod-hosts}\n",
        "prod/hosts/PROD-02.yaml": "driver: winrm\nwinrm: {grant: acme-hosts}\n",
        "prod/hosts/PROD-03.yaml": "driver: winrm\naddress: 10.8.0.3\nwinrm: {grant: prod-hosts}\n",
        "acme/tenant.yaml": "",
        "acme/prod/environment.yaml": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    grants = tmp_path / "grants.yaml"
    winrm = "networks: [10.8.0.0/16], user: svc, password: env:X"
    hosts = f"winrm:\n  prod-hosts: {{environments: [prod], {winrm}}}\n"
    hosts += f"  acme-hosts: {{environments: ['acme/*'], {winrm}}}\n"
    grants.write_text(ACME.replace("FOLDER", str(tmp_path)) + hosts)
    assert validate(root).state is not None, "without the server's grants, only the form is checked"
    loaded = validate(root, None, load_grants(str(grants), tmp_path / "data"))
    assert loaded.state is None
    found = {(f.path.removeprefix(f"{root}/"), f.line, f.rule.value): f.message for f in loaded.findings}
    assert {key: found[key].split(";")[0] for key in found} == {
        (
            "prod/hosts/PROD-01.yaml",
            2,
            "not-granted",
        ): "10.9.0.1 is outside the networks of the WinRM grant 'prod-hosts'",
        (
            "prod/hosts/PROD-02.yaml",
            2,
            "not-granted",
        ): "the WinRM grant 'acme-hosts' is not granted to the environment prod",
        ("reconciler.yaml", 4, "not-granted"): "the channel acme may not write to people at mallory.example",
        (
            "reconciler.yaml",
            5,
            "not-granted",
        ): "there is no notification grant 'nobody-granted-this' on the server",
        ("reconciler.yaml", 7, "not-granted"): "the channel acme may not be told of prod",
    }


def test_status_says_what_is_not_granted_and_what_to_do(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", repository=str(tmp_path / "fleet.git"))
    with open_site(settings) as site:
        installation = Installation(tmp_path, site)
        channels = "notifications:\n  channels: {ops: {kind: slack, grant: ops-chat}}\n"
        installation.publish({**FILES, "environments/reconciler.yaml": f"version: 1\n{channels}"})
        (refused,) = site_status(site).refused
    assert refused.startswith("there is no notification grant 'ops-chat' on the server: set RECONCILER_GRANTS")
