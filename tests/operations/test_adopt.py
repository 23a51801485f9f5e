"""What a host has already comes into the desired state as it is, and then there is nothing to do there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.desired.loading import load_folder
from reconciler.kernel.observation import Context, InstalledProduct, ProductState
from reconciler.kernel.status import Reason
from reconciler.operations.adopt import CannotAdopt, adopt
from reconciler.operations.adoption import Into, Obstacle
from reconciler.operations.host import UnknownHost
from reconciler.operations.plan import plan_revision
from reconciler.operations.status import site_status
from tests.operations.conftest import APP, TOOL, Installation, catalog, package_code, product_code

HOST_FILE = "environments/dev/hosts/DEV-01.yaml"
APP_1 = InstalledProduct(product_code(1), "1.0.0", "App 1.0.0", package_code(1), APP)
APP_2 = InstalledProduct(product_code(2), "2.0.0", "App 2.0.0", package_code(2), APP)
TOOL_5 = InstalledProduct(product_code(5), "5.0.0", "Tool", package_code(5), TOOL)
TOOL_6 = InstalledProduct(product_code(6), "6.0.0", "Tool", package_code(6), TOOL)
STRANGER = InstalledProduct(product_code(9), "9.0.0", "Somebody else's", package_code(9), product_code(8))


@pytest.fixture
def host(installation: Installation) -> Installation:
    installation.enrol("DEV-01")
    installation.report("DEV-01", APP_1, TOOL_5, STRANGER)
    return installation


def test_what_nothing_was_wanted_of_is_proposed_for_the_host(host: Installation) -> None:
    adoption = adopt(host.site, "dev-01", (), Into.HOST, None)
    assert [(item.package, item.version) for item in adoption.adopted] == [("tool", "5.0.0")]
    assert adoption.managed == ("app",)
    assert adoption.change is not None
    assert adoption.change.path == HOST_FILE
    assert adoption.change.after == "# in the lab\nlabels: {site: lab}\npackages:\n  tool: 5.0.0\n"
    assert not adoption.written


def test_once_merged_there_is_nothing_to_do_on_the_host(host: Installation) -> None:
    change = adopt(host.site, "DEV-01", (), Into.HOST, None).change
    assert change is not None
    merged = host.publish({change.path: change.after})
    (status,) = site_status(host.site).hosts
    assert {standing.package: standing.reason for standing in status.packages} == {
        "app": Reason.UP_TO_DATE,
        "tool": Reason.UP_TO_DATE,
    }
    planned = plan_revision(host.site, merged, None).plan
    assert planned is not None
    assert planned.steps == ()
    again = adopt(host.site, "DEV-01", (), Into.HOST, None)
    assert (again.change, again.adopted, again.managed) == (None, (), ("app", "tool"))


def test_a_product_of_no_package_is_listed_with_its_codes(host: Installation) -> None:
    (left,) = adopt(host.site, "DEV-01", (), Into.HOST, None).left_out
    assert (left.product, left.package, left.obstacle) == (STRANGER, None, Obstacle.NO_PACKAGE)
    assert "import" in left.advice


def test_a_version_that_the_catalog_lacks_must_be_imported_first(host: Installation) -> None:
    host.report("DEV-01", TOOL_6)
    adoption = adopt(host.site, "DEV-01", (), Into.HOST, None)
    assert adoption.change is None
    (left,) = adoption.left_out
    assert (left.obstacle, left.package) == (Obstacle.NO_RELEASE, "tool")
    assert "--package tool" in left.advice


def test_another_build_of_a_known_version_is_not_taken_for_it(host: Installation) -> None:
    host.report("DEV-01", replace(TOOL_5, package_code=package_code(7)))
    (left,) = adopt(host.site, "DEV-01", (), Into.HOST, None).left_out
    assert left.obstacle is Obstacle.NO_RELEASE
    host.report("DEV-01", replace(TOOL_5, package_code=None))
    assert adopt(host.site, "DEV-01", (), Into.HOST, None).adopted, (
        "where the host cannot tell, the version decides"
    )


def test_what_is_wanted_otherwise_is_taken_only_by_name(host: Installation) -> None:
    host.report("DEV-01", APP_2)
    (left,) = adopt(host.site, "DEV-01", (), Into.HOST, None).left_out
    assert left.obstacle is Obstacle.WANTED_OTHERWISE
    adoption = adopt(host.site, "DEV-01", ("app",), Into.HOST, None)
    assert [(item.package, item.version) for item in adoption.adopted] == [("app", "2.0.0")]


def test_named_packages_alone_are_looked_at(host: Installation) -> None:
    adoption = adopt(host.site, "DEV-01", ("tool",), Into.HOST, None)
    assert [item.package for item in adoption.adopted] == ["tool"]
    assert (adoption.left_out, adoption.managed) == ((), ())


def test_for_the_environment_its_file_is_changed_and_keeps_its_comments(host: Installation) -> None:
    change = adopt(host.site, "DEV-01", (), Into.ENVIRONMENT, None).change
    assert change is not None
    assert change.path == "environments/dev/environment.yaml"
    assert change.after == "# the first\npackages:\n  app: 1.0.0 # as in prod\n  tool: 5.0.0\n"


def test_what_cannot_be_kept_as_it_is_is_left_out(host: Installation) -> None:
    host.report("DEV-01", replace(TOOL_5, context=Context.USER), replace(APP_2, state=ProductState.ADVERTISED))
    (left,) = adopt(host.site, "DEV-01", (), Into.HOST, None).left_out
    assert left.obstacle is Obstacle.PER_USER
    host.report("DEV-01", TOOL_5, TOOL_6)
    adoption = adopt(host.site, "DEV-01", (), Into.HOST, None)
    assert {item.obstacle for item in adoption.left_out} == {Obstacle.SIDE_BY_SIDE}
    assert adoption.change is None, "the other of the two would be removed"


def test_a_host_without_a_file_gets_one(installation: Installation) -> None:
    installation.enrol("DEV-07")
    installation.report("DEV-07", TOOL_5)
    change = adopt(installation.site, "dev-07", (), Into.HOST, None).change
    assert change is not None
    assert (change.path, change.before) == ("environments/dev/hosts/DEV-07.yaml", None)
    assert change.after == (
        "# yaml-language-server: $schema=../../../schemas/host.schema.json\npackages:\n  tool: 5.0.0\n"
    )
    installation.publish({change.path: change.after})
    status = next(s for s in site_status(installation.site).hosts if s.host == "DEV-07")
    assert {s.package: s.reason for s in status.packages}["tool"] is Reason.UP_TO_DATE


def test_written_into_a_working_tree_whose_catalog_counts(host: Installation) -> None:
    folder = host.workspace.folder / "environments"
    host.workspace.write({"environments/catalog/tool.yaml": catalog(TOOL, v5_0_0=5, v6_0_0=6)})
    host.report("DEV-01", TOOL_6)
    adoption = adopt(host.site, "DEV-01", (), Into.HOST, folder)
    assert adoption.written
    assert host.workspace.path(HOST_FILE).read_text().endswith("packages:\n  tool: 6.0.0\n")
    assert load_folder(folder).findings == ()
    assert not adopt(host.site, "DEV-01", (), Into.HOST, folder).written


def test_nothing_is_written_into_a_working_tree_that_does_not_validate(host: Installation) -> None:
    host.workspace.write({"environments/prod/environment.yaml": "packages: {ap: 1.0.0}\n"})
    before = host.workspace.path(HOST_FILE).read_text()
    with pytest.raises(CannotAdopt, match="not valid"):
        adopt(host.site, "DEV-01", (), Into.HOST, host.workspace.folder / "environments")
    assert host.workspace.path(HOST_FILE).read_text() == before


def test_what_was_misspelt_is_guessed(host: Installation, tmp_path: Path) -> None:
    with pytest.raises(CannotAdopt) as caught:
        adopt(host.site, "DEV-01", ("tol",), Into.HOST, None)
    assert caught.value.hint == "did you mean tool?"
    host.report("DEV-01")
    with pytest.raises(CannotAdopt, match="nothing of tool"):
        adopt(host.site, "DEV-01", ("tool",), Into.HOST, None)
    with pytest.raises(UnknownHost):
        adopt(host.site, "DEV-99", (), Into.HOST, None)


def test_a_host_that_never_reported_has_nothing_to_adopt(installation: Installation) -> None:
    with pytest.raises(CannotAdopt, match="not reported"):
        adopt(installation.site, "DEV-01", (), Into.HOST, None)


def test_only_products_of_windows_installer_are_adopted(host: Installation) -> None:
    host.publish({"environments/catalog/settings.yaml": "kind: configuration\n"})
    with pytest.raises(CannotAdopt, match="settings is a package of kind configuration"):
        adopt(host.site, "DEV-01", ("settings",), Into.HOST, None)
