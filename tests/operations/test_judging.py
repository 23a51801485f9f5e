"""What a change holds by git, however it comes onto the branch: merged, squashed, rebased or fast-forwarded."""

from __future__ import annotations

from dataclasses import dataclass, field

import pygit2
import pytest

from reconciler.approval.evidence import Approval, Change
from reconciler.operations.desired import mirror_of, state_in_force
from reconciler.operations.follow import follow
from reconciler.operations.status import site_status
from reconciler.testing.workspace import AUTHOR
from tests.operations.conftest import FILES, Installation

PROD = "environments/prod/environment.yaml"
TOOL = "environments/catalog/tool.yaml"
POLICY = "promotesFrom: dev\napprovals: {required: 1, from: [managers]}\n"
SETTINGS = 'version: 1\ngroups: {managers: ["@ben"]}\n'


def prod(**versions: str) -> dict[str, str]:
    return {PROD: f"{POLICY}packages:\n" + "".join(f"  {name}: {version}\n" for name, version in versions.items())}


@dataclass
class Forge:
    """Knows by which change each commit came. Stands in for a forge's adapter."""

    changes: dict[str, Change] = field(default_factory=dict)

    def merged_change(self, commit: str) -> Change | None:
        return self.changes.get(commit)


@dataclass
class Branch:
    """A followed branch, and a forge that knows of its changes."""

    installation: Installation
    git: pygit2.Repository
    forge: Forge = field(default_factory=Forge)

    def propose(self, files: dict[str, str], *more: dict[str, str]) -> str:
        """Commit on top of the branch, and put the working tree back; return the last commit."""
        workspace = self.installation.workspace
        back = workspace.head
        for each in (files, *more):
            workspace.write(each)
            head = workspace.commit("A change")
        workspace.reset(back)
        return head

    def publish_head(self, head: str) -> None:
        self.git.remotes["origin"].push([f"+{head}:refs/pull/1/head"])

    def squash(self, head: str, *, approved: bool = True) -> str:
        base = self.git.head.peel(pygit2.Commit)
        other = self.git[head].peel(pygit2.Commit)
        shared = self.git[self.git.merge_base(base.id, other.id)].peel(pygit2.Commit)
        tree = self.git.merge_trees(shared.tree, base.tree, other.tree).write_tree(self.git)
        made = str(self.git.create_commit(None, AUTHOR, AUTHOR, "Squashed", tree, [base.id]))
        self.land(made, head, approved=approved)
        return made

    def land(self, commit: str, head: str, *, approved: bool = True) -> None:
        approvals = (Approval("@ben", head),) if approved else ()
        self.forge.changes[commit] = Change("#1", "", "", "@dora", head, 1.0, approvals, ref="refs/pull/1/head")
        self.installation.workspace.reset(commit)
        self.push()

    def push(self) -> None:
        self.installation.workspace.push()
        site = self.installation.site
        follow(site, mirror_of(site), None, self.forge)

    def direct(self, files: dict[str, str]) -> None:
        self.installation.workspace.write(files)
        self.installation.workspace.commit("straight to the branch")
        self.push()

    def versions(self) -> dict[str, object]:
        return dict(state_in_force(self.installation.site).versions_of("prod"))

    def reasons(self) -> tuple[str, ...]:
        return tuple(
            reason for waiting in site_status(self.installation.site).waiting for reason in waiting.reasons
        )


@pytest.fixture
def branch(installation: Installation) -> Branch:
    installation.publish({**FILES, "environments/reconciler.yaml": SETTINGS, **prod(app="1.0.0")})
    return Branch(installation, pygit2.Repository(str(installation.workspace.folder)))


def test_a_squash_counts_for_what_the_head_holds(branch: Branch) -> None:
    head = branch.propose(prod(app="2.0.0"))
    branch.publish_head(head)
    branch.squash(head)
    assert (branch.versions(), branch.reasons()) == ({"app": "2.0.0"}, ())


def test_a_squash_whose_head_is_gone_does_not_count_and_says_so(branch: Branch) -> None:
    branch.squash(branch.propose(prod(app="2.0.0")))
    assert branch.versions() == {"app": "1.0.0"}
    assert "is not in the repository any more" in branch.reasons()[0]


def test_what_others_put_on_the_branch_before_a_squash_is_not_covered(branch: Branch) -> None:
    head = branch.propose(prod(app="1.0.0", tool="5.0.0"))
    branch.publish_head(head)
    branch.direct({TOOL: FILES[TOOL] + 'before: ["evil"]\n'})
    branch.squash(head)
    assert branch.versions() == {"app": "1.0.0"}
    assert any("package tool: another value of it is approved" in reason for reason in branch.reasons())


def test_a_fast_forward_of_several_commits_counts_as_a_whole(branch: Branch) -> None:
    head = branch.propose(prod(app="2.0.0"), prod(app="2.0.0", tool="5.0.0"))
    branch.publish_head(head)
    first = str(branch.git[head].peel(pygit2.Commit).parent_ids[0])
    branch.forge.changes[first] = Change(
        "#1", "", "", "@dora", head, 1.0, (Approval("@ben", head),), ref="refs/pull/1/head"
    )
    branch.land(head, head)
    assert (branch.versions(), branch.reasons()) == ({"app": "2.0.0", "tool": "5.0.0"}, ())


def test_a_head_that_was_merged_before_covers_nothing_when_it_is_squashed_once_more(branch: Branch) -> None:
    head = branch.propose(prod(app="2.0.0"))
    branch.publish_head(head)
    branch.squash(head)
    back = branch.propose(prod(app="1.0.0"))
    branch.publish_head(back)
    branch.squash(back)
    assert branch.versions() == {"app": "1.0.0"}
    branch.direct(prod(app="2.0.0"))
    assert branch.versions() == {"app": "1.0.0"}


def test_an_environment_that_nobody_approved_does_not_exist_yet(branch: Branch) -> None:
    settings = SETTINGS + "approvals: {required: 1, from: [managers]}\n"
    head = branch.propose({"environments/reconciler.yaml": settings})
    branch.publish_head(head)
    branch.squash(head)
    branch.direct({"environments/mine/environment.yaml": "packages:\n  app: 1.0.0\napprovals: {required: 0}\n"})
    assert "mine" not in state_in_force(branch.installation.site).environments
    assert any("environment" in reason for reason in branch.reasons())
