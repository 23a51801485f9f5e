"""What of a desired state concerns an environment, as entries: taken apart, put together, and told as YAML."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.approval.effects import effects_of
from reconciler.approval.entries import MISSING, EntryBook, assemble, differing, rules_of
from reconciler.approval.fitting import misfits
from reconciler.desired.approvals import ApprovalPolicy, Person
from reconciler.desired.catalog import Package
from reconciler.desired.combination import combine
from reconciler.desired.model import ABSENT, DesiredState, Environment, Host, Override
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Hold
from reconciler.kernel.practice import Practice
from reconciler.kernel.releases import MsiRelease


def release(version: str, name: str = "app") -> MsiRelease:
    code = f"{name} {version}"
    return MsiRelease(version, code, code, Artifact("a" * 64, 1, f"{name}.msi"))


def package(name: str, *versions: str) -> Package:
    return Package(name, f"family {name}", tuple(release(version, name) for version in versions))


POLICY = ApprovalPolicy(1, ("managers",))
STATE = DesiredState(
    "1",
    {name: package(name, "1.0.0", "2.0.0", "3.0.0") for name in ("app", "old", "tool")},
    {
        "base": Environment("base", packages={"app": "1.0.0", "tool": "1.0.0"}),
        "prod": Environment(
            "prod",
            promotes_from="base",
            inherits="base",
            packages={"app": "2.0.0", "old": ABSENT},
            overrides=(
                Override({"ring": "canary"}, {"app": "3.0.0"}),
                Override({"site": "lab"}, {"app": "1.0.0"}),
                Override({"ring": "broad"}, {"tool": "2.0.0"}),
            ),
            confirm=("old",),
            soak=60.0,
            approvals=POLICY,
        ),
    },
    {
        "A-1": Host("A-1", "prod", {"ring": "canary"}),
        "A-2": Host("A-2", "prod", {"site": "lab"}, {"tool": "3.0.0"}, Hold("not now")),
        "B-1": Host("B-1", "base"),
    },
    groups={"managers": ("@ann", "@ben"), "others": ("@eve",)},
    people={"ann": Person("ann", ("@ann", "ann@example.com")), "eve": Person("eve", ("@eve",))},
)


def entries(state: DesiredState, name: str = "prod", placed: dict[str, str] | None = None) -> dict:
    return dict(EntryBook(state, placed or {}).of(name))


def altered(after: DesiredState, placed: dict[str, str] | None = None) -> list[str]:
    return sorted(" ".join(key) for key in differing(entries(STATE, placed=placed), entries(after, placed=placed)))


def test_entries_put_together_are_what_they_were_taken_from() -> None:
    made = assemble("prod", entries(STATE), {}, "1")
    assert entries(made) == entries(STATE)
    for host in ("A-1", "A-2", "NOT-NAMED"):
        assert made.wanted("prod", host) == STATE.wanted("prod", host)
        assert made.hold_of(host, "prod") == STATE.hold_of(host, "prod")
    assert made.approvals_for("prod") == POLICY


def test_hosts_know_the_releases_that_are_selected_and_no_others() -> None:
    made = assemble("prod", entries(STATE), {}, "1")
    known = {name: [r.version for r in found.releases] for name, found in made.packages.items()}
    assert known == {"app": ["2.0.0", "3.0.0", "1.0.0"], "tool": ["1.0.0", "2.0.0", "3.0.0"], "old": []}


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("app", ["override ring=canary app", "override site=lab app", "package app"]),
        ("old", ["package old"]),
    ],
)
def test_whatever_runs_for_a_package_is_a_part_of_each_entry_that_selects_it(name: str, keys: list[str]) -> None:
    evil = replace(STATE.packages[name], practice=Practice(before=("evil",)))
    assert altered(replace(STATE, packages={**STATE.packages, name: evil})) == keys


def test_a_release_that_nothing_selects_concerns_nobody() -> None:
    grown = package("app", "1.0.0", "2.0.0", "3.0.0", "9.0.0")
    more = package("old", "1.0.0", "2.0.0", "3.0.0", "9.0.0")
    assert altered(replace(STATE, packages={**STATE.packages, "app": grown, "old": more})) == []


def test_what_an_environment_inherits_concerns_it() -> None:
    base = replace(STATE.environments["base"], packages={"app": "3.0.0", "tool": "2.0.0"})
    assert altered(replace(STATE, environments={**STATE.environments, "base": base})) == ["package tool"]


def test_hosts_and_settings_are_entries_each() -> None:
    prod = replace(STATE.environments["prod"], soak=0.0, prune=True, owners=("others",))
    hosts = {
        "A-1": replace(STATE.hosts["A-1"], hold=Hold("now")),
        "A-2": replace(STATE.hosts["A-2"], environment="base"),
        "B-1": STATE.hosts["B-1"],
    }
    after = replace(STATE, environments={**STATE.environments, "prod": prod}, hosts=hosts)
    assert altered(after) == ["host A-1", "host A-2", "host A-2 tool", "setting prune", "setting soak"]


def test_a_file_that_takes_an_agents_host_away_concerns_the_environment_that_it_leaves() -> None:
    after = replace(STATE, hosts={**STATE.hosts, "PC-1": Host("PC-1", "base")})
    assert altered(after) == []
    assert altered(after, {"PC-1": "prod"}) == ["enrolled host PC-1"]


def test_the_order_of_overrides_is_an_entry_where_it_decides() -> None:
    overrides = STATE.environments["prod"].overrides
    prod = replace(STATE.environments["prod"], overrides=(overrides[1], overrides[0], overrides[2]))
    assert altered(replace(STATE, environments={**STATE.environments, "prod": prod})) == ["override order"]
    prod = replace(STATE.environments["prod"], overrides=(overrides[2], overrides[0], overrides[1]))
    assert altered(replace(STATE, environments={**STATE.environments, "prod": prod})) == []


@pytest.mark.parametrize(
    ("person", "keys"),
    [
        (Person("dora", ("@dora",)), []),
        (Person("aaa", ("@ben",)), ["person aaa"]),
        (Person("aaa", ("ANN@example.com",)), ["person aaa"]),
        (Person("@ben", ("@dora",)), ["person @ben"]),
    ],
)
def test_people_count_who_share_a_name_with_those_who_decide(person: Person, keys: list[str]) -> None:
    assert altered(replace(STATE, people={**STATE.people, person.name: person})) == keys


def test_everybody_counts_where_signatures_alone_are_asked_for() -> None:
    signed = replace(STATE.environments["prod"], approvals=ApprovalPolicy(signed=True))
    state = replace(STATE, environments={**STATE.environments, "prod": signed})
    assert {"person ann", "person eve"} <= {" ".join(key) for key in entries(state)}
    assert set(rules_of(entries(state)).people) == {"ann", "eve"}


def test_who_may_approve_does_not_concern_an_environment_that_asks_for_nothing() -> None:
    assert altered(replace(STATE, groups={})) == ["group managers", "person ann"]
    assert differing(entries(STATE, "base"), entries(replace(STATE, groups={}), "base")) == {}


def test_parts_that_contradict_each_other_do_not_fit() -> None:
    there = entries(STATE)
    assert list(misfits(there)) == []
    evil = replace(STATE.packages["app"], practice=Practice(before=("evil",)))
    other = entries(replace(STATE, packages={**STATE.packages, "app": evil}))
    key = ("override", "ring=canary", "app")
    assert "package app would be defined in two ways" in list(misfits({**there, key: other[key]}))
    claims = replace(release("1.0.0", "tool"), product_code="app 2.0.0")
    taken = replace(there["package", "tool"], release=claims)
    assert any("one product code" in why for why in misfits({**there, ("package", "tool"): taken}))
    assert any(
        "there would be no group" in why for why in misfits({k: v for k, v in there.items() if k[0] != "group"})
    )
    assert any("is gone" in why for why in misfits({k: v for k, v in there.items() if k != ("environment",)}))
    order = {k: v for k, v in there.items() if k != ("override order",)}
    assert list(misfits(order)) == ["the order of its overrides is not approved"]


def test_no_host_leaves_an_environment_that_does_not_let_it_go() -> None:
    moved = replace(STATE, revision="2", hosts={"A-1": Host("A-1", "base"), "PC-1": Host("PC-1", "base")})
    held = assemble("prod", entries(STATE), {}, "1")
    found = combine(moved, {"prod": held}, {"PC-1": "prod"}, lambda _environment, _host: 0)
    assert found.hosts["A-1"].environment == "prod"
    assert "PC-1" not in found.hosts
    assert found.environment_of("PC-1", "prod") == "prod"


def test_of_two_environments_that_hold_a_host_the_one_that_had_it_first_keeps_it() -> None:
    nobody = replace(STATE, revision="2", hosts={})
    states = {name: replace(STATE, hosts={"X": Host("X", name)}) for name in ("base", "prod")}
    for first in states:
        found = combine(nobody, states, {}, lambda environment, _host, first=first: environment != first)
        assert found.hosts["X"].environment == first


def test_effects_are_told_as_differences_of_yaml() -> None:
    newer = package("app", "1.0.0", "2.0.0", "3.0.0")
    evil = replace(newer, practice=Practice(before=("cmd /c \x1b[2J evil",)))
    prod = replace(STATE.environments["prod"], packages={"app": "3.0.0", "old": ABSENT})
    after = replace(
        STATE, packages={**STATE.packages, "app": evil}, environments={**STATE.environments, "prod": prod}
    )
    (found,) = [e for e in effects_of("prod", entries(STATE), entries(after)) if e.entry == "package app"]
    assert "-version: 2.0.0" in found.diff
    assert "+version: 3.0.0" in found.diff
    assert any("evil" in line and line.startswith("+") for line in found.diff)
    assert all(line.isascii() and line.isprintable() for line in found.diff)


def test_effects_show_what_goes_and_every_line_that_looks_like_a_header() -> None:
    before, after = {("setting", "x"): ["-- a", "++ b"]}, {("setting", "y"): True}
    found = {effect.entry: effect.diff for effect in effects_of("prod", before, after)}
    assert found == {"setting y": ("+true",), "setting x": ("-- -- a", "-- ++ b")}
    assert effects_of("prod", before, after, [("setting", "x"), ("setting", "y")]) == ()
    assert differing(before, after)["setting", "x"] is MISSING
