"""The wire form: nothing is lost, nothing untrusted gets through, a newer peer is understood."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.attempts import Attempt
from reconciler.kernel.observation import Observation
from reconciler.kernel.protocol import CheckInAnswer, Report, assignment_digest, goal_fingerprint
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.wire import WireError, decode, digest, encode

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))


@given(st.from_type(Report))
def test_a_report_survives_the_way(report: Report) -> None:
    assert decode(Report, json.loads(json.dumps(encode(report)))) == report


@given(st.from_type(CheckInAnswer))
def test_an_answer_survives_the_way_and_keeps_its_digest(answer: CheckInAnswer) -> None:
    again = decode(CheckInAnswer, json.loads(json.dumps(encode(answer))))
    assert again == answer
    assert digest(again) == digest(answer)


def test_what_a_newer_peer_adds_is_passed_over() -> None:
    assert decode(Observation, {"booted_at": 5, "temperature": 21}) == Observation(booted_at=5)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
FIELDS = ["observation", "attempts", "products", "id", "outcome", "package", "kind", "started_at", "tallies"]


@given(st.dictionaries(st.sampled_from(FIELDS), json_values) | json_values)
def test_anything_else_is_refused_with_an_error_of_ours(data: Any) -> None:
    for kind in (Report, Attempt, Assignment):
        with contextlib.suppress(WireError):
            decode(kind, data)


@pytest.mark.parametrize(
    "data",
    [
        {"observation": {"booted_at": True}},
        {"observation": {"booted_at": "5"}},
        {"observation": {"products": [{"product_code": "x", "version": "1", "name": "y", "context": "moon"}]}},
        {"observation": {"products": {}}},
    ],
)
def test_types_are_not_guessed(data: Any) -> None:
    with pytest.raises(WireError):
        decode(Report, data)


def test_revision_and_host_play_no_part_in_an_assignments_digest() -> None:
    assert assignment_digest(Assignment("A", "dev", "c1")) == assignment_digest(Assignment("B", "dev", "c2"))
    assert assignment_digest(Assignment("A", "dev", "c1")) != assignment_digest(Assignment("A", "uat", "c1"))


PLAIN = MsiRelease(
    "1.0.0", "product", "package", Artifact("0" * 64, 1, "a.msi"), transforms=(Artifact("1" * 64, 1, "t"),)
)
PINNED = replace(PLAIN, artifact=replace(PLAIN.artifact, signer="CN=Contoso Ltd"))


def test_a_signer_reaches_the_host() -> None:
    assert encode(PINNED)["artifact"]["signer"] == "CN=Contoso Ltd"
    assert decode(MsiRelease, encode(PINNED)) == PINNED


def test_peers_that_know_no_signers_go_on_working() -> None:
    """Where none is pinned, messages and digests are as they were before; a pin is passed over by such peers."""

    @dataclass(frozen=True)
    class ArtifactBefore:
        sha256: str
        size: int
        file_name: str

    assert encode(PLAIN.artifact) == {"sha256": "0" * 64, "size": 1, "file_name": "a.msi"}
    assert decode(Artifact, encode(ArtifactBefore("0" * 64, 1, "a.msi"))) == PLAIN.artifact
    assert decode(ArtifactBefore, encode(PINNED.artifact)) == ArtifactBefore("0" * 64, 1, "a.msi")


def test_another_signer_makes_another_goal_and_another_assignment() -> None:
    goals = [Goal("app", "family", release) for release in (PLAIN, PINNED)]
    assert goal_fingerprint(goals[0]) != goal_fingerprint(goals[1])
    digests = {assignment_digest(Assignment("HOST7", "dev", "r1", (goal,))) for goal in goals}
    assert len(digests) == 2
