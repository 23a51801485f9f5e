"""The JSON Schemas are fresh, valid, and agree with the reader on the example files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.desired.findings import render_text
from reconciler.desired.loading import load_folder
from reconciler.desired.schemas import schema_texts, stale_schemas, write_schemas
from reconciler.desired.yaml_reader import read_yaml
from reconciler.kernel.releases import PackageKind

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "environments").rglob("*.yaml"))
CORPUS = Path(__file__).parent / "corpus"
VALID = sorted(path for case in ("base", "everything") for path in (CORPUS / case).rglob("*.yaml"))
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text("utf-8")))


def holders(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Whatever has keys of its own; of packages only the kinds do."""
    kinds = list(schema.get("$defs", {}).values())
    return kinds if "allOf" in schema else [schema, *kinds]


def read(path: Path) -> Any:
    content, faults = read_yaml(path.read_bytes())
    assert faults == []
    return {} if content is None else content


def test_the_schemas_in_the_repository_are_fresh() -> None:
    assert stale_schemas(ROOT / "schemas") == ()
    assert {path.name for path in (ROOT / "schemas").iterdir()} == set(schema_texts())


def test_stale_and_missing_schemas_are_noticed_and_written(tmp_path: Path) -> None:
    folder = tmp_path / "schemas"
    assert {path.name for path in write_schemas(folder)} == set(schema_texts())
    assert stale_schemas(folder) == ()
    host = folder / "host.schema.json"
    host.write_text(host.read_text("utf-8").replace("Free words", "Words"), "utf-8")
    assert stale_schemas(folder) == (host,)
    assert write_schemas(folder) == (host,)
    assert write_schemas(folder) == ()


@pytest.mark.parametrize("name", ["reconciler", "package", "environment", "host", "tenant"])
def test_each_schema_is_valid_and_describes_every_key(name: str) -> None:
    schema = validator(name).schema
    assert isinstance(schema, dict)
    Draft202012Validator.check_schema(schema)
    for holder in holders(schema):
        assert holder["additionalProperties"] is False
        for key, value in holder["properties"].items():
            assert value.get("description"), key


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_each_example_names_its_schema_and_keeps_to_it(path: Path) -> None:
    modeline = MODELINE.match(path.read_text("utf-8"))
    assert modeline is not None
    schema = (path.parent / modeline.group(1)).resolve()
    assert schema.parent == ROOT / "schemas"
    Draft202012Validator(json.loads(schema.read_text("utf-8"))).validate(read(path))


def kind_of(path: Path) -> str:
    if path.parent.name in ("catalog", "hosts"):
        return {"catalog": "package", "hosts": "host"}[path.parent.name]
    return path.stem


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.relative_to(CORPUS).as_posix())
def test_the_schemas_take_what_the_reader_takes(path: Path) -> None:
    validator(kind_of(path)).validate(read(path))


def test_every_key_is_tried() -> None:
    def keys_of(value: Any) -> set[str]:
        if isinstance(value, list):
            return {key for item in value for key in keys_of(item)}
        if not isinstance(value, dict):
            return set()
        return set(value) | {key for item in value.values() for key in keys_of(item)}

    tried = {key for path in VALID for key in keys_of(read(path))}
    for text in schema_texts().values():
        for holder in holders(json.loads(text)):
            assert set(holder["properties"]) <= tried


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("reconciler", {"version": 2}),
        ("reconciler", {}),
        ("package", {"upgradeCode": "x"}),
        ("package", {"upgradeCode": "{11111111-1111-1111-1111-111111111111}", "releases": [{}]}),
        ("package", {"kind": "mssi", "upgradeCode": "{11111111-1111-1111-1111-111111111111}"}),
        ("package", {"kind": "msp", "upgradeCode": "{11111111-1111-1111-1111-111111111111}"}),
        ("package", {"kind": "exe"}),
        ("package", {"kind": "exe", "detect": {}}),
        ("package", {"kind": "exe", "detect": {"fileVersion": "tool.exe"}}),
        ("package", {"kind": "configuration", "settle": 60}),
        ("package", {"kind": "configuration", "checks": [{"service": "a", "status": 200}]}),
        ("package", {"kind": "configuration", "checks": [{"service": "a", "port": 80}]}),
        ("package", {"kind": "configuration", "stop": {"processes": ["agent"]}}),
        ("package", {"kind": "configuration", "releases": [{"version": "1.0", "services": [{"name": "a"}]}]}),
        ("environment", {"promoteFrom": "uat"}),
        ("environment", {"packages": {"Tool": "1.0.0"}}),
        ("environment", {"packages": {"tool": "latest"}}),
        ("environment", {"packages": {"tool": 1}}),
        ("host", {"labels": {"two words": "x"}}),
        ("host", {"labels": {"site": 1}}),
        ("host", {"hold": {"until": "2026-12-01T08:00:00Z"}}),
        ("host", {"hold": {"reason": "moved", "until": "2026-12-01T08:00:00"}}),
        ("environment", {"overrides": [{"packages": {}}]}),
        ("environment", {"overrides": [{"hosts": {}, "packages": {}}]}),
        ("environment", {"prune": "yes"}),
        ("environment", {"haltAfter": 0}),
        ("environment", {"haltAfter": "three"}),
        ("environment", {"soak": "3 days"}),
        ("environment", {"soak": 3600}),
        ("environment", {"inherits": "a/b/c"}),
        ("reconciler", {"version": 1, "removals": {"share": "a quarter"}}),
        ("reconciler", {"version": 1, "groups": {"x": ["riley"]}}),
        ("tenant", {"owners": "acme"}),
    ],
)
def test_the_schemas_refuse_what_the_reader_refuses(name: str, content: object) -> None:
    assert not validator(name).is_valid(content)


def test_the_examples_are_valid_and_show_what_they_are_for() -> None:
    loaded = load_folder(ROOT / "environments")
    assert loaded.state is not None, render_text(loaded.findings)
    state = loaded.state
    assert [state.environments[name].promotes_from for name in ("dev", "uat", "prod")] == [None, "dev", "uat"]
    assert {package.kind for package in state.packages.values()} == {PackageKind.MSI, PackageKind.CONFIGURATION}
    assert len(state.packages) == 4
    assert all(len(package.releases) > 1 for package in state.packages.values())
    for environment in state.environments:
        assert any(host.environment == environment for host in state.hosts.values())
