"""What a host's answer says: one case a file in answers/, the text that `reg` and the rest wrote and its meaning.

``wine.txt`` was recorded on a lab host; the others are written in the shape of Windows' own output.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reconciler.agent.machine import Look
from reconciler.hosts.winrm.connection import LONGEST_COMMAND
from reconciler.hosts.winrm.inventory import (
    MACHINE,
    Scope,
    inventory_command,
    read_inventory,
)
from reconciler.hosts.winrm.reg_query import InventoryIncomplete
from reconciler.kernel.wire import decode

ANSWERS = Path(__file__).with_name("answers")
SECTIONS = (
    *("accounts", "value", "codes", "families", "reboots", "updates", "renames", "room", "system", "boot", "end"),
)


def answer_of(case: str) -> str:
    return (ANSWERS / f"{case}.txt").read_text("utf-8").replace("\n", "\r\n")


@pytest.mark.parametrize("case", sorted(path.stem for path in ANSWERS.glob("*.txt")))
def test_an_answer_is_understood(case: str) -> None:
    expected = json.loads((ANSWERS / f"{case}.json").read_text("utf-8"))
    found = read_inventory(answer_of(case), "PROD-07")
    assert sorted(found.accounts) == expected["accounts"]
    assert found.look == decode(Look, expected["look"])


@pytest.mark.parametrize("lost", SECTIONS)
def test_an_answer_with_a_part_lost_is_not_believed(lost: str) -> None:
    with pytest.raises(InventoryIncomplete, match="PROD-07"):
        read_inventory(answer_of("wine").replace(f"==={lost}\r\n", "\r\n"), "PROD-07")


@pytest.mark.parametrize(
    "line",
    ["    DisplayVersion    REG_SZ    2.0.0", "    PackageCode    REG_SZ    4E38F3DD60296C54BA48C6278997DC4E"],
)
def test_a_finding_lost_on_the_way_is_missed(line: str) -> None:
    answer = answer_of("wine")
    assert line in answer
    with pytest.raises(InventoryIncomplete):
        read_inventory(answer.replace(line + "\r\n", "", 1), "PROD-07")


@pytest.mark.parametrize("number", range(1, 5))
def test_a_search_that_said_nothing_has_not_run(number: int) -> None:
    begin, *sections = answer_of("wine").split("===value\r\n")
    assert len(sections) == 4
    rest = sections[number - 1].partition("===")
    sections[number - 1] = "\r\n" + rest[1] + rest[2]
    with pytest.raises(InventoryIncomplete):
        read_inventory("===value\r\n".join([begin, *sections]), "PROD-07")


@pytest.mark.parametrize("section", ["accounts", "families"])
def test_a_list_that_was_not_given_is_missed(section: str) -> None:
    answer = answer_of("wine")
    begin = answer.rindex(f"==={section}\r\n") + len(f"==={section}\r\n")
    end = answer.index("===", begin)
    with pytest.raises(InventoryIncomplete):
        read_inventory(answer[:begin] + "\r\n" + answer[end:], "PROD-07")


def test_a_host_on_which_the_last_product_was_removed_has_none() -> None:
    none = r"===\1\r\nEnd of search: 0 match(es) found.\r\n"
    answer = re.sub("===(value|codes)\r\n.*?(?====)", none, answer_of("wine"), flags=re.S)
    answer = re.sub("===families\r\n.*?(?====)", "===families\r\n\r\n", answer, flags=re.S)
    assert read_inventory(answer, "PROD-07").look.products == ()


def test_what_is_registered_but_not_installed_at_all_is_not_believed() -> None:
    answer = answer_of("wine")
    begin, end = answer.index("===value"), answer.index("===codes")
    with pytest.raises(InventoryIncomplete):
        read_inventory(answer[:begin] + "===value\r\n" + answer[end:], "PROD-07")


def test_one_command_asks_for_everything_and_is_short_enough() -> None:
    accounts = {MACHINE, *(f"S-1-5-21-1111111111-2222222222-3333333333-{1001 + n}" for n in range(5))}
    command = inventory_command(Scope(frozenset(accounts)))
    assert all(f"==={section}" in command for section in SECTIONS)
    assert all(rf"UserData\{account}\Products" in command for account in accounts)
    assert "\n" not in command
    assert len(command) < LONGEST_COMMAND
