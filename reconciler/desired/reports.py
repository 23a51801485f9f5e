"""Writes findings for other programs: as annotations of GitHub's workflows, and as SARIF. Finds nothing itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from reconciler.desired.findings import Finding, Rule
from reconciler.desired.rule_texts import RULE_TEXTS
from reconciler.presentation.terminal import for_terminal

_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_annotation(finding: Finding) -> str:
    """Return the workflow command by which GitHub shows a finding beside its line.

    Source: docs.github.com/actions/reference/workflow-commands-for-github-actions; the escapes are those of
    actions/toolkit, packages/core/src/command.ts
    """
    properties = {
        "file": for_terminal(finding.path),
        "line": str(finding.line),
        "col": str(finding.column),
        "title": finding.rule.value,
    }
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    told = (finding.message, finding.hint) if finding.hint else (finding.message,)
    text = "\n".join(for_terminal(line) for line in told)
    return f"::{finding.severity} {written}::{_data(text)}"


def as_sarif(findings: Iterable[Finding], version: str) -> dict[str, Any]:
    """Return findings as one SARIF log, JSON-ready.

    Args:
        findings: what was found.
        version: the version of Reconciler.

    Source: docs.oasis-open.org/sarif/sarif/v2.1.0
    """
    ordered = list(Rule)
    driver = {
        "name": "reconciler",
        "version": version,
        "rules": [
            {
                "id": rule.value,
                "shortDescription": {"text": RULE_TEXTS[rule]},
                "defaultConfiguration": {"level": rule.severity.value},
            }
            for rule in ordered
        ],
    }
    results = [
        {
            "ruleId": finding.rule.value,
            "ruleIndex": ordered.index(finding.rule),
            "level": finding.severity.value,
            "message": {"text": f"{finding.message} ({finding.hint})" if finding.hint else finding.message},
            "locations": [_location(finding)],
        }
        for finding in findings
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _location(finding: Finding) -> dict[str, Any]:
    path = quote(finding.path, errors="surrogatepass")
    artifact = {"uri": f"file://{path}"} if path.startswith("/") else {"uri": path, "uriBaseId": "%SRCROOT%"}
    region = {"startLine": finding.line, "startColumn": finding.column}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
