"""The journal tells after any crash where the host stands, and never keeps an agent from starting."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.agent.journal import Journal
from reconciler.kernel.attempts import ActionResult, Attempt, Outcome
from reconciler.kernel.steps import Action, Step, StepKind, Verb

ACTION = Action(Verb.REMOVE, "{P}", "1.0.0")
STEP = Step(StepKind.REMOVE, "sample", "1.0.0", None, (ACTION,), removes=("{P}",))


def attempt(name="a", goal="g1"):
    return Attempt(name, "sample", StepKind.REMOVE, goal, "r1", 1.0, from_version="1.0.0")


def end(journal, name, outcome, at=2.0, goal="g1"):
    journal.start(attempt(name, goal), STEP)
    journal.end(replace(attempt(name, goal), ended_at=at, outcome=outcome, message="why"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def test_an_attempt_is_on_disk_before_anything_of_it_can_run(path):
    Journal(path).start(attempt(), STEP)
    assert Journal(path).open_attempt.step == STEP


def test_an_open_attempt_keeps_its_run_and_results_over_restarts(path):
    journal = Journal(path)
    going = journal.start(attempt(), STEP)
    journal.run("a-0", ACTION)
    journal.ran(ActionResult(Verb.REMOVE, "command", 0))
    assert going.results == [ActionResult(Verb.REMOVE, "command", 0)]
    journal.run("a-1", ACTION)
    for _ in range(2):
        found = Journal(path).open_attempt
        assert (found.attempt, found.run, found.run_action) == (attempt(), "a-1", ACTION)
        assert found.results == going.results


def test_a_torn_last_line_is_dropped(path):
    end(Journal(path), "a", Outcome.FAILED)
    whole = path.read_bytes()
    Journal(path).start(attempt("b"), STEP)
    for cut in range(len(whole) + 1, len(path.read_bytes())):
        torn = path.with_name(f"torn-{cut}")
        torn.write_bytes(path.read_bytes()[:cut])
        journal = Journal(torn)
        assert journal.open_attempt is None
        assert [a.id for a in journal.unconfirmed] == ["a"]
        journal.start(attempt("c"), STEP)
        assert Journal(torn).open_attempt.attempt.id == "c"


@pytest.mark.parametrize(
    "damage", [b"\x00" * 40, b'{"kind":"ended"}', b"[]", b"7", b'{"kind":"ended","attempt":1}']
)
def test_a_damaged_journal_is_set_aside_and_what_can_be_read_is_kept(path, caplog, damage):
    end(Journal(path), "a", Outcome.FAILED)
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + damage + b"\n" + b"".join(rest))
    journal = Journal(path)
    assert [a.id for a in journal.unconfirmed] == ["a"]
    assert path.with_name("journal.jsonl.damaged").exists()
    assert "was damaged" in caplog.text
    caplog.clear()
    Journal(path)
    assert "damaged" not in caplog.text


def test_tallies_are_derived_and_outlive_confirmation_and_compaction(path):
    journal = Journal(path)
    end(journal, "a", Outcome.FAILED, 2.0)
    end(journal, "b", Outcome.WAITED, 3.0)
    journal.confirm(("a", "b"))
    for _ in range(3):
        journal = Journal(path)
        (tally,) = journal.tallies
        assert (tally.failures, tally.waits, tally.last_ended_at) == (1, 1, 3.0)
    assert journal.unconfirmed == ()


def test_success_and_another_goal_end_a_tally(path):
    journal = Journal(path)
    end(journal, "a", Outcome.FAILED)
    end(journal, "b", Outcome.FAILED, goal="g2")
    assert [(t.goal, t.failures) for t in journal.tallies] == [("g2", 1)]
    end(journal, "c", Outcome.SUCCEEDED, goal="g2")
    assert Journal(path).tallies == ()


def test_only_what_the_server_has_confirmed_is_dropped(path):
    journal = Journal(path)
    end(journal, "a", Outcome.SUCCEEDED)
    end(journal, "b", Outcome.SUCCEEDED)
    journal.start(attempt("c"), STEP)
    journal.confirm(("a",))
    assert [a.id for a in Journal(path).unconfirmed] == ["b"]
    assert Journal(path).open_attempt.attempt.id == "c"


def test_the_journal_does_not_grow_without_bound(path):
    journal = Journal(path)
    for number in range(2000):
        end(journal, f"a{number}", Outcome.SUCCEEDED)
        journal.confirm((f"a{number}",))
    assert path.stat().st_size < 300_000
