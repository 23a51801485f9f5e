"""Findings for other programs: GitHub's annotations, and SARIF."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.desired.findings import Finding, Rule, Severity
from reconciler.desired.reports import as_annotation, as_sarif
from reconciler.desired.rule_texts import RULE_TEXTS
from reconciler.presentation.terminal import for_terminal

TEXT = {"type": "object", "properties": {"text": {"type": "string", "minLength": 1}}, "required": ["text"]}
LEVEL = {"enum": ["error", "warning"]}
COUNT = {"type": "integer", "minimum": 1}


def an_object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


LOCATION = an_object(
    physicalLocation=an_object(
        artifactLocation={
            "oneOf": [
                an_object(uri={"type": "string", "pattern": "^[^/:][^: ]*$"}, uriBaseId={"const": "%SRCROOT%"}),
                an_object(uri={"type": "string", "pattern": "^file:///[^ ]*$"}),
            ]
        },
        region=an_object(startLine=COUNT, startColumn=COUNT),
    )
)
# What section 3 of the SARIF 2.1.0 standard demands of the parts that are written here.
SARIF = {
    **an_object(
        version={"const": "2.1.0"},
        runs={
            "type": "array",
            "items": an_object(
                tool=an_object(
                    driver=an_object(
                        name={"type": "string"},
                        version={"type": "string"},
                        rules={
                            "type": "array",
                            "uniqueItems": True,
                            "items": an_object(
                                id={"type": "string", "pattern": "^[a-z0-9-]+$"},
                                shortDescription=TEXT,
                                defaultConfiguration=an_object(level=LEVEL),
                            ),
                        },
                    )
                ),
                columnKind={"const": "unicodeCodePoints"},
                results={
                    "type": "array",
                    "items": an_object(
                        ruleId={"type": "string"},
                        ruleIndex={"type": "integer", "minimum": 0},
                        level=LEVEL,
                        message=TEXT,
                        locations={"type": "array", "minItems": 1, "items": LOCATION},
                    ),
                },
            ),
        },
        **{"$schema": {"type": "string"}},
    )
}
RELEASE = Finding("environments/prod/environment.yaml", 3, 7, Rule.UNKNOWN_RELEASE, "no 2.1", "write 2.1.0")
ALIKE = Finding("/srv/a folder/é.yaml", 1, 1, Rule.ALIKE_VERSIONS, "100% alike")

findings = st.builds(
    Finding,
    st.text(min_size=1, max_size=20),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.sampled_from(Rule),
    st.text(min_size=1, max_size=30),
    st.text(max_size=30),
)


def test_an_annotation() -> None:
    assert as_annotation(RELEASE) == (
        "::error file=environments/prod/environment.yaml,line=3,col=7,title=unknown-release::no 2.1%0Awrite 2.1.0"
    )
    assert as_annotation(ALIKE).startswith("::warning file=/srv/a folder/é.yaml,line=1,")
    assert as_annotation(ALIKE).endswith("::100%25 alike")


@given(findings)
def test_an_annotation_is_one_command_whatever_names_hold(finding: Finding) -> None:
    line = as_annotation(finding)
    assert len(line.splitlines()) == 1
    match = re.fullmatch(r"::(error|warning) file=([^,:]*),line=(\d+),col=(\d+),title=([a-z0-9-]+)::(.*)", line)
    assert match is not None
    kind, path, number, column, rule, text = match.groups()
    undone = {"%3A": ":", "%2C": ",", "%25": "%"}
    assert re.sub("%3A|%2C|%25", lambda found: undone[found.group()], path) == for_terminal(finding.path)
    assert (kind, int(number), int(column)) == (finding.severity, finding.line, finding.column)
    assert rule == finding.rule
    assert text.replace("%0A", "\n").replace("%25", "%").partition("\n")[0] == for_terminal(finding.message)


@given(st.lists(findings, max_size=4))
def test_sarif_keeps_to_its_standard(found: list[Finding]) -> None:
    log = json.loads(json.dumps(as_sarif(found, "1.0")))
    relative = [finding for finding in found if not finding.path.startswith("/")]
    Draft202012Validator(SARIF).validate(log)
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [f.rule for f in found]
    assert [result["level"] for result in run["results"]] == [f.severity for f in found]
    uris = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]]
    assert [unquote(uri) for uri in uris if not uri.startswith("file:")] == [f.path for f in relative]


def test_every_rule_is_told_in_a_sentence_of_its_own() -> None:
    assert set(RULE_TEXTS) == set(Rule)
    assert len(set(RULE_TEXTS.values())) == len(Rule)
    assert all(text.endswith(".") for text in RULE_TEXTS.values())


def test_warnings_are_few_and_the_rest_are_errors() -> None:
    warnings = {rule for rule in Rule if rule.severity is Severity.WARNING}
    assert warnings == {
        Rule.ALIKE_VERSIONS,
        Rule.VERSION_ORDER,
        Rule.LONE_ENVIRONMENT,
        Rule.UNKNOWN_TARGET,
        Rule.CONTESTED_SETTING,
    }
