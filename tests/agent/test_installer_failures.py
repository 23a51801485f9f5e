"""What follows from each exit code of Windows Installer: the outcome, what is run next, what is charged.

The codes are injected at the boundary of the simulated machine, as Wine produces few of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from reconciler.kernel.attempts import Cause, Outcome
from reconciler.kernel.calls import CallKind
from reconciler.kernel.retries import BACKOFFS
from reconciler.testing.inline_agent import InlineAgent
from reconciler.testing.sample_packages import Catalog, installed
from reconciler.testing.simulated_state import Fault


@dataclass(frozen=True)
class Row:
    """``runs`` are the exit codes of all runs where only the first one fails, ``charged`` where all do."""

    outcome: Outcome
    runs: tuple[int, ...]
    charged: bool
    cause: Cause | None
    fetched_again: bool = False


def waits(code: int) -> Row:
    return Row(Outcome.WAITED, (code,), False, Cause.WAITED)


def plans_again(code: int) -> Row:
    return Row(Outcome.PLAN_WRONG, (code,), False, Cause.PLAN_WRONG)


def fetches_again(code: int) -> Row:
    return Row(Outcome.SUCCEEDED, (code, 0), True, Cause.FAILED, fetched_again=True)


def caches_source_again(code: int) -> Row:
    return Row(Outcome.SUCCEEDED, (code, 0, 0), True, Cause.FAILED)


def fails(code: int, cause: Cause = Cause.FAILED) -> Row:
    return Row(Outcome.FAILED, (code,), True, cause)


CODES = {
    0: Row(Outcome.SUCCEEDED, (0,), False, None),
    3010: Row(Outcome.SUCCEEDED_REBOOT_NEEDED, (3010,), False, None),
    1641: Row(Outcome.SUCCEEDED_REBOOT_NEEDED, (1641,), False, None),
    **{code: waits(code) for code in (1604, 1618, 1601, 1631, 1652, 112, 1632)},
    **{code: fetches_again(code) for code in (1619, 1620, 1635, 1636)},
    **{code: caches_source_again(code) for code in (1612, 1706, 1714)},
    **{code: plans_again(code) for code in (1638, 1605, 1642, 1647, 1648)},
    **{code: fails(code, Cause.PERMANENT) for code in (1613, 1623, 1625, 1633, 1637, 1640, 1643, 1649, 1654)},
    **{code: fails(code, Cause.OUR_FAULT) for code in (87, 1622, 1624, 1639)},
    **{code: fails(code) for code in (1602, 1603, 1627, -1073741819)},
}


@pytest.fixture
def agent(tmp_path):
    agent = InlineAgent(tmp_path)
    catalog = Catalog(agent.files.content)
    older, newer = catalog.release("1.0.0", 1), catalog.release("2.0.0", 2)
    agent.windows.put(installed(older))
    agent.want(catalog.goal(newer))
    agent.newer = newer
    return agent


@pytest.mark.parametrize("code", CODES)
def test_an_exit_code_that_comes_once(agent, code):
    row = CODES[code]
    agent.windows.add_fault(Fault(agent.newer.product_code, exit_code=code, times=1))
    attempt = agent.turn_fully()
    assert attempt.outcome is row.outcome
    assert tuple(action.exit_code for action in attempt.actions) == row.runs
    assert bool(agent.files.asked_again) == row.fetched_again
    reached = installed(agent.newer) in agent.windows.state().products
    assert reached == (row.runs[-1] in (0, 3010, 1641))
    assert bool(agent.reboots_asked) == (code in (3010, 1641, 1604))


@pytest.mark.parametrize("code", CODES)
def test_an_exit_code_that_stays(agent, code):
    row = CODES[code]
    agent.windows.add_fault(Fault(agent.newer.product_code, exit_code=code))
    agent.turn()
    tallies = agent.journal.tallies
    if row.cause is None:
        assert tallies == ()
        return
    (tally,) = tallies
    assert tally.failures == (1 if row.charged else 0)
    assert tally.waits == (0 if row.charged else 1)
    assert tally.cause is row.cause
    assert (BACKOFFS[row.cause].most is not None) == row.charged
    assert installed(agent.newer) not in agent.windows.state().products


def test_a_lost_source_is_mended_with_what_is_installed(agent):
    older = next(iter(agent.windows.state().products))
    agent.windows.add_fault(Fault(agent.newer.product_code, exit_code=1612, times=1))
    agent.turn_fully()
    again = agent.machine.calls[1]
    assert again.kind is CallKind.INSTALL
    assert "REINSTALL=ALL REINSTALLMODE=vomus" in again.properties
    assert again.subject.endswith("sample-1.0.0.msi")
    assert older not in agent.windows.state().products


def test_an_exit_0_after_which_the_boot_rolls_back_is_tried_again(agent):
    """With a reboot pending, an upgrade has been seen to return 3010 and to be undone at the boot."""
    before = agent.windows.state().products
    agent.windows.add_fault(Fault(agent.newer.product_code, exit_code=3010, times=1))
    assert agent.turn_fully().outcome is Outcome.SUCCEEDED_REBOOT_NEEDED
    assert agent.turn() is None
    agent.windows.change(lambda state: replace(state, products=before))
    agent.windows.reboot()
    assert agent.turn_fully().outcome is Outcome.SUCCEEDED
    assert installed(agent.newer) in agent.windows.state().products


def test_a_file_that_cannot_be_fetched_anew_midway_puts_back_what_was_taken(tmp_path):
    agent = InlineAgent(tmp_path)
    catalog = Catalog(agent.files.content)
    older, newer = catalog.release("1.0.0", 1), catalog.release("2.0.0", 2)
    agent.windows.put(installed(newer))
    agent.windows.add_fault(Fault(older.product_code, exit_code=1620))
    agent.files.refuse_again = True
    agent.want(catalog.goal(older))
    attempt = agent.turn_fully()
    assert attempt.outcome is Outcome.FAILED_ROLLED_BACK
    assert "the server is away" in attempt.message
    assert agent.windows.state().products == (installed(newer),)
