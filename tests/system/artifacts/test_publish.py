"""Publishing from a build server: one commit, made on what is there now, valid or not pushed at all."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from reconciler.desired import commits
from reconciler.desired.commits import PushRefused, read_text
from reconciler.desired.loading import load
from reconciler.desired.model import DesiredState
from reconciler.desired.repository import GitRepository
from reconciler.lab.packages import build, plain_package
from reconciler.operations.cataloguing.candidate import CannotImport
from reconciler.operations.cataloguing.notices import NoticeKind
from reconciler.operations.desired import InvalidRevision
from reconciler.operations.publish import CannotPublish, InvalidChange, PublishRequest, publish
from reconciler.site import Site, open_site
from reconciler.testing.workspace import Workspace
from tests.system.conftest import ExamplePackages
from tests.system.signing import SigningAuthority, tampered

RILEY = "Riley Release <riley@example.com>"
DEV = "environments/dev/environment.yaml"
FILES = {
    "README.md": "ours\n",
    "environments/reconciler.yaml": "version: 1\n",
    DEV: "# the first\npackages:\n  other: absent # gone for good\n",
    "environments/catalog/other.yaml": 'upgradeCode: "{00000000-0000-0000-0000-00000000000F}"\nreleases: []\n',
    "environments/prod/environment.yaml": "promotesFrom: dev\n",
}


@pytest.fixture
def workspace(site: Site, tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "fleet.git", tmp_path / "fleet")
    made.publish(FILES, "first")
    return made


def request(file: Path, **changes: str | Path) -> PublishRequest:
    given = {"package": "contoso-agent", "environment": "dev", "author": RILEY, **changes}
    return PublishRequest(file, **given)  # type: ignore[arg-type]


def state(workspace: Workspace, branch: str = "main") -> DesiredState:
    bare = GitRepository(workspace.bare)
    loaded = load(bare, bare.head(branch))
    assert loaded.state is not None, loaded.findings
    return loaded.state


def count(workspace: Workspace, branch: str = "main") -> int:
    bare = GitRepository(workspace.bare)
    commit, number = bare.commit(bare.head(branch)), 1
    while commit.parents:
        commit, number = bare.commit(commit.parents[0]), number + 1
    return number


def test_artifact_release_and_version_in_one_commit(
    site: Site, workspace: Workspace, example_packages: ExamplePackages
) -> None:
    built = example_packages.get("contoso-agent", "2.1.0")
    published = publish(site, request(built.path, message="agent from build 77"))
    bare = GitRepository(workspace.bare)
    made = bare.commit(bare.head("main"))
    assert (made.id, made.parents) == (published.commit, (workspace.head,))
    assert (made.author, made.author_email, made.subject) == (
        "Riley Release",
        "riley@example.com",
        "agent from build 77",
    )
    assert bare.changed_paths(workspace.head, made.id) == ("environments/catalog/contoso-agent.yaml", DEV)
    assert read_text(bare, made.id, DEV) == (
        "# the first\npackages:\n  other: absent # gone for good\n  contoso-agent: 2.1.0\n"
    )
    release = state(workspace).wanted("dev")["contoso-agent"]
    assert release is not None
    assert release.package_code == built.source.package_code
    assert site.artifacts.find(release.artifact.sha256) is not None
    assert "+  contoso-agent: 2.1.0\n" in next(c.diff() for c in published.changes if c.path == DEV)


def test_publishing_it_again_changes_nothing(
    site: Site, workspace: Workspace, example_packages: ExamplePackages
) -> None:
    built = example_packages.get("contoso-agent", "2.1.0")
    first = publish(site, request(built.path))
    again = publish(site, request(built.path))
    assert again.changes == ()
    assert again.commit == first.commit
    assert count(workspace) == 2


def test_without_a_message_it_says_what_changed(
    site: Site, workspace: Workspace, example_packages: ExamplePackages
) -> None:
    published = publish(site, request(example_packages.get("contoso-agent", "2.1.0").path))
    assert GitRepository(workspace.bare).commit(published.commit).subject == "dev: contoso-agent 2.1.0"


def test_a_release_that_is_there_goes_into_a_further_environment(
    site: Site, workspace: Workspace, example_packages: ExamplePackages
) -> None:
    built = example_packages.get("contoso-agent", "2.1.0")
    publish(site, request(built.path))
    published = publish(site, request(built.path, environment="prod"))
    assert [change.path for change in published.changes] == ["environments/prod/environment.yaml"]
    assert published.notices == (), "dev has it"
    newer = example_packages.get("contoso-agent", "3.0.0")
    (notice,) = publish(site, request(newer.path, environment="prod")).notices
    assert notice.kind is NoticeKind.PAST_PROMOTION


def test_what_others_push_meanwhile_is_built_on(
    site: Site, workspace: Workspace, example_packages: ExamplePackages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody pushes between the fetch and the push: their commit stays, and ours comes on top."""
    theirs: list[str] = []
    really_push = commits.push

    def push(*arguments: object) -> None:
        if not theirs:
            theirs.append(workspace.publish({DEV: "# theirs\npackages: {}\n"}, "theirs"))
        really_push(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("reconciler.operations.pushing.push", push)
    published = publish(site, request(example_packages.get("contoso-agent", "2.1.0").path))
    bare = GitRepository(workspace.bare)
    assert bare.commit(published.commit).parents == (theirs[0],)
    assert bare.head("main") == published.commit
    text = read_text(bare, published.commit, DEV) or ""
    assert text.startswith("# theirs\n")
    assert state(workspace).versions_of("dev") == {"contoso-agent": "2.1.0"}


def test_many_build_servers_at_once_lose_nothing(site: Site, workspace: Workspace, tmp_path: Path) -> None:
    packages = [build(plain_package(f"tool-{number}", "1.0.0"), tmp_path / "built") for number in range(4)]
    troubles: list[BaseException] = []

    def run(number: int) -> None:
        settings = site.settings.model_copy(update={"data": tmp_path / f"data-{number}"})
        try:
            with open_site(settings) as own:
                publish(own, request(packages[number].path, package=f"tool-{number}"))
        except BaseException as error:
            troubles.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    assert set(state(workspace).versions_of("dev")) == {"other", "tool-0", "tool-1", "tool-2", "tool-3"}
    assert count(workspace) == 5


def test_on_a_branch_of_its_own_main_stays_where_it_is(
    site: Site, workspace: Workspace, example_packages: ExamplePackages
) -> None:
    old, new = (example_packages.get("contoso-agent", version).path for version in ("2.0.0", "2.1.0"))
    first = publish(site, request(old, branch="propose/agent"))
    assert GitRepository(workspace.bare).head("main") == workspace.head
    assert state(workspace, "propose/agent").versions_of("dev")["contoso-agent"] == "2.0.0"
    again = publish(site, request(old, branch="propose/agent"))
    assert (again.changes, again.commit) == ((), first.commit)
    second = publish(site, request(new, branch="propose/agent"))
    assert GitRepository(workspace.bare).commit(second.commit).parents == (first.commit,)


def test_a_change_that_would_not_validate_is_not_pushed(
    site: Site, workspace: Workspace, example_packages: ExamplePackages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(text: str, package: str, version: object) -> str:
        return f"{text}  {package}: 9.9.9\n"

    monkeypatch.setattr("reconciler.operations.publish.set_version", spoil)
    with pytest.raises(InvalidChange) as caught:
        publish(site, request(example_packages.get("contoso-agent", "2.1.0").path))
    (finding,) = caught.value.findings
    assert (finding.path, finding.line) == (DEV, 4)
    assert f"{DEV}:4:" in str(caught.value)
    assert GitRepository(workspace.bare).head("main") == workspace.head


def test_on_top_of_what_does_not_validate_nothing_is_published(
    site: Site, workspace: Workspace, example_packages: ExamplePackages
) -> None:
    broken = workspace.publish({DEV: "packages: {nothing: 1.0.0}\n"}, "broken")
    with pytest.raises(InvalidRevision):
        publish(site, request(example_packages.get("contoso-agent", "2.1.0").path))
    assert GitRepository(workspace.bare).head("main") == broken


def test_who_may_not_push_is_told(site: Site, workspace: Workspace, example_packages: ExamplePackages) -> None:
    hook = workspace.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(PushRefused, match="main is protected"):
        publish(site, request(example_packages.get("contoso-agent", "2.1.0").path))
    assert GitRepository(workspace.bare).head("main") == workspace.head


def test_what_does_not_fit_is_refused_before_anything_is_kept(
    site: Site, workspace: Workspace, example_packages: ExamplePackages
) -> None:
    publish(site, request(example_packages.get("contoso-agent", "2.0.0").path))
    kept = sorted(site.settings.data.joinpath("artifacts").rglob("*"))
    with pytest.raises(CannotImport, match="UpgradeCode"):
        publish(site, request(example_packages.get("contoso-viewer", "1.3.0").path))
    with pytest.raises(CannotPublish) as caught:
        publish(site, request(example_packages.get("contoso-agent", "2.1.0").path, environment="devv"))
    assert caught.value.hint == "did you mean dev?"
    assert sorted(site.settings.data.joinpath("artifacts").rglob("*")) == kept


def test_a_published_release_pins_its_signer(
    site: Site,
    workspace: Workspace,
    example_packages: ExamplePackages,
    authority: SigningAuthority,
    tmp_path: Path,
) -> None:
    def signed(version: str, name: str) -> Path:
        return authority.sign(
            example_packages.get("contoso-agent", version).path, tmp_path / f"{version}.msi", name
        )

    assert publish(site, request(signed("2.0.0", "vendor"), signing_roots=authority.roots)).notices == ()
    published = publish(site, request(signed("2.1.0", "renamed"), signing_roots=authority.roots))
    assert [notice.kind for notice in published.notices] == [NoticeKind.SIGNER_CHANGED]
    pins = {r.version: r.artifact.signer for r in state(workspace).packages["contoso-agent"].msi_releases}
    assert pins == {"2.0.0": "CN=Contoso Ltd", "2.1.0": "CN=Contoso Software Ltd"}
    with pytest.raises(CannotImport, match="changed after it was signed"):
        publish(site, request(tampered(tmp_path / "2.1.0.msi", tmp_path), signing_roots=authority.roots))
    assert count(workspace) == 3
