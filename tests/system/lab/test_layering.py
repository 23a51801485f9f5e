"""A host can be laid over the template in each of the ways, and the template stays as it was."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.lab import Lab, LabError, LabHost, Layering
from reconciler.lab.layering import lay
from reconciler.lab.packages import build, plain_package
from reconciler.lab.template import template


@pytest.fixture(params=list(Layering))
def host(request: pytest.FixtureRequest, lab: Lab) -> Iterator[LabHost]:
    way: Layering = request.param
    if way is Layering.OVERLAY and os.geteuid() != 0:
        pytest.skip("an overlay needs root")
    host = LabHost.create("dev-01", lab.root.resolve() / "hosts" / "dev-01", template(), [way])
    host.boot()
    yield host
    host.remove()


def fingerprint(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            status = path.lstat()
            found[str(path.relative_to(folder))] = (status.st_size, status.st_mtime_ns)
    return found


def test_a_host_installs_and_leaves_the_template_alone(host: LabHost, tmp_path: Path) -> None:
    before = fingerprint(host.template)
    package = build(plain_package("layered", "1.0.0"), tmp_path)
    host.copy_in(package.path, r"C:\layered.msi")

    assert host.run(r"msiexec /i C:\layered.msi /qn").exit_code == 0
    host.reboot()

    assert host.unix_path(r"C:\Program Files\Reconciler Examples\layered\version.txt").is_file()
    assert "layered" in host.run(r"reg query HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall /s").stdout
    assert fingerprint(host.template) == before


def test_the_way_is_on_record(host: LabHost) -> None:
    assert LabHost.find(host.directory) == host
    assert json.loads((host.directory / "host.json").read_text("utf-8"))["layering"] == host.layering


def test_the_next_way_is_taken_where_one_fails(tmp_path: Path) -> None:
    (tmp_path / "template").mkdir()
    (tmp_path / "template" / "system.reg").write_text("registry", encoding="utf-8")
    (tmp_path / "template" / "file").write_text("file", encoding="utf-8")
    # An overlay is refused where its upper layer can't be a folder.
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "upper").write_text("in the way", encoding="utf-8")

    way = lay(tmp_path / "template", tmp_path / "host")

    assert way is Layering.HARD_LINKS
    assert (tmp_path / "host" / "prefix" / "file").samefile(tmp_path / "template" / "file")
    assert not (tmp_path / "host" / "prefix" / "system.reg").samefile(tmp_path / "template" / "system.reg")


def test_each_way_that_failed_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"hard-links: .*; copy: "):
        lay(tmp_path / "no-template", tmp_path / "host", [Layering.HARD_LINKS, Layering.COPY])


def test_an_overlay_comes_back_after_a_restart_of_this_machine(lab: Lab, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("an overlay needs root")
    (host,) = lab.up(["dev-01"])
    if host.layering is not Layering.OVERLAY:
        pytest.skip("this machine has no overlay")
    note = tmp_path / "note"
    note.write_text("kept", encoding="utf-8")
    host.copy_in(note, r"C:\note")
    host.shutdown()
    os.system(f"umount '{host.prefix.directory}'")
    assert not (host.prefix.directory / "drive_c").exists()

    (again,) = lab.up(["dev-01"])

    assert again.read(r"C:\note") == b"kept"
    again.remove()
