"""GUIDs, packed GUIDs and product versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kernel.identity import InvalidIdentity, normalise_guid, pack_guid, three_fields, unpack_guid

guids = st.uuids().map(lambda value: "{" + str(value).upper() + "}")


def test_packing_follows_the_registry() -> None:
    assert pack_guid("{12345678-9ABC-DEF0-1234-56789ABCDEF0}") == "87654321CBA90FED21436587A9CBED0F"


@given(guids)
def test_packing_can_be_undone(guid: str) -> None:
    assert unpack_guid(pack_guid(guid)) == guid


@given(guids)
def test_guids_are_told_in_one_form(guid: str) -> None:
    assert normalise_guid(guid.lower().strip("{}")) == guid


@pytest.mark.parametrize("text", ["", "{}", "{1234}", "12345678-9ABC-DEF0-1234-56789ABCDEFG", "x" * 38])
def test_what_is_no_guid_is_refused(text: str) -> None:
    with pytest.raises(InvalidIdentity):
        normalise_guid(text)


@pytest.mark.parametrize("packed", ["", "87654321CBA90FED21436587A9CBED0", "G" * 32])
def test_what_is_not_packed_is_refused(packed: str) -> None:
    with pytest.raises(InvalidIdentity):
        unpack_guid(packed)


@pytest.mark.parametrize(
    ("version", "fields"),
    [("2.1", (2, 1, 0)), ("2.1.0", (2, 1, 0)), ("2.1.0.7", (2, 1, 0)), ("255.255.65535", (255, 255, 65535))],
)
def test_only_three_fields_count(version: str, fields: tuple[int, int, int]) -> None:
    assert three_fields(version) == fields


@pytest.mark.parametrize(
    "version", ["", "2", "256.0.0", "0.256.0", "1.0.65536", "1.0-beta", "1..2", "1.2.3.4.5", "v1.2"]
)
def test_what_windows_cannot_compare_is_refused(version: str) -> None:
    with pytest.raises(InvalidIdentity):
        three_fields(version)
