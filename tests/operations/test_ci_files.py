"""The CI files: their commands are commands of this version, and their scripts do what they say, on a forge that
stands in for the real one."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pygit2
import pytest
import typer
import yaml

from reconciler.operations.init import Forge, init
from reconciler.operations.scaffold.forges import CI_FILES
from reconciler.testing.workspace import AUTHOR
from tests.operations.conftest import APP, catalog

MARK = "<!-- reconciler plan -->"
VERSION_1 = {
    "environments/catalog/app.yaml": catalog(APP, v1_0_0=1, v2_0_0=2),
    "environments/dev/environment.yaml": "packages:\n  app: 1.0.0\n",
}
VERSION_2 = {"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"}
TYPO = {"environments/dev/environment.yaml": "packages:\n  ap: 2.0.0\n"}


def ci_file(folder: Path, forge: Forge) -> Any:
    return yaml.safe_load((folder / CI_FILES[forge]).read_text("utf-8"))


def scripts(forge: Forge, content: Any) -> list[str]:
    """Return the shell scripts of a CI file, in their order."""
    if forge is Forge.GITHUB:
        return [step["run"] for step in content["jobs"]["desired-state"]["steps"] if "run" in step]
    if forge is Forge.GITLAB:
        return [*content["desired-state"]["before_script"], *content["desired-state"]["script"]]
    return [step["bash"] for step in content["steps"] if "bash" in step]


@pytest.mark.parametrize("forge", Forge)
def test_the_commands_are_commands_of_this_version(tmp_path: Path, forge: Forge) -> None:
    from reconciler.cli.main import app

    init(tmp_path, forge, git=False)
    lines = "\n".join(scripts(forge, ci_file(tmp_path, forge))).splitlines()
    commands = [line.strip() for line in lines if re.match(r"\s*reconciler ", line)]
    assert {shlex.split(command)[1] for command in commands} == {"validate", "plan"}
    group: Any = typer.main.get_command(app)
    for command in commands:
        words = shlex.split(re.split(r"\s(?:>|\|\|)", command)[0])[1:]
        chosen = group.commands[words[0]]
        chosen.make_context(words[0], words[1:])


def test_a_merge_queue_at_github_has_the_desired_state_checked(tmp_path: Path) -> None:
    """A queue waits for every required check on the commit that it would merge."""
    init(tmp_path, Forge.GITHUB, git=False)
    content = ci_file(tmp_path, Forge.GITHUB)
    assert set(content[True]) == {"pull_request", "merge_group"}, "YAML 1.1 reads the key on as true"
    (comment,) = [step for step in content["jobs"]["desired-state"]["steps"] if "script" in step.get("with", {})]
    assert "github.event_name == 'pull_request'" in comment["if"]


class Forgery(ThreadingHTTPServer):
    """Takes comments as GitLab and Azure Repos do, and keeps them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.comments: dict[int, str] = {7: "somebody else's"}
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def ours(self) -> list[str]:
        return [text for text in self.comments.values() if text.startswith(MARK)]


class _Handler(BaseHTTPRequestHandler):
    server: Forgery

    def do_GET(self) -> None:
        notes = [{"id": key, "body": text} for key, text in self.server.comments.items()]
        threads = [
            {"id": key, "comments": [{"id": 1, "content": text}]} for key, text in self.server.comments.items()
        ]
        self._answer(notes if "/notes" in self.path else {"value": threads})

    def do_POST(self) -> None:
        self.server.comments[max(self.server.comments) + 1] = self._text()
        self._answer({})

    def do_PUT(self) -> None:
        self.server.comments[int(urlsplit(self.path).path.rsplit("/", 1)[1])] = self._text()
        self._answer({})

    def do_PATCH(self) -> None:
        thread = re.search(r"/threads/(\d+)/comments/1\?", self.path)
        assert thread is not None
        self.server.comments[int(thread.group(1))] = self._text()
        self._answer({})

    def _text(self) -> str:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
        if self.headers["Content-Type"] == "application/json":
            said = json.loads(body)
            return str((said["comments"][0] if "comments" in said else said)["content"])
        return parse_qs(body)["body"][0]

    def _answer(self, content: object) -> None:
        secret = self.headers["PRIVATE-TOKEN"] or self.headers["Authorization"]
        self.server.requests.append((self.command, self.path))
        self.send_response(200 if secret in ("s3cret", "Bearer s3cret") else 401)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def forgery() -> Iterator[Forgery]:
    with Forgery() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class PullRequest:
    """A repository as a build job has it: at the merge of a branch into main."""

    def __init__(self, folder: Path, forge: Forge) -> None:
        self.folder = folder
        init(folder, forge, git=False)
        self._git = pygit2.init_repository(str(folder), initial_head="main")
        self.base = self._commit(VERSION_1, [])
        self._merge: str | None = None

    def merge(self, files: dict[str, str]) -> None:
        """Have the branch change files, and check the merge out."""
        branch = self._commit(files, [self.base])
        tree = self._git[branch].peel(pygit2.Commit).tree.id
        parents = [pygit2.Oid(hex=self.base), pygit2.Oid(hex=branch)]
        merged = self._git.create_commit(None, AUTHOR, AUTHOR, "merge", tree, parents)
        self._git.set_head(merged)

    def _commit(self, files: dict[str, str], parents: list[str]) -> str:
        for name, text in files.items():
            (self.folder / name).write_text(text, "utf-8")
        self._git.index.add_all()
        tree = self._git.index.write_tree()
        oids = [pygit2.Oid(hex=parent) for parent in parents]
        return str(self._git.create_commit(None, AUTHOR, AUTHOR, "change", tree, oids))

    def run(self, script: str, shell: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
        here = Path(sys.executable).parent
        return subprocess.run(
            [*shell, "-c", script],
            cwd=self.folder,
            env={"PATH": f"{here}:{os.environ['PATH']}", "no_proxy": "127.0.0.1", **environment},
            capture_output=True,
            text=True,
            check=False,
        )


def gitlab(request: PullRequest, forgery: Forgery, token: str = "s3cret") -> subprocess.CompletedProcess[str]:
    script = "\n".join(ci_file(request.folder, Forge.GITLAB)["desired-state"]["script"])
    return request.run(
        script,
        ["bash", "-eo", "pipefail"],
        CI_API_V4_URL=f"{forgery.url}/api/v4",
        CI_PROJECT_ID="12",
        CI_MERGE_REQUEST_IID="3",
        CI_MERGE_REQUEST_DIFF_BASE_SHA=request.base,
        RECONCILER_TOKEN=token,
    )


def azure(request: PullRequest, forgery: Forgery) -> list[subprocess.CompletedProcess[str]]:
    """Run the steps after the installation as the agent does, by their conditions."""
    _, validate, plan, show = scripts(Forge.AZURE, ci_file(request.folder, Forge.AZURE))
    environment = {
        "SYSTEM_COLLECTIONURI": f"{forgery.url}/contoso/",
        "SYSTEM_TEAMPROJECTID": "p",
        "BUILD_REPOSITORY_ID": "r",
        "SYSTEM_PULLREQUEST_PULLREQUESTID": "3",
        "SYSTEM_ACCESSTOKEN": "s3cret",
    }
    done = [request.run(validate, ["bash"], **environment)]
    if done[0].returncode == 0:
        done.append(request.run(plan, ["bash"], **environment))
    return [*done, request.run(show, ["bash"], **environment)]


def test_gitlab_shows_the_plan_and_updates_it_in_place(tmp_path: Path, forgery: Forgery) -> None:
    request = PullRequest(tmp_path, Forge.GITLAB)
    request.merge(VERSION_2)
    first = gitlab(request, forgery)
    assert first.returncode == 0, first.stderr
    (shown,) = forgery.ours
    assert "1.0.0" in shown
    assert "2.0.0" in shown
    request.merge({"environments/dev/environment.yaml": "packages:\n  app: absent\n"})
    assert gitlab(request, forgery).returncode == 0
    (now,) = forgery.ours
    assert "1.0.0 -> 2.0.0" not in now
    assert "REMOVE" in now
    assert forgery.comments[7] == "somebody else's"
    assert [method for method, _ in forgery.requests] == ["GET", "POST", "GET", "PUT"]
    assert forgery.requests[1][1] == "/api/v4/projects/12/merge_requests/3/notes"


def test_gitlab_reports_findings_as_code_quality(tmp_path: Path, forgery: Forgery) -> None:
    request = PullRequest(tmp_path, Forge.GITLAB)
    request.merge(TYPO)
    done = gitlab(request, forgery)
    assert done.returncode != 0
    assert "environments/dev/environment.yaml:2:3: error:" in done.stdout
    (finding,) = json.loads((tmp_path / "code-quality.json").read_text())
    assert finding["location"] == {"path": "environments/dev/environment.yaml", "lines": {"begin": 2}}
    assert {"description", "check_name", "fingerprint", "severity"} < finding.keys()
    (shown,) = forgery.ours
    assert "does not validate" in shown


def test_gitlab_without_a_token_shows_the_plan_in_the_log(tmp_path: Path, forgery: Forgery) -> None:
    request = PullRequest(tmp_path, Forge.GITLAB)
    request.merge(VERSION_2)
    done = gitlab(request, forgery, token="")
    assert done.returncode == 0
    assert "RECONCILER_TOKEN" in done.stderr
    assert "2.0.0" in done.stdout
    assert forgery.requests == []


def test_gitlab_fails_where_its_token_is_not_taken(tmp_path: Path, forgery: Forgery) -> None:
    request = PullRequest(tmp_path, Forge.GITLAB)
    request.merge(VERSION_2)
    assert gitlab(request, forgery, token="wrong").returncode != 0


def test_azure_shows_the_plan_and_updates_it_in_place(tmp_path: Path, forgery: Forgery) -> None:
    request = PullRequest(tmp_path, Forge.AZURE)
    request.merge(VERSION_2)
    assert [done.returncode for done in azure(request, forgery)] == [0, 0, 0]
    (shown,) = forgery.ours
    assert "2.0.0" in shown
    request.merge({"environments/dev/environment.yaml": "packages:\n  app: absent\n"})
    assert [done.returncode for done in azure(request, forgery)] == [0, 0, 0]
    (now,) = forgery.ours
    assert "1.0.0 -> 2.0.0" not in now
    assert "REMOVE" in now
    assert forgery.comments[7] == "somebody else's"
    assert [method for method, _ in forgery.requests] == ["GET", "POST", "GET", "PATCH"]
    assert forgery.requests[1][1] == "/contoso/p/_apis/git/repositories/r/pullRequests/3/threads?api-version=7.0"


def test_azure_annotates_findings(tmp_path: Path, forgery: Forgery) -> None:
    request = PullRequest(tmp_path, Forge.AZURE)
    request.merge(TYPO)
    validated, shown = azure(request, forgery)
    assert validated.returncode != 0
    assert (
        "##vso[task.logissue type=error;sourcepath=environments/dev/environment.yaml;linenumber=2;columnnumber=3;"
        "code=unknown-package]" in validated.stdout
    )
    assert shown.returncode == 0, shown.stderr
    assert "does not validate" in forgery.ours[0]


GITHUB_SHIM = """
const comments = JSON.parse(process.env.COMMENTS)
const github = {
  paginate: async (method, options) => method(options),
  rest: { issues: {
    listComments: async () => comments,
    createComment: async ({ issue_number, body }) => comments.push({ id: 9, user: { type: 'Bot' }, body }),
    updateComment: async ({ comment_id, body }) => { comments.find(c => c.id === comment_id).body = body },
  } },
}
const context = { repo: { owner: 'contoso', repo: 'fleet' }, issue: { number: 3 } }
const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor
const script = new AsyncFunction('github', 'context', 'require', process.env.SCRIPT)
script(github, context, require).then(() => console.log(JSON.stringify(comments)))
"""


def github(request: PullRequest, tmp_path: Path, comments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run the steps after the installation as a runner does; return the comments that are there then."""
    steps = ci_file(request.folder, Forge.GITHUB)["jobs"]["desired-state"]["steps"]
    summary = tmp_path / "summary.md"
    for script in scripts(Forge.GITHUB, ci_file(request.folder, Forge.GITHUB))[1:]:
        done = request.run(script, ["bash", "-e"], GITHUB_STEP_SUMMARY=str(summary))
        if done.returncode != 0:
            assert "::error file=environments/dev/environment.yaml,line=2" in done.stdout
            break
    script = steps[-1]["with"]["script"]
    shim = tmp_path / "shim.cjs"
    shim.write_text(GITHUB_SHIM)
    done = request.run(f"node {shim}", ["bash", "-e"], SCRIPT=script, COMMENTS=json.dumps(comments))
    assert done.returncode == 0, done.stderr
    now: list[dict[str, Any]] = json.loads(done.stdout)
    return now


@pytest.mark.skipif(
    shutil.which("node") is None, reason="actions/github-script runs on Node.js, which is not here"
)
def test_github_shows_the_plan_and_updates_it_in_place(tmp_path: Path) -> None:
    request = PullRequest(tmp_path / "fleet", Forge.GITHUB)
    request.merge(VERSION_2)
    forged = {"id": 5, "user": {"type": "User"}, "body": f"{MARK} by somebody who is no bot"}
    first = github(request, tmp_path, [forged])
    assert [comment["id"] for comment in first] == [5, 9]
    assert "2.0.0" in first[1]["body"]
    assert "2.0.0" in (tmp_path / "summary.md").read_text()
    request.merge({"environments/dev/environment.yaml": "packages:\n  app: absent\n"})
    second = github(request, tmp_path, first)
    assert [comment["id"] for comment in second] == [5, 9]
    assert "1.0.0 -> 2.0.0" not in second[1]["body"]
    assert "REMOVE" in second[1]["body"]
    assert second[0] == forged


@pytest.mark.skipif(
    shutil.which("node") is None, reason="actions/github-script runs on Node.js, which is not here"
)
def test_github_says_so_where_there_is_no_plan(tmp_path: Path) -> None:
    request = PullRequest(tmp_path / "fleet", Forge.GITHUB)
    request.merge(TYPO)
    (comment,) = github(request, tmp_path, [])
    assert "does not validate" in comment["body"]
