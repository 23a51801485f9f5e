"""Findings: what is wrong in a desired-state repository, where, and what to do about it. Finds nothing itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from reconciler.presentation.terminal import for_terminal


class Severity(StrEnum):
    """How much a finding matters: an error keeps a commit from coming into force, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


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
    UNKNOWN_GROUP = "unknown-group"
    UNKNOWN_CHANNEL = "unknown-channel"
    UNKNOWN_LABEL = "unknown-label"
    UNREACHABLE_APPROVAL = "unreachable-approval"
    SHARED_IDENTITY = "shared-identity"
    PROMOTION_CIRCLE = "promotion-circle"
    INHERITANCE_CIRCLE = "inheritance-circle"
    FOREIGN_ENVIRONMENT = "foreign-environment"
    LONE_ENVIRONMENT = "lone-environment"
    NEEDLESS_CONFIRMATION = "needless-confirmation"
    NEEDLESS_SOAK = "needless-soak"
    DUPLICATE_HOST = "duplicate-host"
    DUPLICATE_ADDRESS = "duplicate-address"
    SERVER_SETTING = "server-setting"
    NETWORK_PATH = "network-path"
    NOT_GRANTED = "not-granted"
    DUPLICATE_VERSION = "duplicate-version"
    DUPLICATE_TRANSFORM = "duplicate-transform"
    ALIKE_VERSIONS = "alike-versions"
    VERSION_ORDER = "version-order"
    SHARED_UPGRADE_CODE = "shared-upgrade-code"
    SHARED_PRODUCT_CODE = "shared-product-code"
    SHARED_PACKAGE_CODE = "shared-package-code"
    SHARED_PATCH_CODE = "shared-patch-code"
    SHARED_ARTIFACT = "shared-artifact"
    SHARED_DETECTION = "shared-detection"
    UNKNOWN_TARGET = "unknown-target"
    DUPLICATE_SETTING = "duplicate-setting"
    CONTESTED_SETTING = "contested-setting"
    MISPLACED_FILE = "misplaced-file"
    MISSING_FILE = "missing-file"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"
    SPECIAL_FILE = "special-file"
    UNREADABLE_FILE = "unreadable-file"
    MISSING_ARTIFACT = "missing-artifact"
    ARTIFACT_MISMATCH = "artifact-mismatch"
    IDENTITY_MISMATCH = "identity-mismatch"
    UNREADABLE_ARTIFACT = "unreadable-artifact"
    UNTRUSTED_SIGNATURE = "untrusted-signature"

    @property
    def severity(self) -> Severity:
        """How much it matters where a repository breaks it."""
        return Severity.WARNING if self in _WARNINGS else Severity.ERROR


_WARNINGS = frozenset(
    {
        Rule.ALIKE_VERSIONS,
        Rule.VERSION_ORDER,
        Rule.LONE_ENVIRONMENT,
        Rule.UNKNOWN_TARGET,
        Rule.CONTESTED_SETTING,
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong. ``line`` and ``column`` count from 1, columns in characters.

    ``path`` is within the repository, with forward slashes; for a plain folder it starts with that folder.
    Names and values in it come from whoever can push: whatever shows a finding to people cleans it.
    """

    path: str
    line: int
    column: int
    rule: Rule
    message: str
    hint: str = ""

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return self.rule.severity


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
        place = f"{for_terminal(finding.path)}:{finding.line}:{finding.column}"
        lines.append(f"{place}: {finding.severity}: {for_terminal(finding.message)} [{finding.rule}]")
        if finding.hint:
            lines.append(f"  hint: {for_terminal(finding.hint)}")
    return "\n".join(lines)


def as_json(finding: Finding) -> dict[str, str | int]:
    """Return a finding as JSON-ready data; ``hint`` is empty where there is none."""
    return {
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "severity": finding.severity.value,
        "rule": finding.rule.value,
        "message": finding.message,
        "hint": finding.hint,
    }
