"""Asks a forge's REST interface. Whatever goes wrong becomes a `ForgeUnavailable`, which tells no secret.

Knows HTTP and pages, and nothing of what is asked for.
"""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import httpx2
import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from reconciler.approval.forge import ForgeUnavailable
from reconciler.kernel.redaction import redact
from reconciler.presentation.terminal import for_terminal

SILENCE = 15.0
"""Seconds that a forge may take to connect, and between two parts of an answer."""

LONGEST_ANSWER = 60.0
"""Seconds that one answer may take on the whole."""

MOST_BYTES = 32 * 1024 * 1024
"""Bytes that one answer may have."""

MOST_PAGES = 200
"""Pages of one listing that are read."""

TRIES = 3
"""How often a forge that is busy is asked."""

LONGEST_PAUSE = 5.0
"""Seconds that are waited at most before asking again; a forge that wants more of them is away."""

MOST_KEPT = 200
"""Answers that are kept, to ask whether they are still so (RFC 9110, If-None-Match)."""

LARGEST_KEPT = 256 * 1024
"""Bytes beyond which an answer is not kept."""

_FIRST_PAUSE = 0.2
_MOST_CHARACTERS = 200
_BUSY = frozenset({429, 500, 502, 503, 504})
_NOT_DONE = frozenset({429, 503})
"""Answers that say that nothing was done: what changes something may be asked for again."""

_PAGE_SIZES = ("per_page", "limit", "$top")
"""The parameters by which forges are asked for pages of a size."""

_RATE_LIMIT = re.compile(r"\brate limit|\babuse detection", re.IGNORECASE)

_NEXT_PAGE = re.compile(r'<([^<>]+)>\s*;[^,]*\brel="?next"?')

Shape = TypeVar("Shape")
Query = Mapping[str, str | int]


class NotThere(ForgeUnavailable):
    """A forge knows nothing under an address, or does not show it to us."""

    reference = "forge-not-there"


class NotAllowed(ForgeUnavailable):
    """A forge does not let us do what was asked."""

    reference = "forge-not-allowed"


class Refused(ForgeUnavailable):
    """A forge understands what was asked, and does not do it."""

    reference = "forge-refused"


class Malformed(ForgeUnavailable):
    """A forge's answer has not the form that its reference says."""

    reference = "forge-malformed"


class Answer(BaseModel):
    """What is read of a forge's answer. All else in it is left alone."""

    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: what it says, and what its headers say, by their names in lower case."""

    content: Any
    headers: Mapping[str, str]


class ForgeClient:
    """One forge's REST interface.

    Args:
        name: what people call the forge.
        base: the address that every path is put behind.
        headers: go with each request; what is secret in them stands in no message.
        secrets: what must not stand in any message.
    """

    def __init__(self, name: str, base: str, headers: Mapping[str, str], secrets: frozenset[str]) -> None:
        self._name = name
        self._base = base.rstrip("/")
        self._headers = {"User-Agent": "reconciler", **headers}
        self._secrets = secrets
        self._trusted = ssl.create_default_context()
        self._kept: dict[str, Page] = {}
        self._lock = threading.Lock()

    def get(self, path: str, shape: type[Shape], query: Query | None = None) -> Shape:
        """Return what is to be had at a path.

        Raises:
            NotThere: nothing is to be had there.
            ForgeUnavailable: the forge cannot be asked, or its answer has not the shape that it should have.
        """
        return self.shaped(self.page("GET", path, query), shape, path)

    def send(self, method: str, path: str, body: Mapping[str, Any], shape: type[Shape]) -> Shape:
        """Have something made or changed, and return what the forge says of it.

        Raises:
            ForgeUnavailable: it was not done, or it is not certain.
        """
        return self.shaped(self.page(method, path, body=body), shape, path)

    def linked(self, path: str, shape: type[Shape], query: Query | None = None) -> Iterator[Shape]:
        """Give every page of a listing whose pages name the next one in a ``Link`` header (RFC 8288).

        Raises:
            ForgeUnavailable: a page cannot be had, or names a next one elsewhere, or there are too many.
        """
        page = self.page("GET", path, query)
        for _ in range(MOST_PAGES):
            yield self.shaped(page, shape, path)
            following = _NEXT_PAGE.search(page.headers.get("link", ""))
            if following is None:
                return
            page = self.page("GET", self._own(following[1]))
        raise self.too_long(path)

    def too_long(self, path: str) -> ForgeUnavailable:
        """Return the error that a listing has too many pages."""
        return ForgeUnavailable(f"the listing has more than {MOST_PAGES} pages", where=self._where("GET", path))

    def shaped(self, page: Page, shape: type[Shape], path: str) -> Shape:
        """Return what an answer says, as what it should be.

        Raises:
            Malformed: it is not.
        """
        try:
            return TypeAdapter(shape).validate_python(page.content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the answer"
            raise Malformed(
                f"the answer is not as {self._name}'s reference says: {place}: {first['msg'].lower()}",
                where=self._where("GET", path),
                hint="check RECONCILER_FORGE and RECONCILER_FORGE_URL, and whether the forge's version is too old",
            ) from error

    def page(self, method: str, path: str, query: Query | None = None, body: Any = None) -> Page:
        """Return an answer as it is.

        Args:
            method: of HTTP.
            path: behind the base, or a whole address within it.
            query: what stands behind the question mark.
            body: what is sent along, as JSON.

        Raises:
            NotThere, NotAllowed, Refused: as they say.
            ForgeUnavailable: the forge cannot be asked, or does not answer with JSON.
        """
        where = self._where(method, path)
        known = self._known(method, path, query)
        for number in range(1, TRIES + 1):
            status, headers, content = self._ask(method, path, query, body, known)
            if status not in (_BUSY if method == "GET" else _NOT_DONE) or number == TRIES:
                break
            pause = _pause(headers, number)
            if pause > LONGEST_PAUSE:
                break
            time.sleep(pause)
        if status == 304 and known is not None:
            return known
        if not 200 <= status < 300:
            raise self._trouble(status, headers, content, where)
        if "json" not in headers.get("content-type", ""):
            kind = headers.get("content-type", "nothing").partition(";")[0][:60]
            raise ForgeUnavailable(
                f"{self._name} answers with {kind}, not with JSON",
                where=where,
                hint="check RECONCILER_FORGE_URL: it must be the address of the API, and the token must be good",
            )
        try:
            page = Page(orjson.loads(content), headers)
        except orjson.JSONDecodeError as error:
            raise ForgeUnavailable(f"{self._name}'s answer is broken JSON", where=where) from error
        if (
            method == "GET"
            and "etag" in headers
            and len(content) <= LARGEST_KEPT
            and not _may_be_full(page, path, query)
        ):
            self._keep(path, query, page)
        return page

    def _known(self, method: str, path: str, query: Query | None) -> Page | None:
        """Return what was answered to this before. A forge need not count what is asked for anew in vain."""
        with self._lock:
            return self._kept.get(_key(path, query)) if method == "GET" else None

    def _keep(self, path: str, query: Query | None, page: Page) -> None:
        with self._lock:
            self._kept.pop(_key(path, query), None)
            self._kept[_key(path, query)] = page
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]

    def _ask(
        self, method: str, path: str, query: Query | None, body: Any, known: Page | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Ask once; return status, headers and body."""
        address = path if path.startswith(("http://", "https://")) else self._base + path
        where = self._where(method, path)
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        if known is not None:
            headers["If-None-Match"] = known.headers["etag"]
        sent = orjson.dumps(body) if body is not None else None
        parameters = {key: str(value) for key, value in query.items()} if query else None
        latest = time.monotonic() + LONGEST_ANSWER
        content = bytearray()
        try:
            with (
                httpx2.Client(timeout=SILENCE, verify=self._trusted) as client,
                client.stream(method, address, params=parameters, headers=headers, content=sent) as answer,
            ):
                for chunk in answer.iter_bytes():
                    content += chunk
                    if len(content) > MOST_BYTES or time.monotonic() > latest:
                        raise ForgeUnavailable(f"{self._name}'s answer is too long, or too slow", where=where)
                found = {name.lower(): value for name, value in answer.headers.items()}
                return answer.status_code, found, bytes(content)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            why = self._harmless(str(error)) or type(error).__name__
            if isinstance(error, httpx2.TimeoutException):
                why = f"no answer within {SILENCE:.0f} s"
            raise ForgeUnavailable(
                f"{self._name} cannot be reached: {why}",
                where=where,
                hint="check the network and RECONCILER_FORGE_URL; it is tried again by itself",
            ) from error

    def _trouble(self, status: int, headers: Mapping[str, str], content: bytes, where: str) -> ForgeUnavailable:
        said = self._said(content)
        told = f"{self._name} answers {status}" + (f": {said}" if said else "")
        if status == 401:
            return NotAllowed(
                told, where=where, hint="the token is not good, or no longer: see RECONCILER_FORGE_TOKEN"
            )
        if _limits_rate(status, headers, said):
            return ForgeUnavailable(
                f"{told} (no more requests are allowed for now)",
                where=where,
                hint="give Reconciler a token of its own, or raise RECONCILER_FETCH_SECONDS; it is tried again",
            )
        if status == 403:
            return NotAllowed(
                told, where=where, hint="the token may not do this: see the how-to page of the forge"
            )
        if status in (404, 410):
            hint = "check RECONCILER_FORGE_PROJECT, and that the token may read it"
            return NotThere(told, where=where, hint=hint)
        if 300 <= status < 400:
            hint = (
                "the project was moved: set RECONCILER_FORGE_PROJECT and RECONCILER_FORGE_URL to where it is now"
            )
            return ForgeUnavailable(told, where=where, hint=hint)
        if status < 500:
            return Refused(told, where=where)
        return ForgeUnavailable(told, where=where, hint="the forge has trouble; it is tried again by itself")

    def _said(self, content: bytes) -> str:
        """Return what a forge says of its trouble, on one line."""
        try:
            found = orjson.loads(content)
        except orjson.JSONDecodeError:
            return ""
        said = found.get("message") or found.get("error") if isinstance(found, dict) else None
        return self._harmless(said if isinstance(said, str) else "")

    def _harmless(self, text: str) -> str:
        return for_terminal(redact(text, self._secrets), _MOST_CHARACTERS)

    def _own(self, address: str) -> str:
        """Return an address that a page names, if our secrets may go there."""
        ours, theirs = urlsplit(self._base), urlsplit(address)
        if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            raise ForgeUnavailable(
                f"{self._name} names a next page on another server, {theirs.hostname}",
                where=self._base,
                hint="check RECONCILER_FORGE_URL: it must be the address that the forge calls itself",
            )
        return address

    def _where(self, method: str, path: str) -> str:
        address = path if path.startswith(("http://", "https://")) else self._base + path
        return f"{method} {address.partition('?')[0]}"


def _may_be_full(page: Page, path: str, query: Query | None) -> bool:
    """Return whether a page of a listing may have another one behind it by the next time.

    An ETag covers what a page holds and not its ``Link`` header: a full page is the same when a next one begins.
    """
    said = dict(parse_qsl(urlsplit(path).query)) | {key: str(value) for key, value in (query or {}).items()}
    sizes = [int(said[name]) for name in _PAGE_SIZES if said.get(name, "").isdigit()]
    if "link" in page.headers and _NEXT_PAGE.search(page.headers["link"]):
        return True
    lists = page.content.values() if isinstance(page.content, dict) else (page.content,)
    longest = max((len(found) for found in lists if isinstance(found, list)), default=0)
    return any(longest >= size for size in sizes)


def _limits_rate(status: int, headers: Mapping[str, str], said: str) -> bool:
    """Return whether an answer says that too much was asked for.

    GitHub's secondary limits come as 403, and at times without a header that says so.

    Source: docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    if status == 429:
        return True
    told = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    return status == 403 and (told or _RATE_LIMIT.search(said) is not None)


def _key(path: str, query: Query | None) -> str:
    return f"{path}?{sorted(query.items()) if query else ''}"


def _pause(headers: Mapping[str, str], number: int) -> float:
    """Return the seconds to wait before asking again: what the forge asks for, else more each time."""
    asked = headers.get("retry-after", "")
    return float(asked) if asked.isdigit() else _FIRST_PAUSE * 2 ** (number - 1)
