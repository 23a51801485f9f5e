"""The plan: what is shown is what the hosts will choose, grouped, with nothing left out."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.convergence import converge
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.status import Reason
from reconciler.kernel.steps import StepKind
from reconciler.planning.hosts import KnownHost
from reconciler.planning.plan import group, plan

NOW = 1_000_000.0


def release(version: str) -> MsiRelease:
    major = int(version.split(".", maxsplit=1)[0])
    return MsiRelease(
        version, f"product-{major}", f"package-{version}", Artifact(f"{major:064}", 1000 * major, "a.msi")
    )


RELEASES = tuple(release(f"{major}.0.0") for major in range(1, 6))


def goal(version: str | None, package: str = "app") -> Goal:
    target = next((r for r in RELEASES if r.version == version), None)
    others = tuple(r for r in RELEASES if r is not target)
    return Goal(package, f"upgrade-{package}", target, others, fingerprint=f"{package}-{version}")


def product(version: str, package: str = "app") -> InstalledProduct:
    found = release(version)
    return InstalledProduct(found.product_code, version, package, found.package_code, f"upgrade-{package}")


def host(name: str, wanted: str | None, *installed: str, environment: str = "prod") -> KnownHost:
    assignment = Assignment(name, environment, "c0ffee", (goal(wanted),))
    own = InstalledProduct(f"own-{name}", "1.0.0", "Own", "own-package", "own-family")
    observation = Observation((own, *(product(version) for version in installed)))
    return KnownHost(name, environment, assignment, "digest", "digest", observation, NOW)


def test_hosts_that_do_the_same_make_one_line() -> None:
    hosts = [host(f"H{n:03}", "2.0.0", "1.0.0") for n in range(400)] + [host("ODD", "2.0.0", "3.0.0")]
    first, second = group(plan("c0ffee", hosts, NOW, 3600).steps)
    assert (first.kind, len(first.hosts), first.fetch) == (StepKind.MAJOR_UPGRADE, 400, 400 * 2000)
    assert (second.kind, second.hosts) == (StepKind.ROLL_BACK, ("ODD",))
    assert second.fetch == 2000 + 3000, "a rollback takes the newer file too, to put it back"


def test_a_host_that_never_reported_is_named_not_guessed() -> None:
    silent = replace(host("NEW", "2.0.0"), observation=None)
    planned = plan("c0ffee", [silent], NOW, 3600)
    assert planned.steps == ()
    assert [(unknown.host, unknown.reason) for unknown in planned.unknown] == [("NEW", Reason.NEVER_REPORTED)]


def test_a_silent_host_is_named_and_planned_by_what_it_last_said() -> None:
    silent = replace(host("H1", "2.0.0", "1.0.0"), last_seen=NOW - 3601)
    planned = plan("c0ffee", [silent, replace(host("H2", "2.0.0", "2.0.0"), last_seen=NOW - 3601)], NOW, 3600)
    assert [(unknown.host, unknown.reason) for unknown in planned.unknown] == [
        ("H1", Reason.HOST_SILENT),
        ("H2", Reason.HOST_SILENT),
    ]
    assert [(step.host, step.kind, step.reason) for step in planned.steps] == [
        ("H1", StepKind.MAJOR_UPGRADE, Reason.HOST_SILENT)
    ]


def test_a_removal_is_shown_as_loudly_as_an_install() -> None:
    (step,) = plan("c0ffee", [host("H1", None, "2.0.0")], NOW, 3600).steps
    assert (step.kind, step.from_version, step.to_version) == (StepKind.REMOVE, "2.0.0", None)


def test_what_waits_is_shown_with_what_it_waits_for() -> None:
    waiting = host("H1", "2.0.0", "1.0.0")
    assert waiting.observation is not None
    waiting = replace(waiting, observation=replace(waiting.observation, reboot_pending=("CBS",)))
    (step,) = plan("c0ffee", [waiting], NOW, 3600).steps
    assert step.reason is Reason.REBOOT_PENDING


versions = st.sampled_from([r.version for r in RELEASES])


@given(st.lists(st.tuples(st.none() | versions, st.lists(versions, max_size=3, unique=True)), max_size=8))
def test_the_plan_is_what_each_host_decides(specs: list[tuple[str | None, list[str]]]) -> None:
    hosts = [host(f"H{n}", wanted, *installed) for n, (wanted, installed) in enumerate(specs)]
    planned = plan("c0ffee", hosts, NOW, 3600)
    assert planned == plan("c0ffee", hosts, NOW, 3600)
    assert planned.steps == tuple(step for known in hosts for step in plan("c0ffee", [known], NOW, 3600).steps)
    shown = {(step.host, step.kind, step.from_version, step.to_version) for step in planned.steps}
    chosen = set()
    for known in hosts:
        assert known.observation is not None
        for standing in converge(known.assignment, known.observation, NOW).standings:
            if standing.step is not None:
                step = standing.step
                chosen.add((known.name, step.kind, step.from_version, step.to_version))
    assert shown == chosen
    assert sum(len(alike.hosts) for alike in group(planned.steps)) == len(planned.steps)
