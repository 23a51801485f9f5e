"""What a host should have, and what holds for it, by everything in the files that has a say in it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.catalog import Architecture, Package, ReleaseDetails
from reconciler.desired.model import ABSENT, DesiredState, Environment, Host, Override, Wanted
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Hold
from reconciler.kernel.releases import MsiRelease

EVER = float("inf")
VERSIONS = [f"1.{number}.0" for number in range(8)]
RELEASES = tuple(
    MsiRelease(version, "p" + version, "k" + version, Artifact("0", 1, "x.msi")) for version in VERSIONS
)
PACKAGES = {name: Package(name, "u", RELEASES) for name in "abc"}


def versions(state: DesiredState, environment: str, host: str | None = None) -> dict[str, str | None]:
    wanted = state.wanted(environment, host)
    return {package: release.version if release is not None else None for package, release in wanted.items()}


def test_overrides_go_by_labels_and_a_hosts_own_file_before_them(state: DesiredState) -> None:
    assert versions(state, "prod") == {"agent": "1.1.0", "extra": "1.0.0"}
    assert versions(state, "prod", "PROD-01") == {"agent": "1.1.0", "extra": "1.0.0", "tool": None}
    assert versions(state, "prod", "prod-03") == {"agent": "2.0.0", "extra": "1.0.0", "tool": "23.10"}
    assert versions(state, "prod", "PROD-02") == {"agent": "1.0.0", "extra": None, "tool": "23.10"}


def test_a_tenants_environment_inherits_from_one_that_is_nobodys(state: DesiredState) -> None:
    prod = state.environments["acme/prod"]
    assert (prod.tenant, prod.inherits, prod.promotes_from) == ("acme", "prod", "acme/uat")
    assert versions(state, "acme/prod", "ACME-01") == {"agent": "1.0.0", "extra": "1.0.0"}
    assert versions(state, "acme/uat") == {"agent": "2.0.0", "tool": "23.10"}
    assert state.environments["uat"].tenant is None
    assert state.tenants["acme"].title == "Acme Ltd"
    assert state.tenants["acme"].owners == ("acme-it",)


def test_nothing_but_versions_is_inherited(state: DesiredState) -> None:
    prod, heir = state.environments["prod"], state.environments["acme/prod"]
    assert prod.overrides
    assert prod.prune
    assert prod.confirm == ("tool",)
    assert prod.owners == ("release-managers",)
    assert heir.overrides == heir.confirm == heir.owners == ()
    assert not heir.prune
    assert heir.hold is None
    assert (prod.halt_after, heir.halt_after) == (5, 3)
    assert (prod.soak, heir.soak) == (3 * 86400, 0)


def test_what_hosts_need_of_a_release_and_what_people_do(state: DesiredState) -> None:
    extra = state.packages["extra"]
    release = extra.releases[0]
    assert (extra.title, extra.owners) == ("The Extra, in full", ("release-managers",))
    assert [transform.file_name for transform in release.transforms] == ["finnish.mst", "site.mst"]
    assert release.artifact.signer == "CN=Contoso Ltd"
    assert [transform.signer for transform in release.transforms] == ["", ""]
    assert release.reboot_expected
    details = extra.details_of("1.0.0")
    assert details.architecture is Architecture.X64
    assert details.sources[0] == "https://downloads.example.com/extra/1.0.0/extra.msi"
    assert details.transform_sources == (("https://downloads.example.com/extra/finnish.mst",), ())
    assert details.issue == "https://example.com/issues/7"
    assert details.notes == "Replaces the driver.\nAsk the service desk first.\n"
    assert extra.details_of("9.9.9") == ReleaseDetails()


def test_holds_of_hosts_and_environments(state: DesiredState) -> None:
    until = datetime(2026, 12, 1, 6, 0, tzinfo=UTC).timestamp()
    assert state.hold_of("PROD-01", "prod") == Hold("stocktaking", until)
    assert state.hold_of("PROD-02", "prod") == Hold("being moved")
    assert state.hold_of("NEW-01", "prod") == Hold("stocktaking", until)
    assert state.hold_of("PROD-02", "uat") is None
    assert state.hold_of("acme-01", "acme/prod") == Hold(
        "lent out", datetime(2026, 11, 30, tzinfo=UTC).timestamp()
    )


def test_settings_and_labels(state: DesiredState) -> None:
    assert state.removal_share == 0.125
    assert state.groups["release-managers"] == ("@contoso/release-managers", "riley@example.com")
    assert state.labels_of("prod-02") == {"ring": "canary", "site": "oslo"}
    assert state.labels_of("unheard-of") == {}


@pytest.mark.parametrize(
    ("own", "shared", "expected"),
    [(None, None, None), (5.0, 9.0, 9.0), (9.0, 5.0, 9.0), (EVER, 5.0, None), (5.0, EVER, None)],
)
def test_of_two_holds_the_longer_one_counts(
    own: float | None, shared: float | None, expected: float | None
) -> None:
    def hold(reason: str, until: float | None) -> Hold | None:
        return None if until is None else Hold(reason, None if until == float("inf") else until)

    host = Host("H", "e", hold=hold("own", own))
    state = DesiredState("r", {}, {"e": Environment("e", hold=hold("shared", shared))}, {"H": host})
    found = state.hold_of("h", "e")
    assert (found.until if found is not None else None) == expected
    for now in (1.0, 6.0, 10.0):
        anyone = any(one is not None and one.holds(now) for one in (host.hold, state.environments["e"].hold))
        assert (found is not None and found.holds(now)) == anyone


wishes = st.fixed_dictionaries({}, optional={name: st.sampled_from([*VERSIONS, ABSENT]) for name in "abc"})
labels = st.fixed_dictionaries({}, optional={name: st.sampled_from("12") for name in "xy"})


@st.composite
def states(draw: st.DrawFn) -> DesiredState:
    names = ["e0", "e1", "e2"]
    environments = {}
    for index, name in enumerate(names):
        overrides = draw(st.lists(st.builds(Override, labels.filter(bool), wishes), max_size=3))
        inherits = draw(st.none() | st.sampled_from(names[:index])) if index else None
        environments[name] = Environment(name, None, draw(wishes), inherits, tuple(overrides))
    hosts = {
        f"H{number}": Host(f"H{number}", draw(st.sampled_from(names)), draw(labels), draw(wishes))
        for number in range(4)
    }
    return DesiredState("r", PACKAGES, dict(reversed(environments.items())), hosts)


@given(states())
def test_the_precedence_is_that_of_the_layers_one_after_the_other(state: DesiredState) -> None:
    for host in state.hosts.values():
        line = [state.environments[host.environment]]
        while (parent := line[-1].inherits) is not None:
            line.append(state.environments[parent])
        expected: dict[str, Wanted] = {}
        for environment in reversed(line):
            expected |= environment.packages
        for override in line[0].overrides:
            if set(override.labels.items()) <= set(host.labels.items()):
                expected |= override.packages
        expected |= host.packages
        texts = {package: None if version is ABSENT else version for package, version in expected.items()}
        assert versions(state, host.environment, host.name) == texts


@given(states())
def test_hosts_of_one_variant_want_the_same(state: DesiredState) -> None:
    for name in state.environments:
        wanted: dict[object, object] = {}
        for host in ("unheard-of", *state.hosts):
            wishes = state.wanted(name, host)
            assert wanted.setdefault(state.variant(name, host), wishes) == wishes


def test_a_long_line_of_inheritance_is_followed() -> None:
    names = [f"e{number:05}" for number in range(5000)]
    environments = {name: Environment(name, None, {}, before) for before, name in pairwise(names)}
    environments["e00000"] = Environment("e00000", None, {"a": "1.0.0"})
    assert versions(DesiredState("r", PACKAGES, environments), "e04999") == {"a": "1.0.0"}
