"""A new desired-state repository, and one that has been lived in: what is somebody's own is left alone."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pygit2
import pytest
from pygit2.enums import ConfigLevel

from reconciler.desired.loading import load_folder
from reconciler.desired.schemas import stale_schemas
from reconciler.operations.init import CannotInit, Fate, Forge, Initialised, init
from reconciler.operations.validate import validate

MODELINE = re.compile(r"^# yaml-language-server: \$schema=(\S+)$", re.MULTILINE)


def fates(made: Initialised) -> dict[str, Fate]:
    return {file.path: file.fate for file in made.files}


def texts(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


class Home:
    """Where libgit2 looks for the configuration of whoever runs this."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        pygit2.settings.search_path[ConfigLevel.GLOBAL] = str(folder)

    def introduce(self) -> None:
        (self._folder / ".gitconfig").write_text("[user]\n\tname = Riley Release\n\temail = riley@example.com\n")

    def forget(self) -> None:
        (self._folder / ".gitconfig").unlink()


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    before = pygit2.settings.search_path[ConfigLevel.GLOBAL]
    made = Home(tmp_path_factory.mktemp("home"))
    made.introduce()
    yield made
    pygit2.settings.search_path[ConfigLevel.GLOBAL] = before


@pytest.mark.parametrize("forge", Forge)
def test_a_new_repository_is_valid_committed_and_complete(tmp_path: Path, forge: Forge) -> None:
    folder = tmp_path / "fleet"
    made = init(folder, forge, git=True)
    loaded = load_folder(folder / "environments")
    assert loaded.findings == ()
    assert loaded.state is not None
    assert list(loaded.state.environments) == ["dev", "prod", "uat"]
    assert loaded.state.environments["prod"].promotes_from == "uat"
    assert list(loaded.state.hosts) == ["DEV-01"]
    assert stale_schemas(folder / "schemas") == ()
    assert set(fates(made).values()) == {Fate.CREATED}

    repository = pygit2.Repository(str(folder))
    assert repository.head.shorthand == "main"
    assert str(repository.head.target) == made.commit
    assert repository.status() == {}, "everything is committed"
    assert validate(folder / "environments", "main").findings == ()


def test_every_file_names_a_schema_that_is_there(tmp_path: Path) -> None:
    init(tmp_path, Forge.GITHUB, git=False)
    files = sorted((tmp_path / "environments").rglob("*.yaml"))
    assert len(files) == 5
    for file in files:
        modeline = MODELINE.search(file.read_text())
        assert modeline is not None, file
        schema = (file.parent / modeline.group(1)).resolve()
        assert schema.is_relative_to(tmp_path)
        kind = {"reconciler.yaml": "reconciler", "environment.yaml": "environment"}.get(file.name, "host")
        assert schema.name == f"{kind}.schema.json"
        json.loads(schema.read_text())


def test_running_it_again_changes_nothing(tmp_path: Path) -> None:
    init(tmp_path, Forge.GITLAB, git=True)
    before = texts(tmp_path)
    again = init(tmp_path, Forge.GITLAB, git=True)
    assert set(fates(again).values()) == {Fate.UNCHANGED}
    assert again.commit is None
    assert texts(tmp_path) == before


def test_an_environment_that_was_deleted_does_not_come_back(tmp_path: Path) -> None:
    init(tmp_path, Forge.GITHUB, git=False)
    environments = tmp_path / "environments"
    (environments / "uat" / "environment.yaml").unlink()
    (environments / "dev" / "hosts" / "DEV-01.yaml").unlink()
    (environments / "prod" / "environment.yaml").write_text("promotesFrom: dev\n")
    before = texts(tmp_path)
    init(tmp_path, Forge.GITHUB, git=False)
    assert texts(tmp_path) == before


def test_what_was_there_before_is_kept(tmp_path: Path) -> None:
    own = {
        ".github/workflows/reconciler.yml": "name: ours\n",
        "CODEOWNERS": "* @ours\n",
        "schemas/host.schema.json": '{"title": "hosts of ours"}\n',
        "environments/dev/environment.yaml": "packages: {}\n",
    }
    for name, text in own.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    made = init(tmp_path, Forge.GITHUB, git=False)
    kept = {file.path: file.why for file in made.files if file.fate is Fate.KEPT}
    assert kept.keys() == own.keys()
    assert all(kept.values()), "it says why"
    assert {name: (tmp_path / name).read_text() for name in own} == own


def test_an_edited_ci_file_is_kept_and_an_old_one_refreshed(tmp_path: Path) -> None:
    path = ".github/workflows/reconciler.yml"
    init(tmp_path, Forge.GITHUB, git=False)
    current = (tmp_path / path).read_text()
    (tmp_path / path).write_text(current + "# ours\n")
    assert fates(init(tmp_path, Forge.GITHUB, git=False))[path] is Fate.KEPT
    assert (tmp_path / path).read_text() == current + "# ours\n"

    older = "name: as an older version wrote it\n"
    first_line = current.splitlines()[0]
    digest = hashlib.sha256(older.encode()).hexdigest()
    (tmp_path / path).write_text(re.sub("[0-9a-f]{64}", digest, first_line) + "\n" + older)
    assert fates(init(tmp_path, Forge.GITHUB, git=False))[path] is Fate.REFRESHED
    assert (tmp_path / path).read_text() == current


def test_an_old_schema_is_refreshed(tmp_path: Path) -> None:
    init(tmp_path, Forge.GITHUB, git=False)
    schema = tmp_path / "schemas" / "host.schema.json"
    current = schema.read_text()
    schema.write_text('{"title": "Reconciler: host file"}')
    assert fates(init(tmp_path, Forge.GITHUB, git=False))["schemas/host.schema.json"] is Fate.REFRESHED
    assert schema.read_text() == current


def test_checked_out_with_windows_line_ends_nothing_counts_as_edited(tmp_path: Path) -> None:
    init(tmp_path, Forge.GITHUB, git=False)
    for name in (".github/workflows/reconciler.yml", "CODEOWNERS", "schemas/host.schema.json"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes().replace(b"\n", b"\r\n"))
    assert set(fates(init(tmp_path, Forge.GITHUB, git=False)).values()) == {Fate.UNCHANGED}


def test_code_owners_follow_the_desired_state(tmp_path: Path) -> None:
    init(tmp_path, Forge.GITHUB, git=False)
    environments = tmp_path / "environments"
    (environments / "reconciler.yaml").write_text(
        'version: 1\ngroups:\n  testers: ["@contoso/testers"]\n'
        '  managers: ["@contoso/managers", riley@example.com]\n'
        '  developers: ["@contoso/developers"]\n'
    )
    (environments / "dev" / "environment.yaml").write_text("owners: [developers]\n")
    (environments / "prod" / "environment.yaml").write_text("promotesFrom: uat\nowners: [managers]\n")
    (environments / "acme" / "prod").mkdir(parents=True)
    (environments / "acme" / "tenant.yaml").write_text("owners: [testers]\n")
    (environments / "acme" / "prod" / "environment.yaml").write_text("owners: [managers, testers]\n")
    owners = tmp_path / "CODEOWNERS"
    owners.write_text("/docs/ @writers\n" + owners.read_text() + "/docs/secret/ @few\n")
    made = init(tmp_path, Forge.GITHUB, git=False)
    assert fates(made)["CODEOWNERS"] is Fate.REFRESHED
    lines = owners.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("/docs/ @writers", "/docs/secret/ @few")
    assert [line for line in lines[1:-1] if not line.startswith("#")] == [
        "/environments/acme/ @contoso/testers",
        "/environments/acme/prod/ @contoso/managers riley@example.com @contoso/testers",
        "/environments/dev/ @contoso/developers",
        "/environments/prod/ @contoso/managers riley@example.com",
        "/environments/reconciler.yaml @contoso/managers riley@example.com @contoso/testers",
        "/CODEOWNERS @contoso/managers riley@example.com @contoso/testers",
        "/.github/workflows/reconciler.yml @contoso/managers riley@example.com @contoso/testers",
    ]
    assert fates(init(tmp_path, Forge.GITHUB, git=False))["CODEOWNERS"] is Fate.UNCHANGED


def test_code_owners_go_where_the_forge_looks_first(tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "CODEOWNERS").write_text("* @ours\n")
    made = init(tmp_path, Forge.GITHUB, git=False)
    assert fates(made)[".github/CODEOWNERS"] is Fate.KEPT
    assert not (tmp_path / "CODEOWNERS").exists(), "GitHub would not look at it"


def test_azure_gets_advice_instead_of_code_owners(tmp_path: Path) -> None:
    made = init(tmp_path, Forge.AZURE, git=False)
    assert any("branch policies" in advice for advice in made.advice)
    assert not (tmp_path / "CODEOWNERS").exists()


def test_owners_of_a_state_that_does_not_validate_are_not_guessed(tmp_path: Path) -> None:
    init(tmp_path, Forge.GITHUB, git=False)
    (tmp_path / "environments" / "dev" / "environment.yaml").write_text("packages: {nothing: 1.0.0}\n")
    before = (tmp_path / "CODEOWNERS").read_bytes()
    made = init(tmp_path, Forge.GITHUB, git=False)
    assert fates(made)["CODEOWNERS"] is Fate.KEPT
    assert any("validate" in advice for advice in made.advice)
    assert (tmp_path / "CODEOWNERS").read_bytes() == before


def test_a_repository_that_is_there_gets_no_commit(tmp_path: Path) -> None:
    repository = pygit2.init_repository(str(tmp_path))
    assert init(tmp_path, Forge.GITHUB, git=True).commit is None
    assert repository.head_is_unborn


def test_a_folder_within_another_repository_is_refused(tmp_path: Path) -> None:
    pygit2.init_repository(str(tmp_path))
    with pytest.raises(CannotInit, match="within another repository") as caught:
        init(tmp_path / "deeper" / "fleet", Forge.GITHUB, git=True)
    assert str(tmp_path) in (caught.value.hint or "")
    assert not (tmp_path / "deeper").exists()


def test_a_bare_repository_is_refused(tmp_path: Path) -> None:
    pygit2.init_repository(str(tmp_path), bare=True)
    with pytest.raises(CannotInit, match="bare"):
        init(tmp_path, Forge.GITHUB, git=True)


def test_where_git_knows_nobody_it_says_what_to_do(tmp_path: Path, home: Home) -> None:
    home.forget()
    made = init(tmp_path, Forge.GITHUB, git=True)
    assert made.commit is None
    assert any("user.name" in advice for advice in made.advice)
    assert load_folder(tmp_path / "environments").findings == ()
