"""The git server on what no git client sends: packed bodies, bombs, rubbish, web pages; and the changes' API."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import ssl
import zlib
from typing import Any

import pytest

from tests.system.review.conftest import HostedServer, Person, prod

UPLOAD = "application/x-git-upload-pack-request"
RECEIVE = "application/x-git-receive-pack-request"


def ask(
    person: Person, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    host, port = person.server.url.removeprefix("https://").split(":")
    trust = ssl.create_default_context(cafile=str(person.server.ca))
    connection = http.client.HTTPSConnection(host, int(port), context=trust, timeout=30)
    basic = base64.b64encode(f"{person.name}:{person.password}".encode()).decode()
    sent = {
        "Authorization": f"Basic {basic}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    try:
        connection.request(method, path, body or None, sent)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def packet(text: bytes) -> bytes:
    return b"%04x" % (len(text) + 4) + text


def test_discovery_is_as_git_http_backend_gives_it(ann: Person) -> None:
    path = "/git/desired.git/info/refs?service=git-upload-pack"
    status, headers, body = ask(ann, "GET", path)
    assert status == 200
    assert headers["content-type"] == "application/x-git-upload-pack-advertisement"
    assert headers["cache-control"] == "no-cache"
    assert body.startswith(b"001e# service=git-upload-pack\n0000")
    _, _, newer = ask(ann, "GET", path, Git_Protocol="version=2")
    assert newer.startswith(b"000eversion 2\n")
    assert ask(ann, "GET", "/git/desired.git/info/refs")[0] == 403
    assert ask(ann, "GET", "/git/desired.git/HEAD")[0] == 404
    assert ask(ann, "GET", "/git/../review-key")[0] == 404


def test_a_packed_request_is_unpacked_and_a_bomb_is_not(ann: Person) -> None:
    head = ann.git("rev-parse", "origin/main").stdout.strip()
    wanted = packet(f"want {head} no-progress\n".encode()) + b"0000" + packet(b"done\n")
    path = "/git/desired.git/git-upload-pack"
    status, _, body = ask(ann, "POST", path, gzip.compress(wanted), Content_Type=UPLOAD, Content_Encoding="gzip")
    assert (status, body[:8]) == (200, b"0008NAK\n")
    assert b"PACK" in body
    bomb = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    packed = bomb.compress(bytes(64 * 1024 * 1024)) + bomb.flush()
    assert len(packed) < 100_000
    assert ask(ann, "POST", path, packed, Content_Type=UPLOAD, Content_Encoding="gzip")[0] == 413
    more = gzip.compress(wanted) + b"x" * 100_000
    assert ask(ann, "POST", path, more, Content_Type=UPLOAD, Content_Encoding="gzip")[0] == 413
    assert ask(ann, "POST", path, b"no gzip", Content_Type=UPLOAD, Content_Encoding="gzip")[0] == 400
    cut = gzip.compress(wanted)[:-4]
    assert ask(ann, "POST", path, cut, Content_Type=UPLOAD, Content_Encoding="gzip")[0] == 400
    assert ask(ann, "POST", path, wanted, Content_Type=UPLOAD, Content_Encoding="br")[0] == 415


@pytest.mark.parametrize("body", [b"", b"zzzz", b"0005", b"ffffshort", packet(b"hello"), b"0001", b"-001" * 9])
def test_what_is_no_push_is_refused_and_put_down_nowhere(server: HostedServer, ann: Person, body: bytes) -> None:
    assert ask(ann, "POST", "/git/desired.git/git-receive-pack", body, Content_Type=RECEIVE)[0] == 400
    assert len(server.audit("pushed")) == 1
    assert ann.propose("one", prod("2.0.0"), "One")


def test_a_web_page_can_have_a_browser_send_nothing_that_counts(ann: Person) -> None:
    head = ann.propose("one", prod("2.0.0"), "One")
    zero = "0" * 40
    push = packet(f"{head} {zero} refs/heads/one\0 report-status\n".encode()) + b"0000"
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert ask(ann, "POST", "/git/desired.git/git-receive-pack", push, Content_Type=kind)[0] == 415
        assert ask(ann, "POST", "/api/changes/1/merge", b"{}", Content_Type=kind)[0] == 400
    assert len(ann.change("list")) == 1


def test_the_api_answers_what_is_wrong_in_words(server: HostedServer, ann: Person) -> None:
    ann.propose("one", prod("2.0.0"), "One")

    def told(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        status, _, answer = ask(ann, method, path, content, **{"Content_Type": "application/json", **headers})
        return status, json.loads(answer)["error"]["what"]

    assert told("GET", "/api/changes?state=odd") == (400, "'odd' is no state")
    assert told("GET", "/api/changes/99") == (404, "there is no change 99")
    assert told("POST", "/api/changes/1/reviews", {}) == (400, "the verdict is missing")
    assert told("POST", "/api/changes/1/reviews", b"{") == (400, "the content is no JSON")
    assert told("POST", "/api/changes/1/reviews", []) == (400, "the content is no JSON object")
    assert told("POST", "/api/changes/1/reviews", {"verdict": 1}) == (400, "verdict must be a text")
    wrong = {"verdict": "approved", "head": "main"}
    assert told("POST", "/api/changes/1/reviews", wrong) == (400, "'main' is no commit")
    assert told("POST", "/api/changes/1/merge", b" " * 70_000)[0] == 400
    ann.password = "guess"
    status, headers, _ = ask(ann, "GET", "/api/changes")
    assert (status, headers["www-authenticate"]) == (401, 'Basic realm="Reconciler"')
    for _ in range(10):
        status, headers, _ = ask(ann, "GET", "/git/desired.git/info/refs?service=git-upload-pack")
    assert status == 429
    assert int(headers["retry-after"]) >= 1
