"""An agent replaces itself, and one that cannot reach its server is replaced by the one before it."""

from __future__ import annotations

from reconciler import __version__
from reconciler.kernel.attempts import Outcome
from reconciler.kernel.steps import StepKind, Verb
from reconciler.testing.waiting import eventually

CANNOT_START = 'raise SystemExit("this release cannot start")'
CANNOT_CONNECT = """
from reconciler.agent import contact
def exchange(self, findings, busy):
    _log.info("no server today")
    self.due_at += 3600
contact.Contact.exchange = exchange
"""


def versions(server):
    return {p.version for p in server.reports[-1].observation.products if p.name == "Reconciler Agent"}


def test_an_agent_upgrades_itself_and_the_new_one_reports_the_attempt(product):
    first, second = product.build(), product.build("9.0.0")
    assert product.install(first) == 0
    product.want(second, first)
    (attempt,) = product.attempts(1)
    assert (attempt.kind, attempt.outcome, attempt.message) == (StepKind.MAJOR_UPGRADE, Outcome.SUCCEEDED, "")
    assert (attempt.from_version, attempt.to_version) == (__version__, "9.0.0")
    product.await_report(lambda s: versions(s) == {"9.0.0"})
    assert product.server.reports[-1].observation.agent_version == "9.0.0"
    assert len(product.server.enrolments) == 1
    assert product.service_state() == "RUNNING"


def test_an_agent_goes_back_to_an_older_release_in_one_run(product):
    first, second = product.build("8.0.0"), product.build("9.0.0")
    assert product.install(second) == 0
    product.want(first, second)
    (attempt,) = product.attempts(1)
    assert (attempt.kind, attempt.outcome) == (StepKind.ROLL_BACK, Outcome.SUCCEEDED)
    assert [action.verb for action in attempt.actions] == [Verb.INSTALL]
    product.await_report(lambda s: versions(s) == {"8.0.0"})


def test_a_release_that_cannot_start_is_taken_back(product):
    _assert_taken_back(product, CANNOT_START)


def test_a_release_that_cannot_reach_the_server_is_taken_back(product):
    _assert_taken_back(product, CANNOT_CONNECT)


def test_a_release_that_cannot_reach_the_server_is_taken_back_although_windows_was_restarted_meanwhile(product):
    first, second = product.build(), product.build("9.0.0", CANNOT_CONNECT)
    assert product.install(first) == 0
    product.want(second, first)
    eventually(lambda: "no server today" in product.read(r"logs\agent.log"))
    product.host.shutdown()
    product.host.boot()
    _assert_was_taken_back(product)


def _assert_taken_back(product, broken):
    first, second = product.build(), product.build("9.0.0", broken)
    assert product.install(first) == 0
    product.want(second, first)
    _assert_was_taken_back(product)


def _assert_was_taken_back(product):
    (attempt,) = product.attempts(1)
    assert attempt.outcome is Outcome.FAILED_ROLLED_BACK
    assert attempt.message.endswith(f"{__version__} was put back")
    product.await_report(lambda s: versions(s) == {__version__} and s.reports[-1].observation.tallies)
    observation = product.server.reports[-1].observation
    assert (observation.agent_version, observation.tallies[0].failures) == (__version__, 1)
    assert product.service_state() == "RUNNING"


def test_an_agent_does_not_remove_itself(product):
    first = product.build()
    assert product.install(first) == 0
    product.want(None, first)
    (attempt,) = product.attempts(1)
    assert attempt.outcome is Outcome.FAILED
    assert "does not remove itself" in attempt.message
    assert product.service_state() == "RUNNING"
