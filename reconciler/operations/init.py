"""Makes a desired-state repository, and refreshes what it made itself. Leaves alone what is somebody's own."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path

import pygit2

from reconciler.desired.layout import SETTINGS_FILE
from reconciler.desired.loading import DEFAULT_ROOT, load_folder
from reconciler.desired.schemas import schema_texts
from reconciler.kernel.errors import ReconcilerError
from reconciler.operations.scaffold.codeowners import generated_part, merged
from reconciler.operations.scaffold.forges import CI_FILES, CODEOWNERS, Forge
from reconciler.operations.text_files import read_text, write_all

_SCHEMAS = "schemas"
_MARK = re.compile(r"# Made by reconciler init, which leaves it alone once you change it\. \(([0-9a-f]{64})\)\n")
_BRANCH = "main"


class CannotInit(ReconcilerError):
    """A folder that no desired-state repository can be made in."""

    reference = "cannot-init"


class Fate(StrEnum):
    """What became of a file."""

    CREATED = "created"
    REFRESHED = "refreshed"
    UNCHANGED = "unchanged"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class InitFile:
    """A file of the repository, by its path within it. KEPT is somebody's own, for the reason in ``why``."""

    path: str
    fate: Fate
    why: str = ""


@dataclass(frozen=True, slots=True)
class Initialised:
    """What came of it. ``commit`` is the first commit, where one was made; ``advice`` is what is left to do."""

    folder: Path
    forge: Forge
    files: tuple[InitFile, ...]
    commit: str | None
    advice: tuple[str, ...]


def init(folder: Path, forge: Forge, *, git: bool) -> Initialised:
    """Make a desired-state repository in a folder. Running it again refreshes what it made, and only that.

    The environments are made only where there is no desired state yet; schemas, the CI file and the generated
    part of CODEOWNERS are kept up to date, unless somebody has made them their own.

    Args:
        folder: the top of the repository; made if missing.
        forge: where its pull requests are made.
        git: whether to make a git repository with a first commit, where the folder is in none.

    Raises:
        CannotInit: the folder lies within another repository.
        CannotWrite: a file cannot be written; nothing was changed.
    """
    repository = _repository_of(folder)
    plan = _Plan(folder)
    if not (folder / DEFAULT_ROOT / SETTINGS_FILE).exists():
        plan.skeleton()
    plan.schemas()
    plan.ci_file(forge)
    write_all(plan.texts)
    plan.texts.clear()
    plan.codeowners(forge)
    write_all(plan.texts)
    advice = list(plan.advice)
    commit = None
    if git and repository is None:
        commit = _first_commit(folder, [file.path for file in plan.files], advice)
    return Initialised(folder, forge, tuple(plan.files), commit, tuple(advice))


class _Plan:
    """The files that are to be written, and what becomes of each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files: list[InitFile] = []
        self.texts: dict[Path, str] = {}
        self.advice: list[str] = []

    def skeleton(self) -> None:
        """Plan the environments: each file that is not there."""
        root = resources.files(f"{__package__}.scaffold").joinpath("templates", DEFAULT_ROOT)
        with resources.as_file(root) as templates:
            for template in sorted(templates.rglob("*")):
                if template.is_file():
                    path = f"{DEFAULT_ROOT}/{template.relative_to(templates).as_posix()}"
                    if read_text(self._folder / path) is None:
                        self._write(path, Fate.CREATED, template.read_text("utf-8"))
                    else:
                        self._keep(path, "it was there")

    def schemas(self) -> None:
        """Plan the schemas, by which editors complete and check the files without a network."""
        for name, text in schema_texts().items():
            path = f"{_SCHEMAS}/{name}"
            present = read_text(self._folder / path)
            if present is not None and not _is_our_schema(present):
                self._keep(path, "it is no schema of Reconciler's")
            else:
                self._bring_up_to_date(path, present, text)

    def ci_file(self, forge: Forge) -> None:
        """Plan the file that has the forge check pull requests."""
        path = CI_FILES[forge]
        template = resources.files(f"{__package__}.scaffold").joinpath("templates", f"{forge}.yml")
        text = _marked(template.read_text("utf-8"))
        present = read_text(self._folder / path)
        if present is not None and not _is_unchanged(present):
            self._keep(path, "somebody changed it; delete it to get the one of this version")
        else:
            self._bring_up_to_date(path, present, text)

    def codeowners(self, forge: Forge) -> None:
        """Plan CODEOWNERS, from the owners that the desired state names now."""
        places = CODEOWNERS[forge]
        if not places:
            self.advice.append(
                "Azure Repos takes no CODEOWNERS: add required reviewers for paths to the branch policies"
            )
            return
        path = next((place for place in places if (self._folder / place).exists()), "CODEOWNERS")
        desired = load_folder(self._folder / DEFAULT_ROOT).state
        if desired is None:
            self._keep(path, "the desired state does not validate, so its owners are not known")
            self.advice.append(f"run reconciler validate {self._folder / DEFAULT_ROOT}, mend it, and init again")
            return
        present = read_text(self._folder / path)
        text = merged(present, generated_part(desired, DEFAULT_ROOT, (path, CI_FILES[forge])))
        if text is None:
            self._keep(path, "it has no part made by reconciler init; delete it, or move it aside, to get one")
        else:
            self._bring_up_to_date(path, present, text)

    def _bring_up_to_date(self, path: str, present: str | None, text: str) -> None:
        if present is not None and present.replace("\r\n", "\n") == text:
            self.files.append(InitFile(path, Fate.UNCHANGED))
        else:
            self._write(path, Fate.CREATED if present is None else Fate.REFRESHED, text)

    def _write(self, path: str, fate: Fate, text: str) -> None:
        self.files.append(InitFile(path, fate))
        self.texts[self._folder / path] = text

    def _keep(self, path: str, why: str) -> None:
        self.files.append(InitFile(path, Fate.KEPT, why))


def _repository_of(folder: Path) -> pygit2.Repository | None:
    """Return the git repository whose top ``folder`` is; ``None`` where it is in none."""
    there = next((place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir()), None)
    found = pygit2.discover_repository(str(there)) if there is not None else None
    if found is None:
        return None
    repository = pygit2.Repository(found)
    top = repository.workdir
    if top is None or Path(top).resolve() != folder.resolve():
        what = "the folder lies within another repository" if top is not None else "this is a bare repository"
        hint = f"name its top: reconciler init {top}" if top is not None else "name a clone of it"
        raise CannotInit(f"{what}, and CI files count only at its top", where=str(folder), hint=hint)
    return repository


def _first_commit(folder: Path, paths: list[str], advice: list[str]) -> str | None:
    repository = pygit2.init_repository(str(folder), initial_head=_BRANCH)
    index = repository.index
    for path in paths:
        index.add(path)
    index.write()
    try:
        who = repository.default_signature
    except KeyError:
        advice.append("git does not know who you are: set user.name and user.email, then run git commit")
        return None
    message = "A desired state for Reconciler"
    return str(repository.create_commit("HEAD", who, who, message, index.write_tree(), []))


def _marked(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    return f"# Made by reconciler init, which leaves it alone once you change it. ({digest})\n{text}"


def _is_unchanged(text: str) -> bool:
    plain = text.replace("\r\n", "\n")
    mark = _MARK.match(plain)
    return mark is not None and _marked(plain[mark.end() :]) == plain


def _is_our_schema(text: str) -> bool:
    try:
        content = json.loads(text)
    except ValueError:
        return False
    return isinstance(content, dict) and str(content.get("title", "")).startswith("Reconciler: ")
