"""What all files and their parts share, as pydantic models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


@dataclass(frozen=True, slots=True)
class Moved:
    """Why a key is not allowed in Git, and where its value belongs instead."""

    message: str
    hint: str


class Manifest(BaseModel):
    """Keys in camelCase, only known ones, no guessing of types. ``moved`` are keys that are set elsewhere."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)

    moved: ClassVar[dict[str, Moved]] = {}
