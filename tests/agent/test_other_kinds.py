"""Programs, settings and patches on the simulated machine: every way to a goal, and through crashes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from reconciler.kernel.assignment import Goal
from reconciler.kernel.attempts import Outcome
from reconciler.kernel.calls import CallKind
from reconciler.kernel.configuration import PlacedFile, RegistryType, RegistryValue
from reconciler.kernel.observation import InstalledPatch
from reconciler.kernel.probes import ABSENT, Answer, Probe, ProbeKind
from reconciler.kernel.releases import ConfigurationRelease, PackageKind, PatchRelease, ProgramRelease
from reconciler.kernel.status import Reason
from reconciler.kernel.steps import StepKind
from reconciler.testing.inline_agent import Died, InlineAgent
from reconciler.testing.sample_packages import Catalog, guid, installed
from reconciler.testing.simulated_files import (
    SimulatedPatch,
    SimulatedProgram,
    write_simulated_exe,
    write_simulated_msp,
)
from reconciler.testing.simulated_state import SimulatedCommand

DETECT = Probe(ProbeKind.FILE_VERSION, r"C:\Tool\tool.exe")
REMOVE = r'"C:\Tool\uninstall.exe" /S'
PATCH_CODE = guid(0x9999)


@pytest.fixture
def agent(tmp_path):
    return InlineAgent(tmp_path)


def program(agent, version, exit_code=0, effect=True):
    answers = (Answer(DETECT.key, version),) if effect else ()
    content = write_simulated_exe(SimulatedProgram(answers, exit_code))
    artifact = agent.artifact(f"tool-{version}.exe", content)
    return ProgramRelease(version, artifact, DETECT, arguments="/S", uninstall=REMOVE)


def want_program(agent, target, *others):
    agent.windows.add_command(SimulatedCommand(REMOVE, answers=(Answer(DETECT.key, ABSENT),)))
    agent.want(Goal("tool", "", target, others, kind=PackageKind.EXE))


def version(agent):
    return agent.machine.look((DETECT,)).answers[0].text


def test_a_program_goes_through_every_kind_of_step(agent):
    old, new = program(agent, "1.0"), program(agent, "2.0")
    ways = [
        (old, (new,), StepKind.INSTALL, "1.0", 1),
        (new, (old,), StepKind.UPGRADE, "2.0", 1),
        (old, (new,), StepKind.ROLL_BACK, "1.0", 2),
        (None, (old, new), StepKind.REMOVE, ABSENT, 1),
    ]
    for target, others, kind, there, runs in ways:
        want_program(agent, target, *others)
        attempt = agent.turn_fully()
        assert (attempt.kind, attempt.outcome, len(attempt.actions)) == (kind, Outcome.SUCCEEDED, runs)
        assert version(agent) == there
        assert agent.turn() is None


def test_a_program_that_cannot_be_rolled_back_is_put_back(agent):
    old, new = program(agent, "1.0", exit_code=5, effect=False), program(agent, "2.0")
    agent.windows.set_answer(DETECT, "2.0")
    want_program(agent, old, new)
    assert agent.turn_fully().outcome is Outcome.FAILED_ROLLED_BACK
    assert version(agent) == "2.0"


def test_a_programs_success_is_no_proof(agent):
    want_program(agent, program(agent, "1.0", effect=False))
    attempt = agent.turn_fully()
    assert attempt.outcome is Outcome.NOT_CONFIRMED
    assert "is absent" in attempt.message


@pytest.mark.parametrize("dies_at", [0, 1])
def test_a_rollback_of_a_program_survives_the_agents_death(agent, dies_at):
    old, new = program(agent, "1.0"), program(agent, "2.0")
    agent.windows.set_answer(DETECT, "2.0")
    want_program(agent, old, new)
    _die_after_run(agent, dies_at)
    _turn_until_done(agent)
    assert version(agent) == "1.0"


VALUE = RegistryValue(r"HKLM\SOFTWARE\Sample", "Level", RegistryType.DWORD, "1")
EXTRA = RegistryValue(r"HKLM\SOFTWARE\Sample", "Extra", RegistryType.SZ, "yes")
FILE = PlacedFile(r"C:\Sample\a.ini", hashlib.sha256(b"x=1").hexdigest(), "x=1")
FIRST = ConfigurationRelease("1.0", (VALUE, FILE))
SECOND = ConfigurationRelease("2.0", (replace(VALUE, data="2"), EXTRA))


def want_settings(agent, target, *others):
    agent.want(Goal("settings", "", target, others, kind=PackageKind.CONFIGURATION))


def answers(agent):
    return [answer.text for answer in agent.machine.look((VALUE.probe, EXTRA.probe, FILE.probe)).answers]


IS_FIRST = ["REG_DWORD:1", ABSENT, FILE.sha256]
IS_SECOND = ["REG_DWORD:2", "REG_SZ:yes", ABSENT]


def test_settings_are_set_mended_and_taken_back(agent):
    for target, other, wanted in [
        (FIRST, SECOND, IS_FIRST),
        (SECOND, FIRST, IS_SECOND),
        (FIRST, SECOND, IS_FIRST),
    ]:
        want_settings(agent, target, other)
        attempt = agent.turn_fully()
        assert (attempt.kind, attempt.outcome) == (StepKind.CONFIGURE, Outcome.SUCCEEDED)
        assert answers(agent) == wanted
        assert agent.turn() is None
    agent.windows.set_answer(VALUE.probe, "REG_DWORD:7")
    assert agent.turn_fully().outcome is Outcome.SUCCEEDED
    assert [setting.identity for setting in agent.machine.calls[-1].settings] == [VALUE.identity]
    assert answers(agent) == IS_FIRST
    want_settings(agent, None, FIRST, SECOND)
    assert agent.turn_fully().kind is StepKind.REMOVE
    assert answers(agent) == [ABSENT] * 3


def test_what_somebody_changed_since_is_not_deleted(agent):
    want_settings(agent, FIRST, SECOND)
    agent.turn()
    agent.windows.set_answer(FILE.probe, "0" * 64)
    want_settings(agent, SECOND, FIRST)
    agent.turn()
    assert answers(agent) == ["REG_DWORD:2", "REG_SZ:yes", "0" * 64]


def test_settings_survive_the_agents_death(agent):
    want_settings(agent, FIRST, SECOND)
    _die_after_run(agent, 0)
    _turn_until_done(agent)
    assert answers(agent) == IS_FIRST


@pytest.fixture
def patched(agent):
    """A product with its MSI known, and a patch for it."""
    catalog = Catalog(agent.files.content)
    product = catalog.release("1.0.0", 1)
    agent.windows.put(installed(product))
    agent.product_goal = catalog.goal(product)
    agent.product = product

    def want(present, removable=True, with_product=True):
        content = write_simulated_msp(SimulatedPatch(PATCH_CODE, (product.product_code,), removable))
        artifact = agent.artifact("fix.msp", content)
        release = PatchRelease("1.0.1", PATCH_CODE, artifact, (product.product_code,), removable)
        target, others = (release, ()) if present else (None, (release,))
        goal = Goal("fix", "", target, others, kind=PackageKind.MSP)
        agent.want(*((agent.product_goal,) if with_product else ()), goal)

    agent.want_patch = want
    return agent


def test_a_patch_is_applied_and_taken_off(patched):
    patched.want_patch(present=True)
    attempt = patched.turn_fully()
    assert (attempt.kind, attempt.outcome) == (StepKind.PATCH, Outcome.SUCCEEDED)
    assert patched.windows.state().patches == (InstalledPatch(PATCH_CODE, patched.product.product_code),)
    assert patched.turn() is None
    patched.want_patch(present=False)
    assert patched.turn_fully().outcome is Outcome.SUCCEEDED
    assert patched.machine.calls[-1].kind is CallKind.UNPATCH
    assert patched.windows.state().patches == ()
    assert patched.turn() is None


def test_a_patch_that_cannot_be_taken_off_costs_its_product_an_install(patched):
    patched.want_patch(present=True, removable=False)
    patched.turn()
    patched.want_patch(present=False, removable=False)
    assert patched.turn_fully().outcome is Outcome.SUCCEEDED
    assert [call.kind for call in patched.machine.calls[1:]] == [CallKind.REMOVE, CallKind.INSTALL]
    assert patched.windows.state().patches == ()
    assert patched.windows.state().products == (installed(patched.product),)


def test_a_patch_of_a_product_that_nobody_knows_needs_a_person(patched):
    patched.want_patch(present=True, removable=False, with_product=False)
    patched.turn()
    patched.want_patch(present=False, removable=False, with_product=False)
    assert patched.turn() is None
    assert patched.standing().reason is Reason.PATCH_NOT_REMOVABLE


def _die_after_run(agent, number):
    """Let the agent die after its run of this number, and begin anew."""
    agent.machine.calls.clear()

    def die(_call):
        if len(agent.machine.calls) == number + 1:
            raise Died

    agent.machine.after_run = die
    with pytest.raises(Died):
        agent.turn()
    agent.machine.after_run = lambda _call: None
    agent.restart()


def _turn_until_done(agent):
    for _ in range(6):
        if agent.turn() is None:
            return
    raise AssertionError("the agent did not come to rest")
