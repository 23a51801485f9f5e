"""How many examples a property is tried with, by the tier of tests that runs."""

from __future__ import annotations

from hypothesis import settings


def examples(most: int) -> settings:
    """Return settings that try a property with `most` examples in `make test-all`, and a fifth of them elsewhere.

    Args:
        most: how many examples, where there is time.
    """
    return settings(max_examples=max(10, most * settings.default.max_examples // 100))
