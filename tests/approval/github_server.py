"""A small GitHub with a memory, where one exchange is not enough. Its answers have documented fields alone."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass, field
from typing import Any

from werkzeug import Request, Response

PROJECT = "acme/desired"
TOKEN = "a-token-that-nobody-may-see"
_AT = "2026-03-02T08:00:00Z"


def user(name: str) -> dict[str, Any]:
    return {"login": name, "id": zlib.crc32(name.encode()), "type": "User"}


@dataclass
class GitHubServer:
    """Pull requests, what was said of them, statuses and comments. ``away`` answers everything with an error."""

    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    reviews: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    comments: dict[int, str] = field(default_factory=dict)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    away: bool = False

    def open(self, number: int, branch: str, head: str, by: str, *, fork: str = "") -> None:
        owner = fork or "acme"
        self.pulls[number] = {
            "number": number,
            "html_url": f"https://github.example/{PROJECT}/pull/{number}",
            "state": "open",
            "title": f"change {number}",
            "body": "",
            "user": user(by),
            "created_at": _AT,
            "merged_at": None,
            "merge_commit_sha": None,
            "merged_by": None,
            "commits": 1,
            "head": {
                "label": f"{owner}:{branch}",
                "ref": branch,
                "sha": head,
                "repo": {"full_name": f"{owner}/desired"},
            },
            "base": {"label": "acme:main", "ref": "main", "sha": "0" * 40, "repo": {"full_name": PROJECT}},
        }

    def approve(self, number: int, by: str) -> None:
        head = self.pulls[number]["head"]["sha"]
        said = {"id": 1, "user": user(by), "body": "", "state": "APPROVED", "submitted_at": _AT, "commit_id": head}
        self.reviews.setdefault(number, []).append(said)

    def merge(self, number: int, commit: str, by: str) -> None:
        self.pulls[number] |= {
            "state": "closed",
            "merged_at": _AT,
            "merge_commit_sha": commit,
            "merged_by": user(by),
        }

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        path = request.path.removeprefix(f"/repos/{PROJECT}")
        self.asked.append(f"{request.method} {path}")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _json({"message": "Bad credentials"}, 401)
        if self.away:
            return _json({"message": "Server Error"}, 503)
        body = json.loads(request.get_data()) if request.get_data() else {}
        for pattern, handler in _ROUTES:
            found = re.fullmatch(pattern, f"{request.method} {path}")
            if found is not None:
                return _json(*handler(self, request.args, body, *found.groups()))
        return _json({"message": "Not Found"}, 404)

    def _list(self, asked: Any, _body: Any) -> tuple[Any, int]:
        heads = (None, asked.get("head"))
        wanted = [pull for pull in self.pulls.values() if pull["state"] == "open"]
        found = [pull for pull in wanted if asked.get("head") is None or pull["head"]["label"] in heads]
        return [_listed(pull) for pull in found], 200

    def _create(self, _asked: Any, body: Any) -> tuple[Any, int]:
        number = max(self.pulls, default=0) + 1
        self.open(number, body["head"], "f" * 40, "reconciler")
        self.pulls[number] |= {"title": body["title"], "body": body["body"]}
        return self.pulls[number], 201

    def _update(self, _asked: Any, body: Any, number: str) -> tuple[Any, int]:
        self.pulls[int(number)] |= body
        return self.pulls[int(number)], 200

    def _show(self, _asked: Any, _body: Any, number: str) -> tuple[Any, int]:
        return self.pulls[int(number)], 200

    def _reviews(self, _asked: Any, _body: Any, number: str) -> tuple[Any, int]:
        return self.reviews.get(int(number), []), 200

    def _nothing(self, *_: Any) -> tuple[Any, int]:
        return [], 200

    def _of_commit(self, _asked: Any, _body: Any, commit: str) -> tuple[Any, int]:
        return [_listed(pull) for pull in self.pulls.values() if pull["merge_commit_sha"] == commit], 200

    def _check_runs(self, *_: Any) -> tuple[Any, int]:
        return {"total_count": 0, "check_runs": []}, 200

    def _statuses(self, _asked: Any, _body: Any, commit: str) -> tuple[Any, int]:
        found = [status for status in reversed(self.statuses) if status["sha"] == commit]
        return [{key: value for key, value in status.items() if key != "sha"} for status in found], 200

    def _activity(self, *_: Any) -> tuple[Any, int]:
        told = []
        for pull in self.pulls.values():
            before = {"before": "0" * 40, "ref": f"refs/heads/{pull['head']['ref']}", "timestamp": _AT}
            pushed = {"id": 1, "after": pull["head"]["sha"], "activity_type": "push", "actor": pull["user"]}
            told.append(before | pushed)
        return told, 200

    def _timeline(self, _asked: Any, _body: Any, number: str) -> tuple[Any, int]:
        commit = self.pulls[int(number)]["merge_commit_sha"]
        merged = {"id": 1, "event": "merged", "commit_id": commit, "created_at": _AT, "actor": user("cleo")}
        return [merged] if commit else [], 200

    def _set_status(self, _asked: Any, body: Any, commit: str) -> tuple[Any, int]:
        self.statuses.append({"id": len(self.statuses), "sha": commit, "creator": user("reconciler"), **body})
        return {"id": len(self.statuses), **body}, 201

    def _comments(self, *_: Any) -> tuple[Any, int]:
        return [{"id": number, "body": text, "user": user("x")} for number, text in self.comments.items()], 200

    def _comment(self, _asked: Any, body: Any, _number: str) -> tuple[Any, int]:
        number = len(self.comments) + 1
        self.comments[number] = body["body"]
        return {"id": number, **body}, 201

    def _edit(self, _asked: Any, body: Any, number: str) -> tuple[Any, int]:
        self.comments[int(number)] = body["body"]
        return {"id": int(number), **body}, 200


_ROUTES: list[tuple[str, Any]] = [
    (r"GET /pulls", GitHubServer._list),
    (r"POST /pulls", GitHubServer._create),
    (r"PATCH /pulls/(\d+)", GitHubServer._update),
    (r"GET /pulls/(\d+)", GitHubServer._show),
    (r"GET /pulls/(\d+)/reviews", GitHubServer._reviews),
    (r"GET /pulls/\d+/commits", GitHubServer._nothing),
    (r"GET (?:/repos/\w+/desired)?/activity", GitHubServer._activity),
    (r"GET /issues/(\d+)/timeline", GitHubServer._timeline),
    (r"GET /git/matching-refs/.*", GitHubServer._nothing),
    (r"GET /commits/(\w+)/pulls", GitHubServer._of_commit),
    (r"GET /commits/\w+/check-runs", GitHubServer._check_runs),
    (r"GET /commits/(\w+)/statuses", GitHubServer._statuses),
    (r"POST /statuses/(\w+)", GitHubServer._set_status),
    (r"GET /issues/\d+/comments", GitHubServer._comments),
    (r"POST /issues/(\d+)/comments", GitHubServer._comment),
    (r"PATCH /issues/comments/(\d+)", GitHubServer._edit),
]


def _listed(pull: dict[str, Any]) -> dict[str, Any]:
    """Return a pull request as listings have it."""
    return {key: value for key, value in pull.items() if key not in ("commits", "merged_by")}


def _json(content: Any, status: int) -> Response:
    return Response(json.dumps(content), status, content_type="application/json")
