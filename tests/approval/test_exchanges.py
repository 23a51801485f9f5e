"""Exchanges have only what a forge's published reference has, and adapters read nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from reconciler.approval.forge_client import Answer
from reconciler.approval.forges import azure_devops_answers, forgejo_answers, github_answers, gitlab_answers
from tests.approval.served import COMMITS, Exchange, Reference, load, situations

ANSWERS = {
    "github": github_answers,
    "gitlab": gitlab_answers,
    "forgejo": forgejo_answers,
    "azure_devops": azure_devops_answers,
}
PAGES = {
    "github": "https://docs.github.com/en/rest/",
    "gitlab": "https://docs.gitlab.com/api/",
    "forgejo": "https://codeberg.org/api/swagger#/",
    "azure_devops": "https://learn.microsoft.com/en-us/rest/api/azure/devops/",
}
EVERY = [(forge, situation) for forge in ANSWERS for situation in situations(forge)]


def fields_of(found: Any, path: str = "") -> Iterator[str]:
    """Give the path of every value in an answer; lists are passed through, and a commit's id is a star."""
    if isinstance(found, list):
        for item in found:
            yield from fields_of(item, path)
    elif isinstance(found, dict):
        for key, value in found.items():
            name = "*" if key in COMMITS.values() else key
            yield from fields_of(value, f"{path}.{name}" if path else name)
    elif path:
        yield path


def undocumented(exchange: Exchange, reference: Reference) -> list[str]:
    """Return what an exchange has that its endpoint's reference does not."""
    endpoint = reference.endpoints[exchange.endpoint]
    found = []
    if not endpoint.matches(exchange.method, exchange.path):
        found.append(f"{exchange.method} {exchange.path} is not {endpoint.method} {endpoint.path}")
    found += sorted(exchange.query.keys() - endpoint.query)
    if exchange.body is not None:
        found += sorted(set(fields_of(exchange.body)) - endpoint.body)
    if exchange.status < 400:
        known = {part for name in endpoint.fields for part in prefixes(name)}
        found += sorted(set(fields_of(exchange.answer)) - known)
        if not reference.described:
            found += [f"{name}: null" for name in sorted(set(nulls_of(exchange.answer)) - endpoint.nullable)]
    return found


def nulls_of(found: Any, path: str = "") -> Iterator[str]:
    """Give the path of every null in an answer."""
    if isinstance(found, list):
        for item in found:
            yield from nulls_of(item, path)
    elif isinstance(found, dict):
        for key, value in found.items():
            yield from nulls_of(value, f"{path}.{key}" if path else key)
    elif found is None:
        yield path


def prefixes(name: str) -> Iterator[str]:
    """Give a field and the objects that it is in: any of them may be null, or an empty object."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end])


@pytest.mark.parametrize(("forge", "situation"), EVERY)
def test_an_exchange_has_only_what_the_reference_has(forge: str, situation: str) -> None:
    reference = Reference.of(forge)
    for exchange in load(forge, situation, reference):
        assert undocumented(exchange, reference) == [], exchange.name


def test_a_field_that_the_reference_lacks_is_found() -> None:
    reference = Reference.of("github")
    exchange = next(found for found in load("github", "merged-by-squash", reference) if found.name == "reviews")
    exchange.answer[0]["approved"] = True
    exchange.answer[0]["user"]["role"] = "admin"
    exchange.query["order"] = "asc"
    assert undocumented(exchange, reference) == ["order", "approved", "user.role"]


def test_a_null_that_the_reference_lacks_is_found() -> None:
    """Of GitHub its own descriptions say what can be null: see test_descriptions."""
    reference = Reference.of("gitlab")
    exchange = next(found for found in load("gitlab", "merged-by-squash", reference) if found.name == "change")
    exchange.answer["sha"] = None
    exchange.answer["merged_at"] = None
    assert undocumented(exchange, reference) == ["sha: null"]


@pytest.mark.parametrize("forge", ANSWERS)
def test_every_endpoint_names_its_page(forge: str) -> None:
    endpoints = Reference.of(forge).endpoints.values()
    assert all(endpoint.page.startswith(PAGES[forge]) for endpoint in endpoints)
    assert len({endpoint.page for endpoint in endpoints}) == len(endpoints)


def shapes(module: ModuleType) -> Iterator[type[BaseModel]]:
    for _, found in inspect.getmembers(module, inspect.isclass):
        if issubclass(found, Answer) and found.__module__ == module.__name__:
            yield found


@pytest.mark.parametrize("forge", ANSWERS)
def test_adapters_read_documented_fields_alone(forge: str) -> None:
    documented = {part for endpoint in Reference.of(forge).endpoints.values() for name in endpoint.fields
                  for part in name.split(".")}  # fmt: skip
    for shape in shapes(ANSWERS[forge]):
        for name, field in shape.model_fields.items():
            assert (field.alias or name) in documented | {"results"}, f"{shape.__name__}.{name}"


@pytest.mark.parametrize("forge", ANSWERS)
def test_every_answer_that_is_read_is_of_a_shape_with_fields(forge: str) -> None:
    """A shape without fields would take anything, HTML in JSON included."""
    bases = {base for shape in shapes(ANSWERS[forge]) for base in shape.__mro__[1:]}
    assert all(shape.model_fields for shape in shapes(ANSWERS[forge]) if shape not in bases)
