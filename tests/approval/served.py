"""Serves exchanges written from a forge's reference, and refuses whatever they do not have.

Every forge has a folder: ``reference.yaml`` tells of each endpoint its page and the documented fields that are
used; ``merged-by-merge-commit.yaml`` has the exchanges of a plain change, each other file what is different in a
situation.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml
from werkzeug import Request, Response

FOLDER = Path(__file__).parent / "exchanges"
BASE = "merged-by-merge-commit"
COMMITS = {
    "<merge>": "ce" * 20,
    "<first>": "f1" * 20,
    "<second>": "f2" * 20,
    "<base>": "ba" * 20,
    "<other>": "d0" * 20,
}


@dataclass
class Exchange:
    """A request that is expected, and the answer to it. ``then`` is how things are afterwards."""

    name: str
    endpoint: str
    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int
    answer: Any
    headers: dict[str, str]
    then: dict[str, Any]
    used: bool = False


@dataclass(frozen=True)
class Endpoint:
    """What the reference says of an endpoint, as far as it is used. ``nullable`` are fields that can be null."""

    page: str
    method: str
    path: str
    query: frozenset[str]
    body: frozenset[str]
    fields: frozenset[str]
    nullable: frozenset[str]

    def matches(self, method: str, path: str) -> bool:
        # The name of a ref may have slashes in it.
        pattern = re.sub(r"\\\{ref\\\}$", ".+", re.escape(self.path))
        pattern = re.sub(r"\\\{\w+\\\}", r"[^/]+", pattern)
        return method == self.method and re.fullmatch(pattern, path) is not None


@dataclass(frozen=True)
class Reference:
    """All that the reference says. ``paging`` is how the pages of a listing are asked for.

    ``described``: the forge has machine-readable descriptions that exchanges are checked against as well.
    """

    base: str
    paging: str
    endpoints: dict[str, Endpoint]
    described: bool

    @classmethod
    def of(cls, forge: str) -> Reference:
        said = yaml.safe_load((FOLDER / forge / "reference.yaml").read_text("utf-8"))
        endpoints = {}
        for name, told in said["endpoints"].items():
            method, _, path = told["request"].partition(" ")
            sets = (frozenset(told.get(key, ())) for key in ("query", "body", "fields", "nullable"))
            endpoints[name] = Endpoint(told["page"], method, path, *sets)
        return cls(said["base"], said["paging"], endpoints, said.get("described", False))


def situations(forge: str) -> list[str]:
    """Return the names of the situations that a forge has exchanges for."""
    return sorted(path.stem for path in (FOLDER / forge).glob("*.yaml") if path.stem != "reference")


def load(forge: str, situation: str, reference: Reference) -> list[Exchange]:
    """Return the exchanges of a situation; those that it has of its own come first."""
    found = _read(forge, situation)
    base = {} if situation == BASE or found.pop("alone", False) else _read(forge, BASE)
    merged = {name: _changed(base.get(name, {}), told) for name, told in found.items()}
    merged |= {name: told for name, told in base.items() if name not in merged}
    return [exchange for name, told in merged.items() for exchange in _exchanges(name, told, reference)]


def _read(forge: str, situation: str) -> dict[str, Any]:
    text = (FOLDER / forge / f"{situation}.yaml").read_text("utf-8")
    for name, commit in COMMITS.items():
        text = text.replace(name, commit)
    return yaml.safe_load(text) or {}


def _changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    made = {**copy.deepcopy(before), **after}
    if "pages" in after:
        made.pop("answer", None)
    change = made.pop("change", None)
    if change is not None:
        for item in _items(made["answer"]):
            _merge(item, change)
    return made


def _items(answer: Any) -> list[Any]:
    """Return the objects that an answer is about: itself, the items of a list, or what is found for a commit."""
    if isinstance(answer, list):
        return answer
    if isinstance(answer, dict) and "results" in answer:
        return [pull for result in answer["results"] for pulls in result.values() for pull in pulls]
    return [answer]


def _merge(item: dict[str, Any], change: dict[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(item.get(key), dict):
            item[key] = dict(item[key])
            _merge(item[key], value)
        else:
            item[key] = value


def _exchanges(name: str, told: dict[str, Any], reference: Reference) -> Iterator[Exchange]:
    endpoint = told.get("endpoint", name)
    method = reference.endpoints[endpoint].method
    query = {key: str(value) for key, value in told.get("query", {}).items()}
    pages = told.get("pages", [told.get("answer")])
    for number, answer in enumerate(pages):
        asked, headers = dict(query), {}
        if reference.paging == "link":
            if number:
                asked["page"] = str(number + 1)
            if number + 1 < len(pages):
                headers["Link"] = str(number + 2)  # made an address when it is served
        elif (
            reference.paging == "page"
            and method == "GET"
            and isinstance(answer, list)
            and "page" in (reference.endpoints[endpoint].query)
        ):
            asked["page"] = str(number + 1)
        elif reference.paging == "token":
            if number:
                asked["continuationToken"] = str(number)
            if number + 1 < len(pages):
                headers["x-ms-continuationtoken"] = str(number + 1)
        yield Exchange(
            name, endpoint, method, told["path"], asked, told.get("body"), told.get("status", 200), answer,
            headers, told.get("then", {}),
        )  # fmt: skip


@dataclass
class Served:
    """A server's side of a situation: what was asked that nobody wrote down, and how things are by now."""

    reference: Reference
    exchanges: list[Exchange]
    surprises: list[str] = field(default_factory=list)
    now: dict[str, Any] = field(default_factory=dict)

    def answer(self, request: Request) -> Response:
        # As it was sent: a project's path is one part of the address, with its slashes encoded.
        path = request.environ["RAW_URI"].partition("?")[0].removeprefix(self.reference.base)
        asked = dict(request.args.items())
        body = json.loads(request.get_data()) if request.get_data() else None
        surprise = self._undocumented(request.method, path, asked)
        found = None if surprise else self._find(request.method, path, asked, body)
        if found is None:
            self.surprises.append(surprise or f"{request.method} {path} {asked} {body}")
            return Response('{"message": "nobody expects this"}', 500, content_type="application/json")
        found.used = True
        self.now.update(found.then)
        headers = dict(found.headers)
        if "Link" in headers:
            address = f"{request.host_url.rstrip('/')}{self.reference.base}{path}"
            following = f"{address}?{urlencode({**asked, 'page': headers['Link']})}"
            headers["Link"] = f'<{address}?page=1>; rel="first", <{following}>; rel="next"'
        return Response(json.dumps(found.answer), found.status, headers, content_type="application/json")

    def _undocumented(self, method: str, path: str, asked: dict[str, str]) -> str | None:
        endpoints = [found for found in self.reference.endpoints.values() if found.matches(method, path)]
        if not endpoints:
            return f"{method} {path}: no endpoint of the reference"
        unknown = asked.keys() - endpoints[0].query
        return f"{method} {path}: the reference has no parameter {', '.join(unknown)}" if unknown else None

    def _find(self, method: str, path: str, asked: dict[str, str], body: Any) -> Exchange | None:
        fitting = [
            exchange
            for exchange in self.exchanges
            if (exchange.method, exchange.path) == (method, path)
            and exchange.query.items() <= asked.items()
            and exchange.body == body
            and exchange.query.get("page", "1") == asked.get("page", "1")
            and exchange.query.get("continuationToken") == asked.get("continuationToken")
        ]
        unused = [exchange for exchange in fitting if not exchange.used]
        if unused:
            return unused[0]
        if self.reference.paging == "page" and int(asked.get("page", "1")) > 1:
            return self._end(method, path, asked)
        return fitting[-1] if fitting and method == "GET" else None

    def _end(self, method: str, path: str, asked: dict[str, str]) -> Exchange | None:
        """A page behind the last one of a listing that is known is empty."""
        known = any((exchange.method, exchange.path) == (method, path) for exchange in self.exchanges)
        return Exchange("end", "", method, path, asked, None, 200, [], {}, {}) if known else None
