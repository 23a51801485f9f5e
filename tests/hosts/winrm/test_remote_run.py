"""What is made of a host's answers about a run that goes on there by itself."""

from __future__ import annotations

import pytest

from reconciler.agent.machine import RunResult
from reconciler.hosts.winrm.commands import Commands
from reconciler.hosts.winrm.connection import Connection
from reconciler.hosts.winrm.remote_run import RemoteRun
from tests.hosts.winrm.conftest import Service, done

ALIVE, DEAD, ENDED = done(b"===alive \r\n"), done(b"===claimed \r\n"), done(b"===ended\r\n1603\r\nwords\r\n")


@pytest.fixture
def run(connection: Connection) -> RemoteRun:
    return RemoteRun(Commands("PROD-07", connection), "a-1", r"C:\runs\a-1")


def test_a_run_that_ends_between_the_two_questions_is_asked_for_its_result(
    service: Service, run: RemoteRun
) -> None:
    service.play("Receive", DEAD, ALIVE, DEAD, ENDED)
    assert run.wait(30)
    assert run.result() == RunResult(1603, "words")


def test_a_run_that_is_dead_twice_on_end_left_no_result(service: Service, run: RemoteRun) -> None:
    service.play("Receive", ALIVE, DEAD, DEAD)
    assert run.wait(30)
    assert run.result() is None
