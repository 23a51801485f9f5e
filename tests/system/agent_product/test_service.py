"""The service manager stops and starts the agent, also in the midst of an install, which then goes on."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.attempts import Outcome
from reconciler.kernel.protocol import goal_fingerprint
from reconciler.kernel.releases import MsiRelease
from reconciler.testing.waiting import eventually
from tests.system.agent_product.conftest import SERVICE


def test_the_service_is_stopped_and_started_by_the_service_manager(product):
    assert product.install(product.build()) == 0
    product.await_report(lambda s: True)
    assert product.host.run(["net", "stop", SERVICE]).exit_code == 0
    assert product.service_state() == "STOPPED"
    assert product.read(r"logs\agent.log").rstrip().endswith("the agent has stopped")
    count = len(product.server.check_ins)
    assert product.host.run(["net", "start", SERVICE]).exit_code == 0
    product.server.wait_for(lambda s: len(s.check_ins) > count)
    assert product.service_state() == "RUNNING"
    assert len(product.server.enrolments) == 1


def test_it_starts_with_windows(product):
    assert product.install(product.build()) == 0
    product.await_report(lambda s: True)
    product.host.reboot()
    count = len(product.server.check_ins)
    product.server.wait_for(lambda s: len(s.check_ins) > count)


def test_a_stop_leaves_the_installer_running_and_the_next_start_takes_up_its_result(product, misbehaving_releases):
    slow = misbehaving_releases.slow
    assign(product, slow)
    assert product.install(product.build()) == 0
    started = product.host.unix_path(misbehaving_releases.started)
    eventually(started.exists)
    assert product.host.run(["net", "stop", SERVICE]).exit_code == 0
    assert product.service_state() == "STOPPED"
    product.host.unix_path(misbehaving_releases.proceed).touch()
    assert product.host.run(["net", "start", SERVICE]).exit_code == 0
    (attempt,) = product.attempts(1)
    assert (attempt.outcome, len(attempt.actions)) == (Outcome.SUCCEEDED, 1)


def assign(product, package):
    content = package.path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    product.server.artifacts[sha256] = content
    source = package.source
    release = MsiRelease(
        source.version,
        source.product_code,
        source.package_code,
        Artifact(sha256, len(content), source.file_name),
    )
    goal = Goal(source.package, source.upgrade_code, release)
    goal = replace(goal, fingerprint=goal_fingerprint(goal))
    product.server.assign(Assignment("PRODUCT-01", "dev", "r1", (goal,)))
