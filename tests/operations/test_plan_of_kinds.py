"""A plan shows what a revision changes of packages of any kind, though no version changes."""

from __future__ import annotations

from reconciler.kernel.observation import InstalledProduct
from reconciler.kernel.status import Reason
from reconciler.kernel.steps import StepKind
from reconciler.operations.plan import plan_revision
from reconciler.planning.changes import ChangeKind
from tests.operations.conftest import APP, Installation, catalog, package_code, product_code

APP_1 = InstalledProduct(product_code(1), "1.0.0", "App 1.0.0", package_code(1), APP)
SETTINGS = """\
kind: configuration
releases:
  - version: "1.0"
    registry:
      - {key: HKLM\\SOFTWARE\\App, name: Server, type: REG_SZ, data: a}
"""


def test_commands_that_a_package_runs_are_shown_though_no_step_follows(installation: Installation) -> None:
    installation.enrol("DEV-01")
    installation.report("DEV-01", APP_1)
    before = installation.publish({})
    text = catalog(APP, v1_0_0=1, v2_0_0=2) + "after: [cmd /c echo done]\n"
    revision = installation.publish({"environments/catalog/app.yaml": text})
    found = plan_revision(installation.site, revision, before)
    (change,) = found.changes
    assert (change.package, change.kind, change.hosts) == ("app", ChangeKind.ADJUSTED, ("DEV-01",))
    assert found.plan is not None
    assert found.plan.steps == ()


def test_settings_are_planned_with_what_differs(installation: Installation) -> None:
    installation.enrol("DEV-01")
    installation.report("DEV-01", APP_1)
    before = installation.publish({})
    wanted = "packages:\n  app: 1.0.0\n  app-settings: 1.0\n"
    revision = installation.publish(
        {"environments/catalog/app-settings.yaml": SETTINGS, "environments/dev/environment.yaml": wanted}
    )
    found = plan_revision(installation.site, revision, before)
    assert [(change.package, change.kind) for change in found.changes] == [("app-settings", ChangeKind.ADDED)]
    assert found.plan is not None
    (step,) = found.plan.steps
    assert (step.kind, step.to_version, step.reason) == (StepKind.CONFIGURE, "1.0", Reason.STEP_DUE)
    assert step.message == r"differs: HKLM\SOFTWARE\App\Server"
