"""In signature mode, whose key signed a commit counts: for who wrote it, and for who is trusted at all."""

from __future__ import annotations

import pygit2

from reconciler.approval.ssh_signatures import sign
from tests.operations.conftest import installation
from tests.operations.test_approvals import ANN, BEN, EVE, PROD, SETTINGS, Story, key_line, prod, story

__all__ = ["installation", "story"]

DORA = pygit2.Signature("Dora", "dora@example.com", 1_700_000_000, 0)
SIGNED = "promotesFrom: dev\napprovals: {signed: true}\n"


def signed(story: Story, head: str, key: object) -> str:
    """Return a commit as somebody else's key signs it; its author field stays as it was typed."""
    found = story.git[head].peel(pygit2.Commit)
    text = story.git.create_commit_string(
        DORA, DORA, found.message, found.tree_id, [parent.id for parent in found.parents]
    )
    return str(story.git.create_commit_with_signature(text, sign(text.encode(), key), "gpgsig"))  # type: ignore[arg-type]


def test_nobody_approves_a_commit_that_they_signed_under_another_name(story: Story) -> None:
    head = signed(story, story.propose({PROD: prod("2.0.0")}, DORA), ANN)
    story.approve(head, BEN)
    story.merge(head, ANN)
    assert story.version() == "1.0.0"
    waiting = story.waiting()
    assert waiting is not None
    assert any("ann approved it, and wrote a part of it" in reason for reason in waiting[1])


def test_the_list_of_keys_is_protected_where_only_signatures_are_asked_for(story: Story) -> None:
    policy = story.propose({PROD: prod("1.0.0", SIGNED)})
    story.approve(policy, BEN)
    story.merge(policy, ANN)
    assert story.waiting() is None
    people = SETTINGS.replace("people:\n", f'people:\n  eve: {{knownAs: ["@eve"], keys: ["{key_line(EVE)}"]}}\n')
    story.direct({"environments/reconciler.yaml": people})
    story.merge(signed(story, story.propose({PROD: prod("2.0.0", SIGNED)}), EVE))
    assert story.version() == "1.0.0"
    waiting = story.waiting()
    assert waiting is not None
    assert any("person eve" in reason for reason in waiting[1])
