"""With a cache a load reads less and comes to the very same: over any edits, after restarts, whatever its file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pygit2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygit2.enums import FileMode

from reconciler.desired import cache as caches
from reconciler.desired import reading
from reconciler.desired.cache import LoadCache
from reconciler.desired.loading import load
from reconciler.desired.repository import GitRepository, RepositoryError
from tests.properties import examples

Files = dict[str, Any]

CORPUS = Path(__file__).parent / "corpus"
RELEASE = """  - version: {version}
    productCode: "{{AAAAAAAA-0000-0000-0001-{number:012}}}"
    packageCode: "{{BBBBBBBB-0000-0000-0001-{number:012}}}"
    artifact: {{sha256: {number:064}, size: 1, file: x.msi}}
"""
HOSTS = ["PROD-01", "prod-01", "PROD-02", "UAT-01"]
ENVIRONMENTS = ["prod", "uat", "acme/prod", "acme/uat", "new"]
HOST_TEXTS = [
    "",
    "packages: {agent: 1.0.0}\n",
    "packages: {tool: absent, agent: 2.0.0}\n",
    "packages: {tool: absent, agent: 9.9.9}\n",
    "packages: {toool: absent}\n",
    "labels: {ring: canary}\n",
    "labels: {ring: canary, site: oslo}\nhold: {reason: moved, until: 2026-12-01T08:00Z}\n",
    "driver: winrm\naddress: https://prod\nwinrm: {grant: prod-hosts}\n",
    "lables: {ring: canary}\n",
    "labels: {ring: [\n",
    "labels: {ring: broad}\nlabels: {}\n",
    (FileMode.LINK, "PROD-01.yaml"),
]
ENVIRONMENT_TEXTS = [
    "",
    "packages: {agent: 1.0.0}\n",
    "packages: {agent: 2.0.0}\npromotesFrom: uat\n",
    "inherits: prod\nowners: [release-managers]\n",
    "inherits: uat\nconfirm: [agent]\n",
    "packages: {agent: absent}\nconfirm: [agent]\nprune: true\n",
    "packages: {agent: 1.0.0}\nhaltAfter: 1\nsoak: 36h\n",
    "overrides:\n  - {hosts: {ring: canary}, packages: {agent: 1.0.0}}\n",
    "overrides:\n  - {hosts: {ring: canary, site: oslo}, packages: {agnt: 1.0.0}}\n",
    "hold: {reason: stocktaking}\n",
    "hold: stocktaking\n",
]
CATALOG = 'upgradeCode: "{{AAAAAAAA-0000-0000-0002-{number:012}}}"\n'
PACKAGE_TEXTS = [
    CATALOG.format(number=1) + "releases:\n" + RELEASE.format(version="1.0.0", number=1),
    CATALOG.format(number=1)
    + "releases:\n"
    + RELEASE.format(version="1.0.0", number=1)
    + RELEASE.format(version="1.0.0.1", number=2),
    CATALOG.format(number=1) + "releases:\n" + RELEASE.format(version="2.0.0", number=3),
    CATALOG.format(number=2) + "owners: [nobody]\n",
    CATALOG.format(number=3),
    "releases: 3\n",
    "kind: exe\ndetect: {fileVersion: C:\\a.exe}\nreleases:\n  - version: 1.0.0\n"
    f"    artifact: {{sha256: {'b' * 64}, size: 1, file: a.exe}}\n",
    "kind: exe\ndetect: {fileVersion: C:\\A.exe}\nchecks: [{port: 80}]\n",
    "kind: configuration\nreleases:\n  - version: 1.0.0\n"
    "    registry: [{key: HKLM\\A, type: REG_QWORD, data: '18446744073709551615'}]\n",
    'kind: configuration\nreleases:\n  - version: 2.0.0\n    files: [{path: C:\\a, text: "a\\r\\n"}]\n'
    "    registry: [{key: HKLM\\a, type: REG_SZ, data: x}]\n",
    f"kind: msp\nreleases:\n  - version: 1.0.0\n    patchCode: '{{{'1' * 8}-1111-1111-1111-{'1' * 12}}}'\n"
    f"    targets: ['{{AAAAAAAA-0000-0000-0001-000000000001}}']\n"
    f"    artifact: {{sha256: {'c' * 64}, size: 1, file: a.msp}}\n",
]
OTHER = {
    "reconciler.yaml": ["version: 1\n", "version: 1\ngroups: {release-managers: ['@a']}\n", "version: 2\n"],
    "acme/tenant.yaml": ["", "title: Acme\n", "titel: Acme\n"],
    "prod/README.md": ["hello\n", "world\n"],
    "prod/hosts/notes/README.md": ["hello\n"],
    "prod/hosts/notes/PROD-03.yaml": [""],
    "prod/hosts/.hidden/a/b/c/d/e.yaml": ["", "x\n"],
    "uat/hosts": ["", (FileMode.LINK, "../prod/hosts"), (FileMode.COMMIT, "1" * 40)],
    "prod/deep/a/b/c/d.yaml": [""],
    "stray.yaml": [""],
}


def edits() -> st.SearchStrategy[tuple[str, Any]]:
    """A path, and what is to stand there; ``None`` deletes."""
    host = st.tuples(
        st.builds("{}/hosts/{}.yaml".format, st.sampled_from(ENVIRONMENTS), st.sampled_from(HOSTS)),
        st.none() | st.sampled_from(HOST_TEXTS),
    )
    environment = st.tuples(
        st.builds("{}/environment.yaml".format, st.sampled_from(ENVIRONMENTS)),
        st.none() | st.sampled_from(ENVIRONMENT_TEXTS),
    )
    package = st.tuples(
        st.sampled_from(["catalog/agent.yaml", "catalog/tool.yaml", "catalog/extra.yaml"]),
        st.none() | st.sampled_from(PACKAGE_TEXTS),
    )
    other = st.sampled_from(sorted(OTHER)).flatmap(
        lambda path: st.tuples(st.just(path), st.none() | st.sampled_from(OTHER[path]))
    )
    return st.one_of(host, host, environment, package, other)


def apply(files: Files, edit: tuple[str, Any], root: str) -> Files:
    path = f"{root}{edit[0]}"
    kept = {
        name: text
        for name, text in files.items()
        if name != path and not name.startswith(f"{path}/") and not path.startswith(f"{name}/")
    }
    return kept if edit[1] is None else {**kept, path: edit[1]}


def everything() -> Files:
    folders = (CORPUS / "base", CORPUS / "everything")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*.yaml")
    }


def outcome(repository: GitRepository, commit: str, root: str, cache: LoadCache | None = None) -> Any:
    """What a load comes to, the order of everything included."""
    try:
        loaded = load(repository, commit, root, cache)
    except RepositoryError as error:
        return str(error)
    state = loaded.state
    if state is None:
        return loaded
    orders = [list(items) for items in (state.packages, state.environments, state.hosts, state.tenants)]
    return loaded, orders, [list(host.packages.items()) for host in state.hosts.values()]


@examples(60)
@given(
    steps=st.lists(st.lists(edits(), min_size=1, max_size=4), min_size=1, max_size=8),
    restarts=st.sets(st.integers(0, 7)),
    at_the_top=st.booleans(),
    goes_back=st.booleans(),
)
def test_a_cache_changes_no_answer(
    steps: list[list[tuple[str, Any]]], restarts: set[int], at_the_top: bool, goes_back: bool
) -> None:
    from tests.desired.conftest import Origin

    root = "" if at_the_top else "environments"
    with tempfile.TemporaryDirectory() as folder:
        origin = Origin(Path(folder, "origin.git"))
        pygit2.init_repository(str(origin.folder), bare=True)
        repository = GitRepository(origin.folder)
        file = Path(folder, "cache")
        cache = LoadCache(file)
        files = everything()
        if at_the_top:
            files = {path.removeprefix("environments/"): text for path, text in files.items()}
        good = files
        for number, step in enumerate([[], *steps]):
            for edit in step:
                files = apply(files, edit, f"{root}/" if root else "")
            commit = origin.commit(files)
            if number in restarts:
                cache = LoadCache(file)
            expected = outcome(repository, commit, root)
            assert outcome(repository, commit, root, cache) == expected
            assert outcome(repository, commit, root, cache) == expected
            if isinstance(expected, tuple):
                good = files
            elif goes_back:
                files = good


def test_only_what_changed_is_read(
    origin: Any, repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = LoadCache()
    files = everything()
    load(repository, origin.commit(files), cache=cache)
    read: list[str] = []
    plain = GitRepository.read
    monkeypatch.setattr(GitRepository, "read", lambda self, oid: read.append(oid) or plain(self, oid))
    files["environments/prod/hosts/PROD-02.yaml"] = "labels: {ring: canary, site: oslo, floor: '3'}\n"
    loaded = load(repository, origin.commit(files), cache=cache)
    assert loaded.state is not None
    assert loaded.state.labels_of("PROD-02")["floor"] == "3"
    assert len(read) == 1


def test_a_restart_reads_nothing(
    origin: Any, repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = origin.commit(everything())
    expected = load(repository, commit, cache=LoadCache(tmp_path / "cache"))
    monkeypatch.setattr(GitRepository, "read", None)
    monkeypatch.setattr(GitRepository, "entries", None)
    assert load(repository, commit, cache=LoadCache(tmp_path / "cache")) == expected
    assert expected.state is not None
    assert expected.state.packages["extra"].msi_releases[0].artifact.signer == "CN=Contoso Ltd"


def test_a_cache_of_another_root_is_not_used(origin: Any, repository: GitRepository, tmp_path: Path) -> None:
    files = everything()
    files |= {f"elsewhere/{path}": text for path, text in files.items()}
    commit = origin.commit(files)
    cache = LoadCache(tmp_path / "cache")
    first = load(repository, commit, "environments", cache)
    assert load(repository, commit, "elsewhere/environments", cache) == first
    assert load(repository, commit, "environments", LoadCache(tmp_path / "cache")) == first


@pytest.mark.parametrize("at", [0, 40, 80, 200, -1])
def test_a_damaged_file_is_not_trusted(
    at: int, origin: Any, repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cache"
    commit = origin.commit(everything())
    expected = load(repository, commit, cache=LoadCache(file))
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    listed: list[str] = []
    plain = GitRepository.entries
    monkeypatch.setattr(
        GitRepository, "entries", lambda self, commit, root: listed.append(root) or plain(self, commit, root)
    )
    assert load(repository, commit, cache=LoadCache(file)) == expected
    assert listed == ["environments"]
    assert load(repository, commit, cache=LoadCache(file)) == expected
    assert listed == ["environments"]


def test_a_file_written_by_other_code_is_not_trusted(
    origin: Any, repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cache"
    commit = origin.commit(everything())
    load(repository, commit, cache=LoadCache(file))
    assert LoadCache(file).snapshot("environments/", commit) is not None
    monkeypatch.setattr(caches, "_writer", lambda: b"x" * 32)
    assert LoadCache(file).snapshot("environments/", commit) is None


def test_a_file_of_a_right_checksum_and_wrong_content_is_dropped(
    origin: Any, repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cache"
    commit = origin.commit(everything())
    expected = load(repository, commit)
    for content in ({}, [], {"root": "environments/"}, {"root": "environments/", "settings": {"version": 2}}, 3):
        text = json.dumps(content).encode()
        monkeypatch.setattr(caches, "to_json", lambda snapshot, text=text: text)
        load(repository, commit, cache=LoadCache(file))
        assert load(repository, commit, cache=LoadCache(file)) == expected


def test_a_file_that_cannot_be_written_is_done_without(
    origin: Any, repository: GitRepository, tmp_path: Path
) -> None:
    commit = origin.commit(everything())
    cache = LoadCache(tmp_path / "missing" / "cache")
    assert load(repository, commit, cache=cache) == load(repository, commit)


def test_a_dropped_history_is_done_without(origin: Any, repository: GitRepository, tmp_path: Path) -> None:
    cache = LoadCache()
    files = everything()
    old = origin.commit(files)
    load(repository, old, cache=cache)
    tree = str(pygit2.Repository(str(origin.folder))[old].tree["environments"].id)  # type: ignore[attr-defined]
    files["environments/prod/hosts/PROD-09.yaml"] = ""
    new = origin.commit(files)
    (origin.folder / "objects" / tree[:2] / tree[2:]).unlink()
    fresh = GitRepository(origin.folder)
    assert load(fresh, new, cache=cache) == load(fresh, new)


def test_bounds_hold_with_a_cache_as_well(
    origin: Any, repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = LoadCache()
    files = everything()
    load(repository, origin.commit(files), cache=cache)
    size = sum(len(text) for text in files.values())
    monkeypatch.setattr(reading, "MOST_BYTES_IN_ALL", size + 100)
    files["environments/prod/hosts/PROD-09.yaml"] = "#" * 90 + "\n"
    commit = origin.commit(files)
    assert load(repository, commit, cache=cache) == load(repository, commit)
    files["environments/prod/hosts/PROD-10.yaml"] = "#" * 90 + "\n"
    commit = origin.commit(files)
    loaded = load(repository, commit, cache=cache)
    assert loaded == load(repository, commit)
    assert "too-large" in [finding.rule for finding in loaded.findings]


def test_many_files_under_one_changed_folder_come_out_alike(origin: Any, repository: GitRepository) -> None:
    cache = LoadCache()
    files = everything()
    for number in range(300):
        files[f"environments/prod/hosts/H-{number}.yaml"] = f"labels: {{number: '{number}'}}\n"
    load(repository, origin.commit(files), cache=cache)
    for number in range(0, 300, 7):
        files[f"environments/prod/hosts/H-{number}.yaml"] = f"labels: {{number: '{number + 1}'}}\n"
    del files["environments/prod/hosts/H-3.yaml"]
    files["environments/prod/hosts/A-new.yaml"] = ""
    commit = origin.commit(files)
    cached, plain = load(repository, commit, cache=cache), load(repository, commit)
    assert cached == plain
    assert cached.state is not None
    assert plain.state is not None
    assert list(cached.state.hosts) == list(plain.state.hosts)
