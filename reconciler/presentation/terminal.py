"""Untrusted text for terminals, and for every other place that shows plain text."""

from __future__ import annotations

import re

from reconciler.kernel.visible_text import escape, visible

LONGEST_VALUE = 1_000
"""Characters of one value that are shown."""

_BUILD_COMMANDS = re.compile(r"##(?=\w*\[)|^\s*::")
"""Where the log of a build job would take text for a command.

Source: actions/runner, ActionCommand.cs (``::`` at the start of a line, ``##[`` anywhere); Azure Pipelines agent,
Command.cs (``##vso[`` anywhere); TeamCity, service messages (``##teamcity[``).
"""


def for_terminal(text: object, longest: int = LONGEST_VALUE) -> str:
    """Return a value as plain text on one line, in which nothing steers, hides, reorders or floods.

    Applying the function twice changes nothing more, so a line may be cleaned whole after its values.

    Args:
        text: the value; what is not text is converted by `str`.
        longest: characters to show. A longer value is cut, and says how long it is.
    """
    whole = str(text)
    line = visible(whole[: longest + 1])
    line = _BUILD_COMMANDS.sub(lambda found: found[0][:-1] + escape(found[0][-1]), line)
    return shortened(line, longest, len(whole))


def shortened(text: str, longest: int, length: int | None = None) -> str:
    """Return text cut to a number of characters, with a marker that says how long it is.

    Args:
        text: the text.
        longest: characters that the result may have, the marker included.
        length: the number of characters to state; by default those of ``text``.
    """
    if len(text) <= longest:
        return text
    marker = f"… ({length or len(text)} characters)"
    return text[: max(longest - len(marker), 0)] + marker
