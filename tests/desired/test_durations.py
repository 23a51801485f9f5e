"""Durations: one number and one unit, and nothing that could be read in two ways."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from reconciler.desired.fields import Duration, seconds_of

DURATION = TypeAdapter(Duration)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("4h", 14_400), ("3d", 259_200)])
def test_a_number_and_its_unit(text: str, seconds: float) -> None:
    assert seconds_of(DURATION.validate_python(text)) == seconds


@pytest.mark.parametrize(
    "given", ["", "3", "d", "0s", "03d", "1.5h", "-1d", "3 d", "3D", "1h30m", "100000d", 3600, True]
)
def test_anything_else_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        DURATION.validate_python(given)
