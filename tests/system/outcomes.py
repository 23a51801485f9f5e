"""Runs unittest suites and gives the outcome of each case. Standard library only: it goes to lab hosts too."""

from __future__ import annotations

import faulthandler
import json
import sys
import time
import traceback
import unittest

LONGEST_SECONDS = 540.0
"""Seconds after which a suite on a host ends itself and says where it was: before whoever started it ends it."""


class Outcomes(unittest.TestResult):
    """The outcome of each case, by its name: empty, or its traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def startTest(self, test: unittest.TestCase) -> None:
        """Say which case begins: where a suite does not end, its last line names the case."""
        super().startTest(test)
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {test.id().rpartition('.')[2]}\n")
        sys.stderr.flush()

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.found[test.id().rpartition(".")[2]] = ""

    def addFailure(self, test: unittest.TestCase, error: tuple[object, BaseException, object]) -> None:
        self.found[test.id().rpartition(".")[2]] = "".join(traceback.format_exception(error[1]))

    addError = addFailure


def outcomes_of(*suites: type[unittest.TestCase]) -> dict[str, str]:
    """Run these, and return the outcome of each case."""
    outcomes = Outcomes()
    for suite in suites:
        unittest.defaultTestLoader.loadTestsFromTestCase(suite).run(outcomes)
    return outcomes.found


def outcomes_as_json(*suites: type[unittest.TestCase]) -> str:
    """Run these on a host, and return the outcomes as JSON. A suite that hangs ends, and shows its stacks."""
    faulthandler.dump_traceback_later(LONGEST_SECONDS, exit=True)
    try:
        return json.dumps(outcomes_of(*suites))
    finally:
        faulthandler.cancel_dump_traceback_later()
