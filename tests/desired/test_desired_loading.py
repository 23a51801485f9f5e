"""Loading: what a valid repository comes to, and what only git or a file system can hold against one."""

from __future__ import annotations

import gc
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pygit2
import pytest
from pygit2.enums import FileMode, ObjectType

from reconciler.desired import loading, reading
from reconciler.desired.cache import LoadCache
from reconciler.desired.findings import Finding, Rule, as_json, render_text
from reconciler.desired.loading import load, load_folder
from reconciler.desired.manifests import MOST_OVERRIDES
from reconciler.desired.model import ABSENT, UNCOMMITTED, DesiredState
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.desired.suggestions import MOST_SEARCHES, Suggester
from reconciler.desired.yaml_reader import MOST_BYTES

Files = dict[str, Any]

SIGNATURE = pygit2.Signature("Ada Author", "ada@example.com", 1_700_000_000, 120)


def rules(findings: tuple[Finding, ...]) -> list[tuple[str, Rule]]:
    return [(finding.path, finding.rule) for finding in findings]


@pytest.fixture
def state(origin: Any, repository: GitRepository, valid: Files) -> DesiredState:
    loaded = load(repository, origin.commit(valid))
    assert loaded.state is not None, render_text(loaded.findings)
    return loaded.state


def test_the_state_says_what_the_files_say(state: DesiredState, repository: GitRepository) -> None:
    assert state.revision == repository.head("main")
    assert list(state.packages) == ["agent", "tool"]
    assert [release.version for release in state.packages["agent"].releases] == ["1.0.0", "1.1.0", "2.0.0"]
    assert state.packages["tool"].releases[0].version == "23.10"
    assert state.packages["tool"].releases[0].product_code == "{AAAAAAAA-0000-0000-0000-000000000004}"
    assert state.environments["prod"].promotes_from == "uat"
    assert state.environments["uat"].promotes_from is None
    assert state.hosts["PROD-01"].labels == {"site": "oslo"}
    assert state.hosts["PROD-01"].packages == {"tool": ABSENT}


def test_a_host_takes_its_own_versions_before_its_environments(state: DesiredState) -> None:
    agent = state.packages["agent"].release("1.1.0")
    assert agent is not None
    assert state.wanted("prod", "prod-01") == {"agent": agent, "tool": None}
    assert state.wanted("prod", "PROD-77") == {"agent": agent}
    assert state.wanted("prod") == {"agent": agent}


def test_an_override_counts_in_the_hosts_own_environment_only(state: DesiredState) -> None:
    assert list(state.wanted("uat", "PROD-01").values()) == [
        state.packages["agent"].release("2.0.0"),
        state.packages["tool"].release("23.10"),
    ]


def test_a_file_decides_a_hosts_environment_and_else_its_enrolment(state: DesiredState) -> None:
    assert state.environment_of("prod-01", "uat") == "prod"
    assert state.environment_of("NEW-01", "uat") == "uat"
    assert state.environment_of("NEW-01", "gone") is None
    assert state.environment_of("NEW-01") is None


def test_a_folder_gives_the_same_state(state: DesiredState, tmp_path: Path, valid: Files) -> None:
    write(tmp_path, valid)
    loaded = load_folder(tmp_path / "environments")
    assert loaded.state is not None
    assert loaded.state.revision == UNCOMMITTED
    assert loaded.state.packages == state.packages
    assert loaded.state.environments == state.environments
    assert loaded.state.hosts == state.hosts


def test_links_and_submodules(origin: Any, repository: GitRepository, valid: Files) -> None:
    valid["environments/prod/hosts/PROD-02.yaml"] = (FileMode.LINK, "/etc/passwd")
    valid["environments/prod/shared"] = (FileMode.COMMIT, "1" * 40)
    valid["environments/uat/hosts"] = (FileMode.LINK, "../prod/hosts")
    assert rules(load(repository, origin.commit(valid)).findings) == [
        ("environments/prod/hosts/PROD-02.yaml", Rule.SYMLINK),
        ("environments/prod/shared", Rule.SUBMODULE),
        ("environments/uat/hosts", Rule.SYMLINK),
    ]


def test_links_and_nested_repositories_in_a_folder(tmp_path: Path, valid: Files) -> None:
    write(tmp_path, valid)
    root = tmp_path / "environments"
    (root / "prod/hosts/PROD-02.yaml").symlink_to("/etc/passwd")
    (root / "uat/hosts").symlink_to(root / "prod/hosts")
    (root / "nested/.git").mkdir(parents=True)
    found = [(Path(path).relative_to(root).as_posix(), rule) for path, rule in rules(load_folder(root).findings)]
    assert found == [
        ("nested", Rule.SUBMODULE),
        ("prod/hosts/PROD-02.yaml", Rule.SYMLINK),
        ("uat/hosts", Rule.SYMLINK),
    ]


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path, valid: Files) -> None:
    write(tmp_path, valid)
    os.mkfifo(tmp_path / "environments/prod/hosts/PROD-02.yaml")
    findings = load_folder(tmp_path / "environments").findings
    assert [finding.rule for finding in findings] == [Rule.SPECIAL_FILE]


@pytest.mark.parametrize(
    "names",
    [[b"A.yaml", b"A.yaml"], [b"A.yaml", b"B.yaml", b"A.yaml"], [b".."], [b"a/B.yaml"]],
    ids=["twice", "twice apart", "up", "slash"],
)
def test_a_tree_that_git_would_not_write_is_refused(
    names: list[bytes], origin: Any, repository: GitRepository, valid: Files
) -> None:
    commit = origin.commit(valid)
    cache = LoadCache()
    load(repository, commit, cache=cache)
    handle = pygit2.Repository(str(origin.folder))
    tree = handle[commit].peel(pygit2.Tree)
    blob = handle.create_blob(b"")
    hosts = b"".join(b"100644 %s\0" % name + blob.raw for name in names)
    folder = handle.odb.write(ObjectType.TREE, hosts)
    for path in ("hosts", "prod", "environments"):
        below: Any = tree / "environments" / "prod" if path == "hosts" else tree / "environments"
        builder = handle.TreeBuilder(below if path != "environments" else tree)
        builder.insert(path, folder, FileMode.TREE)
        folder = builder.write()
    bad = str(handle.create_commit(None, SIGNATURE, SIGNATURE, "x", folder, [commit]))
    for known in (None, cache):
        with pytest.raises(RepositoryError, match="cannot be read"):
            load(repository, bad, cache=known)


def test_a_name_that_is_not_utf8(origin: Any, repository: GitRepository, valid: Files) -> None:
    commit = origin.commit(valid)
    handle = pygit2.Repository(str(origin.folder))
    tree = handle[commit].peel(pygit2.Tree)
    root = handle.odb.write(ObjectType.TREE, b"100644 caf\xe9.yaml\0" + handle.create_blob(b"").raw)
    builder = handle.TreeBuilder(tree)
    builder.insert("environments", root, FileMode.TREE)
    bad = str(handle.create_commit(None, SIGNATURE, SIGNATURE, "x", builder.write(), [commit]))
    findings = load(repository, bad).findings
    assert ("environments/caf\udce9.yaml", Rule.MISPLACED_FILE) in rules(findings)


def test_files_that_are_too_large_together(
    origin: Any, repository: GitRepository, valid: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES_IN_ALL", 1500)
    for number in range(10):
        valid[f"environments/uat/hosts/H-{number}.yaml"] = "#" * 200
    findings = load(repository, origin.commit(valid)).findings
    assert [finding.rule for finding in findings].count(Rule.TOO_LARGE) == 1


def test_a_huge_file_is_not_read(
    origin: Any, repository: GitRepository, valid: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    valid["environments/prod/hosts/PROD-02.yaml"] = b"#" * (MOST_BYTES + 1)
    commit = origin.commit(valid)
    read: list[int] = []
    plain = GitRepository.read
    monkeypatch.setattr(GitRepository, "read", lambda self, oid: read.append(self.size(oid)) or plain(self, oid))
    findings = load(repository, commit).findings
    assert rules(findings) == [("environments/prod/hosts/PROD-02.yaml", Rule.TOO_LARGE)]
    assert max(read) < 2000


def test_too_many_files(
    origin: Any, repository: GitRepository, valid: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "MOST_FILES", 5)
    findings = load(repository, origin.commit(valid)).findings
    assert Rule.TOO_MANY_FILES in {finding.rule for finding in findings}


def test_a_tree_that_holds_itself_many_times_over_ends(
    origin: Any, repository: GitRepository, valid: Files
) -> None:
    for level in range(30):
        valid["environments/bomb" + "/x" * level + "/y.yaml"] = ""
    findings = load(repository, origin.commit(valid)).findings
    assert ("environments/bomb/x/x/x/x", Rule.MISPLACED_FILE) in rules(findings)


def test_a_missing_root(origin: Any, repository: GitRepository, valid: Files, tmp_path: Path) -> None:
    commit = origin.commit(valid)
    for root in ("nowhere", "environments/reconciler.yaml", "environments/prod/none"):
        assert rules(load(repository, commit, root).findings) == [(root, Rule.MISSING_FILE)]
    missing = tmp_path / "missing"
    assert rules(load_folder(missing).findings) == [(missing.as_posix(), Rule.MISSING_FILE)]


def test_a_deeper_root(origin: Any, repository: GitRepository, valid: Files) -> None:
    commit = origin.commit({f"it/windows/{path}": content for path, content in valid.items()})
    assert load(repository, commit, "it/windows/environments").state is not None


def test_a_desired_state_at_the_top_leaves_other_things_alone(
    origin: Any, repository: GitRepository, valid: Files
) -> None:
    files = {path.removeprefix("environments/"): content for path, content in valid.items()}
    files |= {
        "LICENSE": "",
        "azure-pipelines.yml": "",
        "ci/build.yaml": "",
        "schemas/host.schema.json": "{}",
        ".github/workflows/ci.yml": "",
        "scripts/latest": (FileMode.LINK, "elsewhere"),
    }
    assert load(repository, origin.commit(files), "").findings == ()
    files["prod/environments.yaml"] = ""
    files["dev/hosts/DEV-01.yaml"] = ""
    assert rules(load(repository, origin.commit(files), "").findings) == [
        ("dev/environment.yaml", Rule.MISSING_FILE),
        ("prod/environments.yaml", Rule.MISPLACED_FILE),
    ]


def test_a_broken_catalog_file_does_not_make_its_package_unknown(
    origin: Any, repository: GitRepository, valid: Files
) -> None:
    valid["environments/catalog/agent.yaml"] = "upgradeCode: [\n"
    assert rules(load(repository, origin.commit(valid)).findings) == [
        ("environments/catalog/agent.yaml", Rule.YAML_SYNTAX)
    ]


def test_too_many_overrides(origin: Any, repository: GitRepository, valid: Files) -> None:
    override = "  - {hosts: {site: oslo}, packages: {tool: absent}}\n"
    valid["environments/prod/environment.yaml"] = "promotesFrom: uat\noverrides:\n" + override * MOST_OVERRIDES
    assert load(repository, origin.commit(valid)).findings == ()
    valid["environments/prod/environment.yaml"] += override
    (finding,) = load(repository, origin.commit(valid)).findings
    assert (finding.line, finding.message) == (3, "expected at most 200 of these, found 201")


def test_thousands_of_environments_in_a_line_or_a_circle(
    origin: Any, repository: GitRepository, valid: Files
) -> None:
    names = [f"e{number:04}" for number in range(3000)]
    for before, name in pairwise(names):
        valid[f"environments/{name}/environment.yaml"] = f"inherits: {before}\npromotesFrom: {before}\n"
    valid["environments/e0000/environment.yaml"] = ""
    assert load(repository, origin.commit(valid)).findings == ()
    valid["environments/e0000/environment.yaml"] = "inherits: e2999\n"
    (finding,) = load(repository, origin.commit(valid)).findings
    assert (finding.path, finding.rule) == ("environments/e0000/environment.yaml", Rule.INHERITANCE_CIRCLE)
    assert len(finding.message) < 1000


def test_thousands_of_wrong_names_do_not_take_minutes(
    origin: Any, repository: GitRepository, valid: Files
) -> None:
    valid["environments/prod/environment.yaml"] = "packages:\n" + "".join(
        f"  wrong-{number}: 1.0.0\n" for number in range(20_000)
    )
    assert len(load(repository, origin.commit(valid)).findings) == 20_000


def test_a_missing_commit(repository: GitRepository) -> None:
    with pytest.raises(RepositoryError, match="there is no commit"):
        load(repository, "1" * 40)


def test_an_unreadable_file_in_a_folder(tmp_path: Path, valid: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, valid)
    plain = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "PROD-01.yaml":
            raise PermissionError(13, "Permission denied")
        return plain(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    findings = load_folder(tmp_path / "environments").findings
    assert [(finding.rule, finding.message) for finding in findings] == [
        (Rule.UNREADABLE_FILE, "cannot read the file: Permission denied")
    ]


def test_names_cannot_write_lines_of_their_own(origin: Any, repository: GitRepository, valid: Files) -> None:
    valid["environments/prod/hosts/a\nb\x1b[2J.yaml"] = ""
    valid["environments/prod/environment.yaml"] = 'packages: {"x\\ny": 1.0.0}\n'
    findings = load(repository, origin.commit(valid)).findings
    assert len(findings) == 2
    assert len(render_text(findings).splitlines()) == 4
    assert "\x1b" not in render_text(findings)


def test_the_garbage_collector_is_left_as_it_was(origin: Any, repository: GitRepository, valid: Files) -> None:
    commit = origin.commit(valid)
    assert gc.isenabled()
    load(repository, commit)
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_findings_as_text_and_as_json() -> None:
    finding = Finding("a/b.yaml", 3, 7, Rule.UNKNOWN_RELEASE, "no such release", "did you mean 2.1.0?")
    plain = Finding("a/c.yaml", 1, 1, Rule.SYMLINK, "a link")
    assert render_text([finding, plain]) == (
        "a/b.yaml:3:7: error: no such release [unknown-release]\n"
        "  hint: did you mean 2.1.0?\n"
        "a/c.yaml:1:1: error: a link [symlink]"
    )
    assert as_json(finding) == {
        "path": "a/b.yaml",
        "line": 3,
        "column": 7,
        "severity": "error",
        "rule": "unknown-release",
        "message": "no such release",
        "hint": "did you mean 2.1.0?",
    }


def write(folder: Path, files: Files) -> None:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def test_hints_stop_when_too_many_names_are_wrong() -> None:
    suggester = Suggester()
    hints = [suggester.hint("package", f"tool{number}", ["tool"], "none") for number in range(MOST_SEARCHES + 1)]
    assert hints == ["did you mean tool?"] * MOST_SEARCHES + ["none"]
    assert suggester.hint("package", "tool7", ["tool"], "none") == "did you mean tool?"
