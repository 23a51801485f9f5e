"""Runs unittest suites on a lab host and gives the outcome of each case, as JSON. Copied there beside them."""

from __future__ import annotations

import json
import traceback
import unittest


class Outcomes(unittest.TestResult):
    """The outcome of each case: empty, or its traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: dict[str, str] = {}

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.outcomes[test.id().rpartition(".")[2]] = ""

    def addFailure(self, test: unittest.TestCase, error: object) -> None:
        self.outcomes[test.id().rpartition(".")[2]] = "".join(traceback.format_exception(error[1]))  # type: ignore[index]

    addError = addFailure


def run_suites(*suites: type[unittest.TestCase]) -> str:
    """Run these, and return the outcomes as JSON."""
    outcomes = Outcomes()
    for suite in suites:
        unittest.defaultTestLoader.loadTestsFromTestCase(suite).run(outcomes)
    return json.dumps(outcomes.outcomes)
