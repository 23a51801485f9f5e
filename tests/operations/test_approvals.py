"""Approvals end to end on a real repository: signed merges, tags that approve, force pushes, an emergency."""

from __future__ import annotations

from dataclasses import dataclass, field

import pygit2
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from reconciler.approval.ssh_signatures import public_key_of, sign
from reconciler.desired.model import DesiredState
from reconciler.desired.repository import GitRepository
from reconciler.kernel.status import Reason
from reconciler.operations import admitting
from reconciler.operations.audit import audit_as_json_lines
from reconciler.operations.desired import state_in_force
from reconciler.operations.plan import plan_revision
from reconciler.operations.status import site_status
from reconciler.operations.trace import trace
from reconciler.site import Site
from reconciler.testing.workspace import AUTHOR
from tests.operations.conftest import FILES, Installation

ANN, BEN, EVE = (ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in (1, 2, 3))
PROD = "environments/prod/environment.yaml"
POLICY = "promotesFrom: dev\napprovals: {required: 2, from: [managers]}\n"


def key_line(key: ed25519.Ed25519PrivateKey) -> str:
    return public_key_of(key).line


SETTINGS = f"""version: 1
groups:
  managers: [ann@example.com, ben@example.com]
  on-call: [ben@example.com]
people:
  ann: {{knownAs: [ann@example.com], keys: ["{key_line(ANN)}"]}}
  ben: {{knownAs: [ben@example.com], keys: ["{key_line(BEN)}"]}}
emergency: {{group: on-call}}
"""


def prod(version: str, policy: str = POLICY) -> str:
    return f"{policy}packages:\n  app: {version}\n"


@dataclass
class Story:
    """A repository in which prod needs two approvals."""

    installation: Installation
    git: pygit2.Repository
    first: str
    tags: list[str] = field(default_factory=list)

    def propose(self, files: dict[str, str], author: pygit2.Signature = AUTHOR) -> str:
        """Commit on top of the branch, and put the working tree back; return the commit."""
        workspace = self.installation.workspace
        back = workspace.head
        workspace.write(files)
        head = workspace.commit("A change", author)
        workspace.reset(back)
        return head

    def approve(self, head: str, key: ed25519.Ed25519PrivateKey) -> None:
        """Tag a commit as approved, signed."""
        name = f"approved/{len(self.tags)}"
        self.tags.append(name)
        text = f"object {head}\ntype commit\ntag {name}\ntagger Ann <ann@example.com> 1700000000 +0000\n\nfine\n"
        made = self.git.write(pygit2.enums.ObjectType.TAG, (text + sign(text.encode(), key)).encode())
        self.git.references.create(f"refs/tags/{name}", made)
        self.git.remotes["origin"].push([f"refs/tags/{name}"])

    def merge(self, head: str, key: ed25519.Ed25519PrivateKey | None = None, message: str = "Merge") -> str:
        """Merge a commit into the branch, signed where a key is given; push and follow."""
        base = self.git.head.peel(pygit2.Commit)
        other = self.git[head].peel(pygit2.Commit)
        shared = self.git[self.git.merge_base(base.id, other.id)].peel(pygit2.Commit)
        tree = self.git.merge_trees(shared.tree, base.tree, other.tree).write_tree(self.git)
        return self.add(tree, [str(base.id), head], key, message)

    def add(
        self, tree: pygit2.Oid, parents: list[str], key: ed25519.Ed25519PrivateKey | None, message: str
    ) -> str:
        """Put a commit onto the branch; push and follow."""
        text = self.git.create_commit_string(
            AUTHOR, AUTHOR, message, tree, [pygit2.Oid(hex=parent) for parent in parents]
        )
        if key is not None:
            made = self.git.create_commit_with_signature(text, sign(text.encode(), key), "gpgsig")
        else:
            made = self.git.write(pygit2.enums.ObjectType.COMMIT, text.encode())
        self.installation.workspace.reset(str(made))
        self.push()
        return str(made)

    def push(self, *, force: bool = False) -> None:
        self.installation.workspace.push(force=force)
        self.installation.follow()

    def direct(self, files: dict[str, str], message: str = "straight to the branch") -> str:
        """Push a commit with no change and no approval."""
        return self.installation.publish(files, message)

    def version(self, environment: str = "prod") -> object:
        return state_in_force(self.installation.site).versions_of(environment)["app"]

    def waiting(self) -> tuple[Reason, tuple[str, ...]] | None:
        found = site_status(self.installation.site).waiting
        return (found[0].status, found[0].reasons) if found else None


@pytest.fixture
def story(installation: Installation) -> Story:
    first = installation.publish({**FILES, "environments/reconciler.yaml": SETTINGS, PROD: prod("1.0.0")})
    return Story(installation, pygit2.Repository(str(installation.workspace.folder)), first)


def test_what_was_there_from_the_first_counts(story: Story) -> None:
    assert (story.version(), story.waiting()) == ("1.0.0", None)


def test_a_change_with_its_approvals_counts_and_is_told_with_all_who_had_a_part(story: Story) -> None:
    story.installation.enrol("PROD-01", "prod")
    head = story.propose({PROD: prod("2.0.0")})
    story.approve(head, BEN)
    merged = story.merge(head, ANN)
    assert (story.version(), story.waiting()) == ("2.0.0", None)
    found = trace(story.installation.site, "PROD-01", "app")
    assert found.asked_by is not None
    assert found.asked_by.commit.id == merged
    assert found.approved is not None
    assert sorted(found.approved.decision.judgement.approvers) == ["ann", "ben"]
    assert found.approved.change is not None
    assert found.approved.change.requester == "riley@example.com"


def test_one_approval_is_not_two(story: Story) -> None:
    story.merge(story.propose({PROD: prod("2.0.0")}), ANN)
    assert story.version() == "1.0.0"
    assert story.waiting() == (
        Reason.UNAPPROVED,
        ("package app: 2 approvals from managers required, 1 given (by ann)",),
    )


def test_an_approval_that_comes_later_is_seen(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.operations.judging.ASK_AGAIN_SECONDS", 0.0)
    head = story.propose({PROD: prod("2.0.0")})
    story.merge(head, ANN)
    assert story.version() == "1.0.0"
    story.approve(head, BEN)
    story.installation.follow()
    assert story.version() == "2.0.0"


def test_environments_that_it_does_not_concern_go_on(story: Story) -> None:
    story.direct({PROD: prod("2.0.0")})
    story.direct({"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"})
    assert (story.version("dev"), story.version()) == ("2.0.0", "1.0.0")
    assert story.waiting() is not None


def test_a_revert_sets_it_free(story: Story) -> None:
    commit = story.direct({PROD: prod("2.0.0")})
    story.installation.workspace.revert(commit)
    story.installation.follow()
    assert (story.version(), story.waiting()) == ("1.0.0", None)


def test_a_stranger_s_signature_is_nobody_s(story: Story) -> None:
    head = story.propose({PROD: prod("2.0.0")})
    story.approve(head, EVE)
    story.merge(head, ANN)
    assert story.version() == "1.0.0"


def test_nobody_makes_themselves_a_manager(story: Story) -> None:
    mine = SETTINGS.replace(key_line(ANN), key_line(EVE))
    story.direct({"environments/reconciler.yaml": mine})
    head = story.propose({PROD: prod("2.0.0")})
    story.approve(head, BEN)
    story.merge(head, EVE)
    assert story.version() == "1.0.0"


def test_what_a_merge_holds_besides_was_not_approved(story: Story) -> None:
    head = story.propose({"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"})
    story.approve(head, BEN)
    smuggled = story.propose({PROD: prod("2.0.0")})
    tree = story.git[smuggled].peel(pygit2.Commit).tree_id
    story.add(tree, [story.first, head], ANN, "Merge")
    assert story.version() == "1.0.0"


def test_a_force_push_is_held_until_it_is_taken_back(story: Story) -> None:
    story.merge(story.propose({"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"}))
    kept = story.installation.workspace.head
    story.installation.workspace.reset(story.first)
    story.installation.workspace.write({PROD: prod("2.0.0")})
    story.installation.workspace.commit("other")
    story.push(force=True)
    assert story.version() == "1.0.0"
    waiting = story.waiting()
    assert waiting is not None
    assert waiting[0] is Reason.REWRITTEN
    story.installation.workspace.reset(kept)
    story.push(force=True)
    assert story.waiting() is None


def test_history_without_what_was_approved_is_held(story: Story) -> None:
    story.installation.workspace.write({PROD: prod("2.0.0")})
    tree = story.git[story.propose({PROD: prod("2.0.0")})].peel(pygit2.Commit).tree_id
    alone = story.git.create_commit(None, AUTHOR, AUTHOR, "a new beginning", tree, [])
    story.installation.workspace.reset(str(alone))
    story.push(force=True)
    assert story.version() == "1.0.0"
    waiting = story.waiting()
    assert waiting is not None
    assert waiting[0] is Reason.REWRITTEN


def test_an_emergency_passes_and_is_told_wherever_it_is_shown(story: Story) -> None:
    story.installation.enrol("PROD-01", "prod")
    tree = story.git[story.propose({PROD: prod("2.0.0")})].peel(pygit2.Commit).tree_id
    story.add(tree, [story.first], BEN, "Stop the bleeding\n\nEmergency: the site is down\n")
    assert (story.version(), story.waiting()) == ("2.0.0", None)
    found = trace(story.installation.site, "PROD-01", "app").approved
    assert found is not None
    assert (found.decision.judgement.emergency, found.decision.judgement.approvers) == (
        "the site is down",
        ("ben",),
    )
    assert any(
        line.count("the site is down") and '"kind":"decided"' in line.replace(": ", ":") for line in audit(story)
    )


@pytest.mark.parametrize("key", [ANN, EVE, None])
def test_an_emergency_that_nobody_on_call_signed_is_none(story: Story, key: ed25519.Ed25519PrivateKey) -> None:
    tree = story.git[story.propose({PROD: prod("2.0.0")})].peel(pygit2.Commit).tree_id
    story.add(tree, [story.first], key, "Mine\n\nEmergency: because\n")
    assert story.version() == "1.0.0"


def audit(story: Story) -> list[str]:
    return list(audit_as_json_lines(story.installation.site))


def test_nothing_is_let_through_by_dying_in_between(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new head is on record, and what it may change is not: the next look must not take it as given."""

    def dies(*_: object) -> None:
        raise OSError("the power is gone")

    with monkeypatch.context() as patched:
        patched.setattr("reconciler.operations.follow.Admitter.look", dies)
        with pytest.raises(OSError, match="power"):
            story.direct({PROD: prod("2.0.0")})
    assert story.version() == "1.0.0"
    story.installation.follow()
    assert story.version() == "1.0.0"
    assert story.waiting() is not None


def test_what_brings_in_too_much_to_be_judged_is_not_let_through_and_stops_nothing_else(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.approval.git_evidence.MOST_COMMITS", 0)
    head = story.propose({PROD: prod("2.0.0"), "environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"})
    story.approve(head, BEN)
    story.merge(head, ANN)
    assert (story.version("dev"), story.version()) == ("2.0.0", "1.0.0")
    waiting = story.waiting()
    assert waiting is not None
    assert "brings in more than 0 commits" in waiting[1][0]


def test_an_approved_commit_that_a_newer_version_does_not_take_is_never_passed_over(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.direct({PROD: prod("2.0.0")})
    real = admitting.load_state

    def stricter(site: Site, mirror: GitRepository, commit: str) -> DesiredState | None:
        return None if commit == story.first else real(site, mirror, commit)

    monkeypatch.setattr(admitting, "load_state", stricter)
    with pytest.raises(admitting.NoLongerValid, match=story.first[:10]):
        story.version()
    with pytest.raises(admitting.NoLongerValid):
        story.installation.follow()


def test_a_plan_says_whose_approval_it_takes(story: Story) -> None:
    head = story.propose({PROD: prod("2.0.0")})
    story.git.remotes["origin"].push([f"{head}:refs/heads/up"])
    (need,) = plan_revision(story.installation.site, "up", None).needs
    assert need.text == "prod: 2 approvals from managers (ann@example.com, ben@example.com)"
