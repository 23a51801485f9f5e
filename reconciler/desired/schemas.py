"""Writes the JSON Schemas by which editors complete and check the files, and tells which are out of date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reconciler.desired.layout import FileKind
from reconciler.desired.manifests import schema_of

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_texts() -> dict[str, str]:
    """Return the text of each schema by file name. The same models give the same bytes."""
    return {f"{kind.value}.schema.json": _text(kind) for kind in FileKind}


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write the schemas that are missing or out of date into ``folder``, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    stale = stale_schemas(folder)
    texts = schema_texts()
    for path in stale:
        path.write_text(texts[path.name], encoding="utf-8", newline="\n")
    return stale


def stale_schemas(folder: Path) -> tuple[Path, ...]:
    """Return the paths of the schemas in ``folder`` that are missing or differ from what they should be."""
    paths = {folder / name: text for name, text in schema_texts().items()}
    return tuple(path for path, text in paths.items() if not path.is_file() or path.read_text("utf-8") != text)


def _text(kind: FileKind) -> str:
    title = f"Reconciler: {kind.value} file"
    schema = {"$schema": _DIALECT, "title": title, **_tidied(schema_of(kind))}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _tidied(schema: Any) -> Any:
    """Return a schema without the titles that pydantic makes up, and with keys held to their patterns."""
    if isinstance(schema, list):
        return [_tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {key: _tidied(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    if "patternProperties" in tidied:
        tidied["additionalProperties"] = False
    return tidied
