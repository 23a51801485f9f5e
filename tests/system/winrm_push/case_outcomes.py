"""Keeps how each case of a unittest suite ended: empty, or its traceback."""

from __future__ import annotations

import traceback
import unittest


class Outcomes(unittest.TestResult):
    """The outcome of each case, by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.found[test.id().rpartition(".")[2]] = ""

    def addFailure(self, test: unittest.TestCase, error: object) -> None:
        self.found[test.id().rpartition(".")[2]] = "".join(traceback.format_exception(error[1]))  # type: ignore[index]

    addError = addFailure
