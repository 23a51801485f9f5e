"""Runs unittest suites and gives the outcome of each case. Standard library only: it goes to lab hosts too."""

from __future__ import annotations

import json
import traceback
import unittest


class Outcomes(unittest.TestResult):
    """The outcome of each case, by its name: empty, or its traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

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
    """Run these, and return the outcomes as JSON, as a host tells them."""
    return json.dumps(outcomes_of(*suites))
