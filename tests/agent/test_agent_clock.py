"""A host whose clock is hours off counts in the server's time, and a clock that is set is no reboot."""

from __future__ import annotations

import email.utils
import time
from dataclasses import replace

import pytest

from reconciler.agent import clock as clock_module
from reconciler.agent import state as state_module
from reconciler.agent.clock import ServerClock
from reconciler.agent.state import AgentState
from reconciler.kernel.assignment import Hold

HOURS = 3 * 3600.0


@pytest.fixture
def skewed(monkeypatch):
    """Set this machine's clock: call it with the seconds by which it is to be off."""
    real = time.time

    def skew(seconds):
        monkeypatch.setattr(time, "time", lambda: real() + seconds)
        return real

    return skew


def date(seconds):
    return email.utils.formatdate(seconds, usegmt=True)


@pytest.mark.parametrize("off", [-HOURS, HOURS])
def test_the_servers_time_is_taken_from_its_answers(skewed, off):
    real = skewed(off)
    clock = ServerClock()
    assert abs(clock.now() - real()) > HOURS - 5
    clock.heard(date(real()))
    assert abs(clock.now() - real()) < 2


def test_a_clock_that_is_set_meanwhile_moves_nothing(skewed):
    clock = ServerClock()
    real = skewed(HOURS)
    assert abs(clock.now() - real()) < 2


@pytest.mark.parametrize("nonsense", [None, "", "yesterday", "Thu, 99 Nov 2026 00:00:00 GMT"])
def test_nonsense_for_a_time_is_passed_over(nonsense):
    clock = ServerClock()
    clock.heard(nonsense)
    assert abs(clock.now() - time.time()) < 1


def test_a_small_difference_is_not_heard(monkeypatch):
    kept = []
    clock = ServerClock(keep=kept.append)
    clock.heard(date(time.time() + clock_module.TOLERANCE - 2))
    assert abs(clock.now() - time.time()) < 1
    assert kept == []


def test_what_was_heard_outlives_a_restart(skewed, tmp_path):
    real = skewed(-HOURS)
    state = AgentState(tmp_path)
    ServerClock(keep=state.keep_clock_offset).heard(date(real()))
    after = ServerClock(AgentState(tmp_path).remembered.clock_offset)
    assert abs(after.now() - real()) < 3


@pytest.mark.parametrize("off", [-HOURS, HOURS])
def test_a_hosts_attempts_and_holds_are_in_the_servers_time(skewed, start, server, catalog, off):
    """The simulated machine shares this process's clock, so the server's is the one that goes right here."""
    real = skewed(off)
    server.date = lambda: date(real())
    start()
    server.wait_for(lambda s: s.check_ins)
    release = catalog.release("1.0.0", 1)
    held = catalog.assignment(release)
    server.assign(replace(held, hold=Hold("soon over", real() + 3)))
    (attempt,) = server.wait_for(lambda s: s.attempts())
    assert abs(attempt.started_at - real()) < 60
    assert attempt.started_at >= real() - 60
    assert attempt.ended_at >= attempt.started_at


def test_a_clock_that_is_set_is_no_reboot(tmp_path, monkeypatch):
    state = AgentState(tmp_path)
    state.settle_boot_time(1_000_000)
    state.keep_reboot_asked("sample", "sample returned 3010")
    real = time.time
    monkeypatch.setattr(state_module.time, "time", lambda: real() + HOURS)
    assert state.settle_boot_time(1_000_000 + int(HOURS)) == 1_000_000
    assert state.remembered.reboot_asked == "sample returned 3010"
    again = AgentState(tmp_path)
    assert again.settle_boot_time(1_000_000 + int(HOURS)) == 1_000_000
    assert again.remembered.reboot_asked == "sample returned 3010"
    again.settle_boot_time(1_000_000 + 2 * int(HOURS))
    assert again.remembered.reboot_asked == ""
