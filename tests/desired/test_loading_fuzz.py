"""Whatever files hold, a load ends with a state or with findings that can be shown; it never raises."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.findings import Severity, as_json, render_text
from reconciler.desired.loading import load_source
from reconciler.desired.reports import as_annotation, as_sarif
from reconciler.desired.schemas import schema_texts
from reconciler.desired.trees import EntryKind, TreeEntry
from tests.properties import examples


@dataclass(frozen=True, slots=True)
class Files:
    """Files in memory, as a commit would have them."""

    files: Mapping[str, bytes]
    root: str = "environments/"
    shared: bool = False

    def entries(self) -> Iterator[TreeEntry] | None:
        return (TreeEntry(path, EntryKind.FILE, path) for path in sorted(self.files))

    def find(self, path: str) -> TreeEntry | None:
        return TreeEntry(path, EntryKind.FILE, path) if path in self.files else None

    def size(self, entry: TreeEntry) -> int:
        return len(self.files[entry.oid])

    def read(self, entry: TreeEntry) -> bytes:
        return self.files[entry.oid]


def check(files: Mapping[str, bytes]) -> None:
    loaded = load_source(Files({f"environments/{path}": data for path, data in files.items()}), "r")
    for finding in loaded.findings:
        assert finding.line >= 1
        assert finding.column >= 1
        assert finding.message
        assert len(as_annotation(finding).splitlines()) == 1
    json.dumps([as_json(finding) for finding in loaded.findings])
    json.dumps(as_sarif(loaded.findings, "1"))
    assert len(render_text(loaded.findings).splitlines()) <= 2 * len(loaded.findings)
    errors = [finding for finding in loaded.findings if finding.severity is Severity.ERROR]
    assert (loaded.state is None) == bool(errors)
    assert loaded.findings[: len(errors)] == tuple(errors)
    if loaded.state is not None:
        for host in loaded.state.hosts.values():
            loaded.state.wanted(host.environment, host.name)
            loaded.state.hold_of(host.name, host.environment)


WORDS = ["prod", "uat", "acme/prod", "agent", "tool", "1.0.0", "2.0.0", "absent", "desk", "ring", "canary", "25%"]
TEXTS = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(["{AAAAAAAA-0000-0000-0000-000000000001}", "a" * 64, "x.msi", "x.mst", "CN=x", "/srv/x"]),
    st.sampled_from(
        ["C:\\x\\y.exe", "HKLM\\SOFTWARE\\X", "90s", "2d", "1.2.3.4", "x.exe", "x.msp", "http://localhost/", "a,b"]
    ),
    st.sampled_from(
        ["2026-12-01T08:00Z", "9999-12-31T23:59:59-23:59", "2999-12-31T23:59:59+23:59", "x64", "@desk"]
    ),
    st.text(max_size=6),
)
ATOMS = st.one_of(st.none(), st.booleans(), st.integers(-2, 2**70), TEXTS)


def content(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Data that a schema asks for, more or less."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "allOf" in schema:
        return st.one_of(*(content(arm["then"], definitions) for arm in schema["allOf"]))
    if "anyOf" in schema:
        return st.one_of(*(content(arm, definitions) for arm in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")])) | ATOMS
    if schema.get("type") == "array":
        return st.lists(content(schema["items"], definitions), max_size=3) | ATOMS
    if "properties" in schema:
        known = {key: content(value, definitions) for key, value in schema["properties"].items()}
        return st.fixed_dictionaries({}, optional=known) | ATOMS
    if schema.get("type") == "object":
        arms = [schema.get("additionalProperties") or {}, *schema.get("patternProperties", {}).values()]
        values = st.one_of(*(content(arm, definitions) for arm in arms if isinstance(arm, dict)))
        return st.dictionaries(TEXTS, values, max_size=3)
    return ATOMS


SCHEMAS = {name.partition(".")[0]: json.loads(text) for name, text in schema_texts().items()}
PLACES = {
    "reconciler.yaml": "reconciler",
    "catalog/agent.yaml": "package",
    "catalog/tool.yaml": "package",
    "prod/environment.yaml": "environment",
    "uat/environment.yaml": "environment",
    "acme/tenant.yaml": "tenant",
    "acme/prod/environment.yaml": "environment",
    "prod/hosts/A.yaml": "host",
    "uat/hosts/a.yaml": "host",
    "acme/prod/hosts/B.yaml": "host",
}
STRUCTURED = st.fixed_dictionaries(
    {},
    optional={
        path: content(SCHEMAS[kind], SCHEMAS[kind].get("$defs", {})).map(
            lambda data: json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass")
        )
        for path, kind in PLACES.items()
    },
)


@examples(300)
@given(STRUCTURED)
def test_data_that_is_nearly_right(files: dict[str, bytes]) -> None:
    check(files)


@examples(300)
@given(st.dictionaries(st.sampled_from(sorted(PLACES)), st.binary(max_size=60), min_size=1))
def test_bytes(files: dict[str, bytes]) -> None:
    check(files)


PARTS = st.sampled_from(
    [
        "catalog",
        "hosts",
        "prod",
        "acme",
        "environment.yaml",
        "tenant.yaml",
        "a.yaml",
        "A B.yaml",
        ".x",
        "é",
        "x.md",
    ]
)


@examples(300)
@given(st.lists(st.lists(PARTS, min_size=1, max_size=5).map("/".join), max_size=8, unique=True))
def test_files_anywhere(paths: list[str]) -> None:
    check({"reconciler.yaml": b"version: 1\n", **dict.fromkeys(paths, b"")})
