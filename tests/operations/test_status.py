"""What status says is in force, while a revision has only just come."""

from __future__ import annotations

import pytest

from reconciler.approval.admission import Admission
from reconciler.operations.admitting import Admitter
from reconciler.operations.status import site_status
from tests.operations.conftest import FILES, Installation


def test_a_revision_is_told_once_it_is_known_how_far_environments_follow_it(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_force() -> str:
        found = site_status(installation.site).in_force
        assert found is not None
        return found.commit

    first = installation.publish(FILES)
    looks, told = Admitter.look, []

    def look(self: Admitter, newest: str) -> tuple[Admission, ...]:
        told.append(in_force())
        return looks(self, newest)

    monkeypatch.setattr(Admitter, "look", look)
    second = installation.publish({"README.md": "more"})
    assert told == [first]
    assert in_force() == second
