"""Edits files of a desired state as a careful person would: comments, order and style stay. Takes and gives text.

Every edit is proved before it is returned: the new text must read as the old data with that one change.
"""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.scalarstring import ScalarString

from reconciler.desired.catalog import ReleaseDetails
from reconciler.desired.model import ABSENT_TEXT, Absence, Wanted
from reconciler.desired.writing import FileRelease, release_entry, written
from reconciler.desired.yaml_reader import read_yaml
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.identity import InvalidIdentity, three_fields
from reconciler.kernel.probes import VersionOrder, version_order
from reconciler.kernel.releases import MsiRelease, PackageKind, PatchRelease

_UNLIMITED = 1_000_000
_NEW_PACKAGE = "# yaml-language-server: $schema=../../schemas/package.schema.json\n"


class EditError(ReconcilerError):
    """An edit that cannot be made without spoiling the file."""

    reference = "edit"


def set_version(text: str, package: str, version: Wanted) -> str:
    """Return an environment or host file with the version of one package changed, or added at the end.

    Args:
        text: the file's text.
        package: the package's name.
        version: the version wanted, or ``ABSENT``.

    Raises:
        EditError: the file cannot be read, or not be edited without spoiling it.
    """
    value = ABSENT_TEXT if isinstance(version, Absence) else version
    content = _read(text)
    if isinstance(content.get("packages", {}), dict):
        expected = {**content, "packages": {**content.get("packages", {}), package: value}}
    else:
        expected = {**content, "packages": {package: value}}
    if not content:
        addition = _dump(_round_trip(2, 4, 2), CommentedMap(packages=CommentedMap({package: written(value)})))
        return _proved(f"{_ended(text)}{addition}", expected)
    document, dump = _open(text)
    if not isinstance(document.get("packages"), dict):
        document["packages"] = CommentedMap()
    packages = document["packages"]
    old = packages.get(package)
    packages[package] = type(old)(value) if isinstance(old, ScalarString) else written(value)
    return _proved(dump(), expected)


def remove_version(text: str, package: str) -> str:
    """Return an environment or host file that no longer names a package: what is installed of it is left alone.

    Args:
        text: the file's text.
        package: the package's name; nothing changes where the file does not name it.

    Raises:
        EditError: the file cannot be read, or not be edited without spoiling it.
    """
    content = _read(text)
    packages = content.get("packages")
    if not isinstance(packages, dict) or package not in packages:
        return text
    expected = {**content, "packages": {name: value for name, value in packages.items() if name != package}}
    document, dump = _open(text)
    del document["packages"][package]
    return _proved(dump(), expected)


def add_release(text: str, release: FileRelease, details: ReleaseDetails | None = None) -> str:
    """Return a catalog file with one more release, put in where the order of the others wants it.

    Args:
        text: the file's text.
        release: the release to add.
        details: what else is to be said of it.

    Raises:
        EditError: the file has a release of this version, or cannot be edited without spoiling it.
    """
    content = _read(text)
    releases = content.get("releases") or []
    if not isinstance(releases, list) or not all(isinstance(item, dict) for item in releases):
        raise EditError("releases is not a list of releases", hint="reconciler validate says more")
    versions = [item.get("version") for item in releases]
    if release.version in versions:
        raise EditError(f"the file has a release {release.version} already", hint="change that one by hand")
    order = three_fields if isinstance(release, MsiRelease) else version_order
    index = _place_for(order, release.version, [str(version) for version in versions])
    entry = release_entry(release, details)
    expected = copy.deepcopy(content)
    expected["releases"] = [*releases[:index], entry, *releases[index:]]
    document, dump = _open(text)
    if not isinstance(document.get("releases"), list) or not releases:
        document["releases"] = CommentedSeq()
    document["releases"].insert(index, written(entry))
    return _proved(dump(), expected)


def new_package(
    upgrade_code: str, release: MsiRelease, details: ReleaseDetails | None = None, title: str = ""
) -> str:
    """Return the text of a catalog file for a package with its first release.

    Args:
        upgrade_code: the UpgradeCode of the product family.
        release: its first release.
        details: what else is to be said of the release.
        title: the package's name for people.
    """
    content: dict[str, Any] = {"title": title} if title else {}
    content |= {"upgradeCode": upgrade_code, "releases": [release_entry(release, details)]}
    return _NEW_PACKAGE + _dump(_round_trip(2, 4, 2), written(content))


def new_patch_package(release: PatchRelease, details: ReleaseDetails | None = None) -> str:
    """Return the text of a catalog file for a package of patches with its first one.

    Args:
        release: the patch.
        details: what else is to be said of it.
    """
    content = {"kind": PackageKind.MSP.value, "releases": [release_entry(release, details)]}
    return _NEW_PACKAGE + _dump(_round_trip(2, 4, 2), written(content))


def _place_for(order: Callable[[str], VersionOrder], version: str, others: list[str]) -> int:
    """Return where ``version`` belongs among versions that stand oldest first, or newest first; else the end."""
    try:
        new, standing = order(version), [order(other) for other in others]
    except InvalidIdentity:
        return len(others)
    newest_first = len(standing) > 1 and standing[0] > standing[-1]
    after = (index for index, other in enumerate(standing) if (other < new if newest_first else other > new))
    return next(after, len(others))


def _read(text: str) -> dict[str, Any]:
    content, faults = read_yaml(text.encode("utf-8", "surrogatepass"))
    if faults:
        where = f"line {faults[0].line}, column {faults[0].column}"
        raise EditError(faults[0].message, where=where, hint="mend the file first: reconciler validate says more")
    if content is not None and not isinstance(content, dict):
        raise EditError("the file does not hold keys and values", hint="reconciler validate says more")
    return content or {}


def _proved(text: str, expected: dict[str, Any]) -> str:
    content, faults = read_yaml(text.encode("utf-8", "surrogatepass"))
    if faults or content != expected:
        raise EditError("the file's style cannot be kept in this edit", hint="make the change by hand")
    return text


def _open(text: str) -> tuple[CommentedMap, Callable[[], str]]:
    """Return the document behind ``text`` and what writes it back in the text's own style."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    plain = text.removeprefix(mark).replace("\r\n", "\n")
    editor = _round_trip(*_indents(plain))
    editor.explicit_start = re.search(r"^---(\s|$)", plain, re.MULTILINE) is not None
    try:
        document = editor.load(plain)
    except (YAMLError, ValueError) as error:
        raise EditError(f"the file cannot be edited: {error}", hint="make the change by hand") from error

    def dump() -> str:
        edited = mark + _dump(editor, document)
        return edited.replace("\n", "\r\n") if "\r\n" in text else edited

    return document, dump


class _TextOnly(VersionedResolver):
    """Takes every plain scalar for text, so that each is written back to the letter."""

    @property
    def versioned_resolver(self) -> dict[str, Any]:
        """No rules by which plain text would be anything else."""
        return {}


def _round_trip(mapping: int, sequence: int, offset: int) -> YAML:
    editor = YAML(typ="rt")
    editor.Resolver = _TextOnly
    editor.preserve_quotes = True
    editor.width = _UNLIMITED
    editor.indent(mapping=mapping, sequence=sequence, offset=offset)
    return editor


def _dump(editor: YAML, document: CommentedMap) -> str:
    stream = io.StringIO()
    editor.dump(document, stream)
    return stream.getvalue()


def _indents(text: str) -> tuple[int, int, int]:
    """Return how far mappings, items of lists and their dashes are indented in ``text``, by their first use."""
    mapping, sequence, offset = 2, 4, 2
    lines = [line for line in map(_without_comment, text.splitlines()) if line.strip(" -")]
    for above, below in reversed([(a, b) for a, b in pairwise(lines) if a.endswith(":")]):
        deeper = _column(below) - _column(above)
        if below.lstrip().startswith("- "):
            offset = below.index("-") - _column(above)
            sequence = deeper
        elif deeper > 0:
            mapping = deeper
    return mapping, max(sequence, offset + 2), max(offset, 0)


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line).rstrip()


def _column(line: str) -> int:
    """Return where the text of a line starts, beyond the dashes of list items."""
    return len(line) - len(line.lstrip(" -"))


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
