"""Waiting for a release: until every host that should have it does, one fails, or time is up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from reconciler.kernel.attempts import Outcome, Tally
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.protocol import goal_fingerprint
from reconciler.kernel.status import Reason
from reconciler.operations.arrival import Arrival, ArrivalState, await_arrival
from reconciler.operations.desired import state_in_force
from reconciler.operations.fleet import known_hosts
from reconciler.operations.publish import Published
from tests.operations.conftest import APP, FILES, Installation, catalog, package_code, product_code

APP_2 = InstalledProduct(product_code(2), "2.0.0", "App 2.0.0", package_code(2), APP)
PUSHED = {"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"}


class Waiting:
    """A wait for app 2.0.0 in dev, on a clock of its own; what happens meanwhile is up to the test."""

    def __init__(self, installation: Installation, commit: str) -> None:
        self.installation = installation
        self.happenings: list[Callable[[], None]] = []
        self.now = installation.site.clock()
        site = replace(installation.site, clock=lambda: self.now)
        release = state_in_force(site).packages["app"].release("2.0.0")
        assert release is not None
        self._published = Published("app", "dev", release, "main", commit, (), ())
        self._site = site

    def run(self, timeout: float = 60) -> list[Arrival]:
        return list(await_arrival(self._site, self._published, timeout, self._pause))

    def _pause(self, seconds: float) -> None:
        self.now += seconds
        if self.happenings:
            self.happenings.pop(0)()


@pytest.fixture
def waiting(installation: Installation) -> Waiting:
    installation.enrol("DEV-01")
    installation.enrol("DEV-02")
    commit = installation.workspace.publish(PUSHED, "app 2.0.0")
    return Waiting(installation, commit)


def states(arrivals: list[Arrival]) -> list[tuple[ArrivalState, int, int]]:
    return [(arrival.state, arrival.arrived, arrival.hosts) for arrival in arrivals]


def test_each_step_of_the_way_is_told_once(waiting: Waiting) -> None:
    there = waiting.installation
    waiting.happenings = [
        lambda: None,
        there.follow,
        lambda: there.report("DEV-02", APP_2),
        lambda: None,
        lambda: there.report("DEV-01", APP_2),
    ]
    assert states(waiting.run()) == [
        (ArrivalState.NOT_IN_FORCE, 0, 0),
        (ArrivalState.ON_ITS_WAY, 0, 2),
        (ArrivalState.ON_ITS_WAY, 1, 2),
        (ArrivalState.SYNCED, 2, 2),
    ]


def test_a_host_that_failed_ends_it_and_is_named_with_its_reason(waiting: Waiting) -> None:
    there = waiting.installation
    there.follow()
    site = there.site
    goal = next(h for h in known_hosts(site, state_in_force(site)) if h.name == "DEV-02").assignment.goals[0]
    fingerprint = goal.fingerprint or goal_fingerprint(goal)
    failed = Tally("app", fingerprint, 1, waiting.now, Outcome.FAILED, "exit code 1603")
    site.hosts.record_report("DEV-02", Observation(tallies=(failed,)), "digest", "", waiting.now)
    last = waiting.run()[-1]
    assert last.state is ArrivalState.FAILED
    (host,) = last.missing
    assert (host.host, host.reason, host.message) == ("DEV-02", Reason.RETRY_BACKOFF, "exit code 1603")


def test_when_time_is_up_those_that_lack_it_are_named(waiting: Waiting) -> None:
    waiting.installation.follow()
    waiting.installation.report("DEV-01", APP_2)
    last = waiting.run(timeout=5)[-1]
    assert last.state is ArrivalState.TIMED_OUT
    assert [(host.host, host.reason) for host in last.missing] == [("DEV-02", Reason.NEVER_REPORTED)]


def test_a_commit_that_no_daemon_takes_in_times_out(waiting: Waiting) -> None:
    last = waiting.run(timeout=5)[-1]
    assert last.state is ArrivalState.TIMED_OUT
    assert "not in force" in last.message


def test_a_newer_commit_that_asks_for_the_same_counts(waiting: Waiting) -> None:
    waiting.installation.publish({"environments/prod/environment.yaml": "promotesFrom: dev\n"})
    waiting.installation.report("DEV-01", APP_2)
    waiting.installation.report("DEV-02", APP_2)
    assert states(waiting.run()) == [(ArrivalState.SYNCED, 2, 2)]


def test_a_newer_commit_that_asks_for_another_version_supersedes(waiting: Waiting) -> None:
    waiting.installation.publish({"environments/dev/environment.yaml": FILES["environments/dev/environment.yaml"]})
    assert waiting.run()[-1].state is ArrivalState.SUPERSEDED


def test_a_host_with_a_version_of_its_own_is_not_waited_for(waiting: Waiting) -> None:
    waiting.installation.publish({"environments/dev/hosts/DEV-01.yaml": "packages: {app: 1.0.0}\n"})
    waiting.installation.report("DEV-02", APP_2)
    assert states(waiting.run()) == [(ArrivalState.SYNCED, 1, 1)]


def test_trouble_with_another_package_is_not_its_trouble(waiting: Waiting) -> None:
    tool = catalog("{00000000-0000-0000-0000-00000000001F}", v5_0_0=5)
    waiting.installation.publish(
        {
            "environments/catalog/tool.yaml": tool,
            "environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n  tool: 5.0.0\n",
        }
    )
    waiting.installation.report("DEV-01", APP_2)
    waiting.installation.report("DEV-02", APP_2)
    assert waiting.run()[-1].state is ArrivalState.SYNCED


def test_an_environment_without_hosts_is_done_at_once(installation: Installation) -> None:
    commit = installation.publish({"environments/dev/hosts/DEV-01.yaml": "packages: {app: 1.0.0}\n", **PUSHED})
    assert states(Waiting(installation, commit).run()) == [(ArrivalState.SYNCED, 0, 0)]
