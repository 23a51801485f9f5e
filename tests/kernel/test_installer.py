"""Exit codes and command lines."""

from __future__ import annotations

import pytest

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.calls import InvalidProperty, call_of, check_property, command_line
from reconciler.kernel.exit_codes import ExitClass, classify, normalise_exit_code
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.steps import Action, Verb

CODE = "{12345678-9ABC-DEF0-1234-56789ABCDEF0}"


PATHS = {"0" * 64: "C:\\a.msi", "1" * 64: "C:\\a b\\one.mst", "2" * 64: "C:\\two.mst"}
TRANSFORMS = (Artifact("1" * 64, 1, "one.mst"), Artifact("2" * 64, 1, "two.mst"))


def action(verb: Verb, transforms: tuple[Artifact, ...] = (), **properties: str) -> Action:
    artifact = Artifact("0" * 64, 1, "a.msi")
    release = MsiRelease("1.0.0", CODE, CODE, artifact, tuple(properties.items()), transforms)
    return Action(verb, CODE, "1.0.0", release)


@pytest.mark.parametrize(
    ("verb", "code", "expected"),
    [
        (Verb.INSTALL, 0, ExitClass.SUCCESS),
        (Verb.INSTALL, 3010, ExitClass.SUCCESS_REBOOT_NEEDED),
        (Verb.INSTALL, 1641, ExitClass.SUCCESS_REBOOT_NEEDED),
        (Verb.INSTALL, 1618, ExitClass.WAIT),
        (Verb.INSTALL, 1619, ExitClass.FETCH_AGAIN),
        (Verb.INSTALL, 1612, ExitClass.SOURCE_REPAIR),
        (Verb.INSTALL, 1638, ExitClass.PLAN_AGAIN),
        (Verb.INSTALL, 1605, ExitClass.PLAN_AGAIN),
        (Verb.REMOVE, 1605, ExitClass.SUCCESS),
        (Verb.REMOVE, 1614, ExitClass.SUCCESS),
        (Verb.INSTALL, 1625, ExitClass.PERMANENT),
        (Verb.INSTALL, 1639, ExitClass.OUR_FAULT),
        (Verb.INSTALL, 1603, ExitClass.FAILED),
        (Verb.INSTALL, -1073741819, ExitClass.FAILED),
    ],
)
def test_exit_codes(verb: Verb, code: int, expected: ExitClass) -> None:
    assert classify(action(verb), code) is expected


def test_exit_codes_are_told_signed() -> None:
    assert normalise_exit_code(0xC0000005) == -1073741819
    assert normalise_exit_code(1603) == 1603


def test_install_command() -> None:
    call = call_of(action(Verb.INSTALL, SITE="Helsinki 1", NOTE='say "hi"', EMPTY=""), PATHS)
    assert command_line(call, "C:\\l.log") == (
        'msiexec.exe /i "C:\\a.msi" /qn /norestart /L*V "C:\\l.log" ALLUSERS=1 REBOOT=ReallySuppress '
        'SITE="Helsinki 1" NOTE="say ""hi""" EMPTY=""'
    )


def test_secrets_are_given_to_the_installer_and_left_out_of_the_command_on_record() -> None:
    call = call_of(action(Verb.INSTALL, DB_PASSWORD='open "sesame"', SITE="x"), PATHS)
    assert 'DB_PASSWORD="open ""sesame"""' in call.properties
    told = command_line(call)
    assert "sesame" not in told
    assert told.endswith("DB_PASSWORD=******** SITE=x")


def test_transforms_are_given_by_their_full_paths_and_only_at_a_first_install() -> None:
    given = 'TRANSFORMS="C:\\a b\\one.mst;C:\\two.mst" TRANSFORMSSECURE=1'
    assert given in call_of(action(Verb.INSTALL, TRANSFORMS), PATHS).properties
    assert "TRANSFORMS" not in call_of(action(Verb.REINSTALL, TRANSFORMS), PATHS).properties
    assert "TRANSFORMS" not in call_of(action(Verb.REMOVE, TRANSFORMS), PATHS).properties


def test_minor_update_reinstalls_all_from_the_new_file() -> None:
    assert "REINSTALL=ALL REINSTALLMODE=vomus" in call_of(action(Verb.REINSTALL), PATHS).properties


def test_removal_goes_by_product_code_and_takes_no_free_properties() -> None:
    call = call_of(action(Verb.REMOVE, SITE="x"), {})
    assert command_line(call, "C:\\l.log").startswith(f"msiexec.exe /x {CODE} ")
    assert (call.subject, call.properties) == (CODE, "REMOVE=ALL REBOOT=ReallySuppress")


@pytest.mark.parametrize(
    ("name", "value"),
    [("REINSTALL", "ALL"), ("TRANSFORMS", "a.mst"), ("lower", "x"), ("A B", "x"), ("", "x"), ("SITE", "a\nb")],
)
def test_properties_that_are_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidProperty):
        check_property(name, value)
