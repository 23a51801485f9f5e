"""The real agent, as a Windows process, brings a lab host to its assignment with a real Windows Installer."""

from __future__ import annotations

from reconciler.kernel.attempts import Outcome
from reconciler.kernel.steps import StepKind, Verb
from reconciler.lab.agent import AGENT_DATA
from reconciler.testing.waiting import eventually


def test_a_package_goes_through_every_kind_of_step(agent_host, example_packages):
    older, base, minor, major = (
        example_packages.get("contoso-agent", v) for v in ("2.0.0", "2.1.0", "2.1.1", "3.0.0")
    )
    everything = (older, base, minor, major)
    way = [
        (base, StepKind.INSTALL, [Verb.INSTALL]),
        (minor, StepKind.MINOR_UPDATE, [Verb.REINSTALL]),
        (major, StepKind.MAJOR_UPGRADE, [Verb.INSTALL]),
        (older, StepKind.ROLL_BACK, [Verb.REMOVE, Verb.INSTALL]),
        (None, StepKind.REMOVE, [Verb.REMOVE]),
    ]
    agent_host.start_agent()
    for number, (target, kind, verbs) in enumerate(way, 1):
        agent_host.want(target, *(p for p in everything if p is not target), revision=f"r{number}")
        attempt = agent_host.attempts(number)[-1]
        assert (attempt.kind, attempt.outcome, attempt.message) == (kind, Outcome.SUCCEEDED, "")
        assert [action.verb for action in attempt.actions] == verbs
        wanted = {target.source.product_code: target.source.version} if target else {}
        assert agent_host.versions() == wanted
        agent = agent_host.host.unix_path(r"C:\Program Files\Contoso\Agent\agent.cmd")
        assert agent.exists() == bool(target)
    key = agent_host.host.read(AGENT_DATA + r"\key")
    assert len(key) >= 40


def test_equal_in_three_fields_is_replaced(agent_host, example_packages):
    first, second = (example_packages.get("contoso-viewer", version) for version in ("1.4.0.1", "1.4.0.2"))
    agent_host.want(first, second)
    agent_host.start_agent()
    agent_host.attempts(1)
    agent_host.want(second, first, revision="r2")
    attempt = agent_host.attempts(2)[-1]
    assert (attempt.kind, attempt.outcome) == (StepKind.REPLACE, Outcome.SUCCEEDED)
    assert agent_host.versions() == {second.source.product_code: "1.4.0.2"}


def test_a_product_removed_by_hand_comes_back(agent_host, example_packages):
    package = example_packages.get("northwind-sync", "5.1.0")
    agent_host.want(package)
    agent_host.start_agent()
    agent_host.attempts(1)
    finished = agent_host.host.run(f"msiexec /x {package.source.product_code} /qn")
    assert finished.exit_code == 0
    assert [a.kind for a in agent_host.attempts(2)] == [StepKind.INSTALL] * 2
    assert agent_host.versions() == {package.source.product_code: "5.1.0"}


def test_a_failing_package_is_told_with_its_message_and_log(agent_host, example_packages, misbehaving_releases):
    good, failing = example_packages.get("contoso-viewer", "1.3.0"), misbehaving_releases.failing
    agent_host.want(good, failing)
    agent_host.start_agent()
    agent_host.attempts(1)
    agent_host.want(failing, good, revision="r2")
    attempt = agent_host.attempts(2)[-1]
    assert attempt.outcome is Outcome.FAILED
    assert attempt.actions[0].exit_code == 1603
    assert "needs a newer version of Windows." in attempt.message
    agent_host.server.wait_for(lambda s: attempt.id in s.logs)
    assert "LaunchConditions" in agent_host.server.logs[attempt.id]
    agent_host.want(good, failing, revision="r3")
    agent_host.server.wait_for(lambda s: s.reports[-1].observation.tallies == ())
    assert agent_host.versions() == {good.source.product_code: "1.3.0"}


def test_an_installer_that_asks_for_a_reboot_is_believed(agent_host, misbehaving_releases):
    agent_host.want(misbehaving_releases.rebooting)
    agent_host.start_agent()
    (attempt,) = agent_host.attempts(1)
    assert (attempt.outcome, attempt.actions[0].exit_code) == (Outcome.SUCCEEDED_REBOOT_NEEDED, 3010)
    assert "contoso-viewer 9.8.0 returned 3010" in agent_host.server.reports[-1].observation.reboot_pending


def test_a_wrong_file_is_refused_and_nothing_runs(agent_host, example_packages):
    package = example_packages.get("northwind-sync", "5.0.0")
    agent_host.want(package)
    (sha256,) = agent_host.server.artifacts
    agent_host.server.artifacts[sha256] = example_packages.get("northwind-sync", "5.1.0").path.read_bytes()
    agent_host.start_agent()
    (attempt,) = agent_host.attempts(1)
    assert (attempt.outcome, attempt.actions) == (Outcome.ARTIFACT_REFUSED, ())
    assert agent_host.versions() == {}


def test_a_killed_agent_runs_nothing_twice(agent_host, misbehaving_releases):
    """The agent dies in the midst of an install, is started anew, and finds its installer still at work."""
    host, slow = agent_host.host, misbehaving_releases.slow
    agent_host.want(slow)
    agent_host.start_agent()
    eventually(host.unix_path(misbehaving_releases.started).exists)
    host.kill_agent()
    host.start_agent()
    agent_host.server.wait_for(lambda s: s.check_ins and s.check_ins[-1].busy == "northwind-sync")
    host.unix_path(misbehaving_releases.proceed).touch()
    (attempt,) = agent_host.attempts(1)
    assert attempt.outcome is Outcome.SUCCEEDED
    assert [(action.verb, action.exit_code) for action in attempt.actions] == [(Verb.INSTALL, 0)]
    assert agent_host.versions() == {slow.source.product_code: "5.9.0"}


def test_a_power_cut_during_an_install_is_an_interrupted_attempt(agent_host, misbehaving_releases):
    host = agent_host.host
    agent_host.want(misbehaving_releases.slow)
    agent_host.start_agent()
    eventually(host.unix_path(misbehaving_releases.started).exists)
    host.kill_agent()
    host.power_cut()
    host.boot()
    host.start_agent()
    (attempt,) = agent_host.attempts(1)
    assert attempt.outcome is Outcome.INTERRUPTED
    agent_host.server.wait_for(lambda s: s.reports[-1].observation.tallies)
    (tally,) = agent_host.server.reports[-1].observation.tallies
    assert tally.failures == 1
