"""Findings: what is wrong in a desired-state repository, where, and what to do about it. Finds nothing itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """The rules that a desired-state repository is held to; the values are stable and may be searched for."""

    YAML_SYNTAX = "yaml-syntax"
    NOT_UTF8 = "not-utf8"
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    TOO_MANY_FILES = "too-many-files"
    YAML_ALIAS = "yaml-alias"
    YAML_TAG = "yaml-tag"
    SEVERAL_DOCUMENTS = "several-documents"
    DUPLICATE_KEY = "duplicate-key"
    UNKNOWN_KEY = "unknown-key"
    MISSING_KEY = "missing-key"
    WRONG_TYPE = "wrong-type"
    INVALID_VALUE = "invalid-value"
    INVALID_NAME = "invalid-name"
    INVALID_PROPERTY = "invalid-property"
    UNKNOWN_PACKAGE = "unknown-package"
    UNKNOWN_RELEASE = "unknown-release"
    UNKNOWN_ENVIRONMENT = "unknown-environment"
    PROMOTION_CIRCLE = "promotion-circle"
    DUPLICATE_HOST = "duplicate-host"
    DUPLICATE_VERSION = "duplicate-version"
    SHARED_UPGRADE_CODE = "shared-upgrade-code"
    SHARED_PRODUCT_CODE = "shared-product-code"
    SHARED_PACKAGE_CODE = "shared-package-code"
    SHARED_ARTIFACT = "shared-artifact"
    MISPLACED_FILE = "misplaced-file"
    MISSING_FILE = "missing-file"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"
    UNREADABLE_FILE = "unreadable-file"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong. ``line`` and ``column`` count from 1, columns in characters.

    ``path`` is within the repository, with forward slashes; for a plain folder it starts with that folder.
    What cannot be printed is escaped in all of it: names and values come from whoever can push.
    """

    path: str
    line: int
    column: int
    rule: Rule
    message: str
    hint: str = ""

    def __post_init__(self) -> None:
        for name in ("path", "message", "hint"):
            text = getattr(self, name)
            if not text.isprintable():
                object.__setattr__(self, name, _printable(text))


Location = tuple[str | int, ...]
"""The way to a value within a file: keys, and indexes of list items."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding that still lacks its line: it knows the value, or its key (``on_key``), that is at fault."""

    path: str
    rule: Rule
    message: str
    hint: str = ""
    location: Location = ()
    on_key: bool = False


def render_text(findings: Iterable[Finding]) -> str:
    """Return findings as compilers print them, one ``path:line:column: error: …`` each, hints below."""
    lines: list[str] = []
    for finding in findings:
        place = f"{finding.path}:{finding.line}:{finding.column}"
        lines.append(f"{place}: error: {finding.message} [{finding.rule}]")
        if finding.hint:
            lines.append(f"  hint: {finding.hint}")
    return "\n".join(lines)


def as_json(finding: Finding) -> dict[str, str | int]:
    """Return a finding as JSON-ready data; ``hint`` is empty where there is none."""
    return {
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "severity": "error",
        "rule": finding.rule.value,
        "message": finding.message,
        "hint": finding.hint,
    }


def _printable(text: str) -> str:
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
