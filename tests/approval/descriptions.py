"""Checks exchanges with GitHub against GitHub's own descriptions, which come from npm, pinned by version and hash.

``python -m tests.approval.descriptions`` downloads them and reports every exchange that they do not allow. What is
downloaded is cached and never committed.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import orjson
import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from reconciler.packaging.cache import build_once, cache_folder
from tests.approval.served import Exchange, Reference, load, situations

PINS = Path(__file__).parent / "official.yaml"
DESCRIBED = ("github.com", "ghes-3.17", "ghes-3.19")
"""The descriptions that every exchange is checked against: of GitHub.com, and of Enterprise Servers in support."""

_DOWNLOAD_SECONDS = 300
_BEYOND = {("head", "repo")}
"""What GitHub answers beyond its description: null for the repository of a fork that was deleted."""

_KEPT = ("type", "enum", "pattern")


def official(name: str) -> Any:
    """Return one of the downloaded files, cut to the endpoints that the reference names.

    Skips the test where npm is missing or reaches no registry; fails in CI.
    """
    npm = shutil.which("npm")
    if npm is None:
        _give_up("needs npm (Debian: npm), to download GitHub's own descriptions")
    pins = PINS.read_bytes() + (PINS.parent / "exchanges/github/reference.yaml").read_bytes()
    digest = hashlib.sha256(pins + Path(__file__).read_bytes()).hexdigest()[:16]
    target = cache_folder() / f"github-descriptions-{digest}"
    try:
        folder = build_once(target, lambda partial: _download(npm, partial))
    except subprocess.SubprocessError as error:
        said = str(getattr(error, "stderr", None) or error).strip()[-300:]
        _give_up(f"npm cannot download GitHub's own descriptions: {said}")
    return orjson.loads((folder / f"{name}.json").read_bytes())


def _give_up(why: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"CI must not skip this: {why}", pytrace=False)
    pytest.skip(why)


def _download(npm: str, target: Path) -> None:
    """Put the files of all packages into a folder; `npm pack` knows the registry that this machine uses."""
    endpoints = [endpoint.path for endpoint in Reference.of("github").endpoints.values()]
    for pin in yaml.safe_load(PINS.read_text("utf-8")):
        with tempfile.TemporaryDirectory(prefix="reconciler-npm-") as scratch:
            spec = f"{pin['package']}@{pin['version']}"
            # npm's own cache is in the home of a user, which may be read-only.
            command = [npm, "pack", "--silent", "--ignore-scripts", "--cache", f"{scratch}/cache"]
            command += ["--pack-destination", scratch, spec]
            subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, cwd=scratch
            )
            (archive,) = Path(scratch).glob("*.tgz")
            found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
            if found != pin["integrity"]:
                raise ValueError(f"{spec} has the hash {found}, and {PINS.name} pins {pin['integrity']}")
            with tarfile.open(archive) as package:
                for name, path in pin["files"].items():
                    member = package.extractfile(path)
                    assert member is not None, path
                    content = orjson.loads(member.read())
                    kept = content if isinstance(content, list) else _cut(content, endpoints)
                    (target / f"{name}.json").write_bytes(orjson.dumps(kept))


def _cut(description: dict[str, Any], endpoints: list[str]) -> dict[str, Any]:
    """Return the paths that are used with their schemas written out: all of it takes seconds to read."""
    components = description["components"]
    paths = {}
    for path, methods in description["paths"].items():
        if path in endpoints:
            paths[path] = {
                method: _operation(operation, components)
                for method, operation in methods.items()
                if method in ("get", "post", "patch", "put")
            }
    return paths


def _operation(operation: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    parameters = [_resolved(found, components) for found in operation.get("parameters", ())]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answers = [found for status, found in operation["responses"].items() if status in ("200", "201")]
    content = _resolved(answers[0], components)["content"]["application/json"] if answers else {}
    return {
        "query": sorted(found["name"] for found in parameters if found["in"] == "query"),
        "body": strict(body, components) if body else None,
        "answer": strict(content.get("schema", {}), components),
        "examples": [_resolved(found, components)["value"] for found in content.get("examples", {}).values()],
    }


def _resolved(found: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in found:
        kind, name = found["$ref"].split("/")[-2:]
        found = components[kind][name]
    return found


def strict(schema: dict[str, Any], components: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """Return a JSON Schema that allows the fields of an OpenAPI schema and no others, and requires none of them.

    Exchanges have no more fields than are needed. Below a depth that none of them has, everything is allowed.
    """
    schema = _resolved(schema, components)
    if depth > 8:
        return {}
    made: dict[str, Any] = {key: schema[key] for key in _KEPT if key in schema}
    choices = [strict(found, components, depth) for key in ("anyOf", "oneOf") for found in schema.get(key, ())]
    fields = _fields(schema, components, depth)
    if fields and not schema.get("additionalProperties"):
        made |= {"properties": fields, "additionalProperties": False}
    if "items" in schema:
        made["items"] = strict(schema["items"], components, depth + 1)
    if choices and not fields:
        made["anyOf"] = choices
    if schema.get("nullable"):
        return {"anyOf": [made, {"type": "null"}]}
    return made


def _fields(schema: dict[str, Any], components: dict[str, Any], depth: int) -> dict[str, Any]:
    """Return the properties of a schema, those of all that it combines included."""
    parts = [_resolved(found, components) for found in schema.get("allOf", ())]
    found = {name: strict(value, components, depth + 1) for name, value in schema.get("properties", {}).items()}
    for part in parts:
        found |= _fields(part, components, depth)
    return found


@dataclass(frozen=True)
class Fault:
    """What a description does not allow."""

    description: str
    exchange: str
    why: str

    def __str__(self) -> str:
        return f"{self.description}: {self.exchange}: {self.why}"


def faults(name: str, exchange: Exchange, path: str) -> Iterator[Fault]:
    """Give what a description does not allow of an exchange.

    Args:
        name: the description.
        exchange: the exchange; an answer that is an error is not looked at.
        path: the endpoint's path in the description.
    """
    where = f"{exchange.method} {exchange.path} ({exchange.name})"
    operation = official_operation(name, path, exchange.method)
    if operation is None:
        yield Fault(name, where, "there is no such endpoint")
        return
    for key in sorted(exchange.query.keys() - set(operation["query"])):
        yield Fault(name, where, f"there is no parameter {key}")
    checked = [("sent", exchange.body, operation["body"])] if exchange.body is not None else []
    if exchange.status < 400:
        checked.append(("answered", exchange.answer, operation["answer"]))
    for what, value, schema in checked:
        errors = Draft202012Validator(schema or {}).iter_errors(value)
        error = best_match(error for error in errors if tuple(error.absolute_path) not in _BEYOND)
        if error is not None:
            at = ".".join(map(str, error.absolute_path))
            yield Fault(name, where, f"{what} {at}: {error.message[:200]}")


_READ: dict[str, Any] = {}


def official_operation(name: str, path: str, method: str) -> dict[str, Any] | None:
    """Return what a description says of an endpoint, ``None`` where it has none."""
    if name not in _READ:
        _READ[name] = official(name)
    found: dict[str, Any] | None = _READ[name].get(path, {}).get(method.lower())
    return found


def every_fault() -> Iterator[Fault]:
    """Give what the descriptions do not allow, of all exchanges with GitHub."""
    reference = Reference.of("github")
    for situation in situations("github"):
        for exchange in load("github", situation, reference):
            for name in DESCRIBED:
                for fault in faults(name, exchange, reference.endpoints[exchange.endpoint].path):
                    yield Fault(fault.description, f"{situation}.yaml: {fault.exchange}", fault.why)


def endpoint_of(reference: Reference, method: str, path: str) -> str | None:
    """Return the path in the reference that a request is for."""
    return next((found.path for found in reference.endpoints.values() if found.matches(method, path)), None)


if __name__ == "__main__":
    found = [str(fault) for fault in every_fault()]
    for line in [*found, f"{len(found)} fault(s)"]:
        sys.stdout.write(re.sub(r"\s+", " ", line) + "\n")
    sys.exit(1 if found else 0)
