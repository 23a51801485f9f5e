"""Exit codes and command lines."""

from __future__ import annotations

import pytest

from reconciler.kernel.exit_codes import ExitClass, classify, normalise_exit_code
from reconciler.kernel.installer_command import InvalidProperty, check_property, command_line, property_string
from reconciler.kernel.releases import Artifact, Release
from reconciler.kernel.steps import Action, Verb

CODE = "{12345678-9ABC-DEF0-1234-56789ABCDEF0}"


def action(verb: Verb, **properties: str) -> Action:
    release = Release("1.0.0", CODE, CODE, Artifact("0" * 64, 1, "a.msi"), tuple(properties.items()))
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
    assert classify(verb, code) is expected


def test_exit_codes_are_told_signed() -> None:
    assert normalise_exit_code(0xC0000005) == -1073741819
    assert normalise_exit_code(1603) == 1603


def test_install_command() -> None:
    line = command_line(
        action(Verb.INSTALL, SITE="Helsinki 1", NOTE='say "hi"', EMPTY=""), "C:\\a.msi", "C:\\l.log"
    )
    assert line == (
        'msiexec.exe /i "C:\\a.msi" /qn /norestart /L*V "C:\\l.log" ALLUSERS=1 REBOOT=ReallySuppress '
        'SITE="Helsinki 1" NOTE="say ""hi""" EMPTY=""'
    )


def test_transforms_are_given_by_their_full_paths_and_only_at_a_first_install() -> None:
    paths = ("C:\\a b\\one.mst", "C:\\two.mst")
    assert 'TRANSFORMS="C:\\a b\\one.mst;C:\\two.mst" TRANSFORMSSECURE=1' in property_string(
        action(Verb.INSTALL), paths
    )
    assert "TRANSFORMS" not in property_string(action(Verb.REINSTALL), paths)
    assert "TRANSFORMS" not in property_string(action(Verb.REMOVE), paths)


def test_minor_update_reinstalls_all_from_the_new_file() -> None:
    assert "REINSTALL=ALL REINSTALLMODE=vomus" in property_string(action(Verb.REINSTALL))


def test_removal_goes_by_product_code_and_takes_no_free_properties() -> None:
    line = command_line(action(Verb.REMOVE, SITE="x"), "C:\\a.msi", "C:\\l.log")
    assert line.startswith(f"msiexec.exe /x {CODE} ")
    assert "SITE" not in line
    assert property_string(action(Verb.REMOVE)) == "REMOVE=ALL REBOOT=ReallySuppress"


@pytest.mark.parametrize(
    ("name", "value"),
    [("REINSTALL", "ALL"), ("TRANSFORMS", "a.mst"), ("lower", "x"), ("A B", "x"), ("", "x"), ("SITE", "a\nb")],
)
def test_properties_that_are_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidProperty):
        check_property(name, value)
