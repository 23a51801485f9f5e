"""The agent brings a machine to its assignment, whatever it is, and tells the server what came of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from reconciler.agent.clock import ServerClock
from reconciler.agent.contact import Contact, Findings
from reconciler.agent.journal import Journal
from reconciler.agent.settings import SETTINGS_NAME, Settings
from reconciler.agent.state import AgentState
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.attempts import Attempt, Outcome
from reconciler.kernel.kinds.msi import needed_step
from reconciler.kernel.observation import Observation
from reconciler.kernel.protocol import assignment_digest, hash_key, report_digest
from reconciler.kernel.steps import StepKind, Verb
from reconciler.testing.sample_packages import STRANGER, guid, installed
from reconciler.testing.simulated_state import Fault


def ended(count):
    return lambda server: len(server.attempts()) >= count


def test_it_enrols_once_and_forgets_the_token(server, data, start):
    start()
    server.wait_for(lambda s: s.reports)
    assert [e.host for e in server.enrolments] == ["HOST7"]
    assert "token" not in json.loads((data / SETTINGS_NAME).read_text())
    key = (data / "key").read_text()
    assert hash_key(key) == server.enrolments[0].key_sha256


def test_a_lost_answer_to_the_enrolment_is_asked_for_again_with_the_same_key(server, start):
    server.lose_answers = 1
    start()
    server.wait_for(lambda s: s.reports)
    assert len(server.enrolments) == 2
    assert len({e.key_sha256 for e in server.enrolments}) == 1


def test_an_enrolled_host_does_not_enrol_again_after_a_restart(server, start):
    start().stop()
    start()
    server.wait_for(lambda s: s.check_ins)
    assert len(server.enrolments) <= 1


@pytest.mark.parametrize(
    "case",
    [
        (None, "1.0.0", StepKind.INSTALL, [Verb.INSTALL]),
        ("1.0.0", "1.0.1", StepKind.MINOR_UPDATE, [Verb.REINSTALL]),
        ("1.0.1", "2.0.0", StepKind.MAJOR_UPGRADE, [Verb.INSTALL]),
        ("2.0.0", "2.0.0.9", StepKind.REPLACE, [Verb.REMOVE, Verb.INSTALL]),
        ("2.0.0", "1.0.0", StepKind.ROLL_BACK, [Verb.REMOVE, Verb.INSTALL]),
        ("2.0.0", None, StepKind.REMOVE, [Verb.REMOVE]),
    ],
    ids=lambda case: case[2].value,
)
def test_each_kind_of_step_ends_verified(server, machine, catalog, start, case):
    before, after, kind, verbs = case
    releases = {
        "1.0.0": catalog.release("1.0.0", 1),
        "1.0.1": catalog.release("1.0.1", 1),
        "2.0.0": catalog.release("2.0.0", 2),
        "2.0.0.9": catalog.release("2.0.0.9", 3),
    }
    machine.windows.put(STRANGER, *([installed(releases[before])] if before else []))
    server.assign(catalog.assignment(releases[after] if after else None))
    start()
    server.wait_for(ended(1))
    (attempt,) = server.attempts()
    assert (attempt.kind, attempt.outcome, attempt.message) == (kind, Outcome.SUCCEEDED, "")
    assert [action.verb for action in attempt.actions] == verbs
    assert (attempt.from_version, attempt.to_version, attempt.revision) == (before, after, "r1")
    wanted = {installed(releases[after])} if after else set()
    assert set(machine.windows.state().products) == {STRANGER} | wanted
    assert set(server.reports[-1].observation.products) == {STRANGER} | wanted


def test_the_command_on_record_is_what_an_operator_would_type(server, catalog, start):
    release = catalog.release("1.0.0", 1)
    server.assign(catalog.assignment(replace(release, properties=(("SITE", "north wing"),))))
    start()
    server.wait_for(ended(1))
    command = server.attempts()[0].actions[0].command
    assert command.startswith("msiexec.exe /i ")
    assert f'{release.artifact.sha256}/sample-1.0.0.msi" /qn' in command
    assert command.endswith('SITE="north wing"')


def test_transforms_are_fetched_checked_and_applied_in_order(server, data, catalog, start):
    release = catalog.release("1.0.0", 1)
    contents = {"site.mst": b"first transform", "branding.mst": b"second transform"}
    transforms = tuple(
        Artifact(hashlib.sha256(content).hexdigest(), len(content), name) for name, content in contents.items()
    )
    server.artifacts |= {t.sha256: contents[t.file_name] for t in transforms}
    server.assign(catalog.assignment(replace(release, transforms=transforms)))
    start()
    server.wait_for(ended(1))
    (action,) = server.attempts()[0].actions
    paths = [str(data / "artifacts" / t.sha256 / t.file_name) for t in transforms]
    assert f'TRANSFORMS="{";".join(paths)}" TRANSFORMSSECURE=1' in action.command
    assert (data / "artifacts" / transforms[1].sha256 / "branding.mst").read_bytes() == b"second transform"


def test_a_transform_that_is_not_what_the_catalog_names_stops_the_install(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    transform = Artifact(hashlib.sha256(b"what was reviewed").hexdigest(), 17, "site.mst")
    server.artifacts[transform.sha256] = b"something else!!!"
    server.assign(catalog.assignment(replace(release, transforms=(transform,))))
    start()
    server.wait_for(ended(1))
    assert server.attempts()[0].outcome is Outcome.ARTIFACT_REFUSED
    assert machine.windows.state().products == ()


def test_a_product_removed_by_hand_comes_back(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    server.assign(catalog.assignment(release))
    start()
    server.wait_for(ended(1))
    machine.windows.remove(release.product_code)
    server.wait_for(ended(2))
    assert machine.windows.state().products == (installed(release),)


def test_nothing_is_reported_twice_while_nothing_changes(server, catalog, start):
    server.assign(catalog.assignment(catalog.release("1.0.0", 1)))
    start()
    server.wait_for(ended(1))
    server.wait_for(lambda s: s.check_ins[-1].report == _digest_of_last_report(s))
    reports, check_ins = len(server.reports), len(server.check_ins)
    server.wait_for(lambda s: len(s.check_ins) > check_ins + 5)
    assert len(server.reports) == reports
    assert server.connections <= 4  # enrolment, talk, files: kept alive, not one for each check-in


def _digest_of_last_report(server):
    last = server.reports[-1]
    return report_digest(last.observation, last.assignment)


def test_a_report_whose_answer_got_lost_is_sent_again_as_the_same_attempt(server, machine, catalog, start):
    agent = start()
    server.wait_for(lambda s: s.reports)
    agent.stop()
    release = catalog.release("1.0.0", 1)
    server.assign(catalog.assignment(release))
    server.lose_answers = 0
    start(poll=0.1)
    server.wait_for(lambda s: s.check_ins[-1].assignment == assignment_digest(s.assignment))
    with server.changed:
        server.lose_answers = 2
    server.wait_for(lambda s: sum(any(a.ended_at for a in r.attempts) for r in s.reports) >= 1)
    server.wait_for(lambda s: s.lose_answers == 0 and s.check_ins[-1].report == _digest_of_last_report(s))
    assert len(server.attempts()) == 1
    assert machine.windows.state().products == (installed(release),)


def test_an_attempt_that_ended_after_the_last_look_is_told_with_the_next(server, tmp_path, catalog):
    """Else the server would be told of a success together with a look that shows none."""
    (tmp_path / SETTINGS_NAME).write_text("{}")
    journal = Journal(tmp_path / "journal.jsonl")
    settings = Settings(server.url, "HOST7", "token")
    contact = Contact(settings, tmp_path, AgentState(tmp_path), journal, ServerClock())
    before = Findings(Observation(), journal.unconfirmed)
    goal = catalog.goal(catalog.release("1.0.0", 1))
    attempt = Attempt("ab" * 16, "sample", StepKind.INSTALL, goal.fingerprint, "r1", 1.0)
    journal.start(attempt, needed_step(goal, ()))
    journal.end(replace(attempt, ended_at=2.0, outcome=Outcome.SUCCEEDED))
    contact.exchange(before, None)
    assert server.attempts() == []
    after = Findings(Observation(system="after"), journal.unconfirmed)
    contact.exchange(after, None)
    reports = len(server.reports)
    contact.exchange(after, "sample")
    assert len(server.reports) == reports, "what is confirmed is not told again"
    assert [a.id for a in server.attempts()] == [attempt.id]
    assert journal.unconfirmed == ()
    contact.close()


def test_an_attempt_is_told_until_the_server_has_taken_it(server, catalog, start):
    agent = start()
    server.wait_for(lambda s: s.reports)
    agent.stop()
    server.fail_reports = 3
    server.assign(catalog.assignment(catalog.release("1.0.0", 1)))
    start()
    server.wait_for(ended(1))
    assert server.fail_reports == 0
    assert server.attempts()[0].outcome is Outcome.SUCCEEDED


def test_the_package_is_told_as_busy_while_its_step_runs(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    machine.windows.add_fault(Fault(release.product_code, seconds=0.6))
    server.assign(catalog.assignment(release))
    start()
    server.wait_for(lambda s: any(c.busy == "sample" for c in s.check_ins))
    server.wait_for(ended(1))
    server.wait_for(lambda s: s.check_ins[-1].busy is None)


def test_a_newer_assignment_that_comes_during_a_step_is_next(server, machine, catalog, start):
    old, new = catalog.release("1.0.0", 1), catalog.release("2.0.0", 2)
    machine.windows.add_fault(Fault(old.product_code, seconds=0.6))
    server.assign(catalog.assignment(old, "r1"))
    start()
    server.wait_for(lambda s: any(c.busy for c in s.check_ins))
    server.assign(catalog.assignment(new, "r2"))
    server.wait_for(ended(2))
    assert [(a.to_version, a.revision) for a in server.attempts()] == [("1.0.0", "r1"), ("2.0.0", "r2")]
    assert machine.windows.state().products == (installed(new),)


def test_several_packages_go_one_after_the_other(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    missing = replace(
        catalog.goal(None, "other"), upgrade_code=STRANGER.upgrade_code, target=None, others=(), fingerprint="x"
    )
    machine.windows.put(STRANGER)
    both = catalog.assignment(release)
    server.assign(replace(both, goals=(*both.goals, missing)))
    start()
    server.wait_for(ended(2))
    first, second = server.attempts()
    assert (first.package, second.package) == ("sample", "other")
    assert first.ended_at <= second.started_at
    assert machine.windows.state().products == (installed(release),)


def test_an_assignment_for_another_host_is_not_taken(server, machine, catalog, start):
    server.assign(replace(catalog.assignment(catalog.release("1.0.0", 1)), host="HOST8"))
    start()
    server.wait_for(lambda s: len(s.check_ins) >= 3)
    assert machine.windows.state().products == ()
    assert guid(1) not in str(server.reports[-1])
