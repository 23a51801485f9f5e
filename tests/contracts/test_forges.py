"""Every adapter tells of its forge what the suite asks, by exchanges written from the forge's reference."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest
from pytest_httpserver import HTTPServer

from reconciler.approval.evidence import CheckState
from reconciler.approval.forge import Forge
from reconciler.approval.forges.azure_devops import AzureDevOps
from reconciler.approval.forges.forgejo import Forgejo
from reconciler.approval.forges.github import GitHub
from reconciler.approval.forges.gitlab import GitLab
from reconciler.desired.people import Identity
from tests.approval.served import COMMITS, Reference, Served, load
from tests.contracts.forge_contract import ForgeContract, Landed, Story, Way

TOKEN = "a-token-that-nobody-may-see"
FIRST, SECOND = COMMITS["<first>"], COMMITS["<second>"]


class ExchangeWorld:
    """A forge as its reference has it. A situation is a file of exchanges, chosen by the story's name."""

    tells_heads = True
    forge: Forge

    def __init__(self, name: str, server: HTTPServer) -> None:
        self._name = name
        self.reference = Reference.of(name)
        self.served = Served(self.reference, [])
        server.expect_request(re.compile("/.*")).respond_with_handler(self.served.answer)
        self.base = server.url_for(self.reference.base)

    def who(self, name: str) -> Identity:
        return f"@{name}"

    def writer(self, name: str) -> Identity:
        return f"@{name}"

    def be_in(self, situation: str) -> None:
        self.served.exchanges = load(self._name, situation, self.reference)

    def merged(self, story: Story) -> Landed:
        self.be_in(story.name)
        pushed = any(step.deed == "push" for step in story.steps)
        return Landed(COMMITS["<merge>"], (FIRST, SECOND) if pushed else (FIRST,))

    def pushed_directly(self) -> str:
        self.be_in("pushed-directly")
        return COMMITS["<merge>"]

    def opened(self) -> tuple[str, str]:
        self.be_in("open")
        return FIRST, SECOND

    def branch(self, _name: str) -> None:
        self.be_in("proposed-twice")

    def open_one(self) -> tuple[int, str]:
        # What is written is told apart by its endpoint, so one situation serves comments and statuses.
        self.be_in("written-twice")
        return 12, FIRST

    def proposals(self) -> Mapping[int, tuple[str, str]]:
        return {int(number): tuple(texts) for number, texts in self.served.now.get("proposals", {}).items()}

    def comments(self, _number: int) -> list[str]:
        return list(self.served.now.get("comments", {}).values())

    def statuses(self, _commit: str) -> Mapping[str, tuple[CheckState, str]]:
        found = self.served.now.get("statuses", {})
        return {context: (CheckState(state), text) for context, (state, text) in found.items()}


class GitHubWorld(ExchangeWorld):
    def __init__(self, server: HTTPServer) -> None:
        super().__init__("github", server)
        self.forge = GitHub(self.base, "acme/desired", "main", TOKEN)


class GitLabWorld(ExchangeWorld):
    def __init__(self, server: HTTPServer) -> None:
        super().__init__("gitlab", server)
        self.forge = GitLab(self.base, "acme/desired", "main", TOKEN)

    def writer(self, name: str) -> Identity:
        return f"{name}@example.com"

    def merged(self, story: Story) -> Landed:
        landed = super().merged(story)
        # What is rebased there is fast-forwarded: its head is the commit on the branch.
        return Landed(landed.commit, (landed.commit,)) if story.way is Way.REBASE else landed


class ForgejoWorld(ExchangeWorld):
    def __init__(self, server: HTTPServer) -> None:
        super().__init__("forgejo", server)
        self.forge = Forgejo(self.base, "acme/desired", "main", TOKEN)


class AzureDevOpsWorld(ExchangeWorld):
    tells_heads = False

    def __init__(self, server: HTTPServer) -> None:
        super().__init__("azure_devops", server)
        self.forge = AzureDevOps(self.base, "acme/fleet/desired", "main", TOKEN)

    def who(self, name: str) -> Identity:
        return f"{name}@example.com"

    def writer(self, name: str) -> Identity:
        return f"{name}@example.com"


WORLDS = [GitHubWorld, GitLabWorld, ForgejoWorld, AzureDevOpsWorld]


class TestForges(ForgeContract):
    @pytest.fixture(params=WORLDS, ids=lambda world: world.__name__.removesuffix("World"))
    def world(self, request: pytest.FixtureRequest, httpserver: HTTPServer) -> Iterator[ExchangeWorld]:
        made = request.param(httpserver)
        yield made
        assert made.served.surprises == []


del ForgeContract  # pytest would run it by itself
