"""How two states differ: nothing that changes for a host goes unsaid, least of all what is left out."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.practice import NO_PRACTICE, Practice
from reconciler.kernel.releases import MsiRelease
from reconciler.planning.changes import ChangeKind, HostWishes, Wishes, compare


def release(version: str, package_code: str = "") -> MsiRelease:
    return MsiRelease(version, "product", package_code or f"package-{version}", Artifact("0" * 64, 1, "a.msi"))


def changes(
    before: Wishes, after: Wishes, *, prunes: bool = False
) -> list[tuple[ChangeKind, str | None, str | None]]:
    found = compare([HostWishes("H1", "prod", before)], [HostWishes("H1", "prod", after, prunes)])
    return [(change.kind, change.before, change.after) for change in found]


def test_each_kind_of_change_is_told() -> None:
    one, two = release("1.0.0"), release("2.0.0")
    assert changes({}, {"app": one}) == [(ChangeKind.ADDED, None, "1.0.0")]
    assert changes({"app": one}, {"app": two}) == [(ChangeKind.UPGRADED, "1.0.0", "2.0.0")]
    assert changes({"app": two}, {"app": one}) == [(ChangeKind.DOWNGRADED, "2.0.0", "1.0.0")]
    assert changes({"app": one}, {"app": None}) == [(ChangeKind.REMOVED, "1.0.0", None)]
    assert changes({"app": one}, {}) == [(ChangeKind.DROPPED, "1.0.0", None)]
    assert changes({"app": one}, {}, prunes=True) == [(ChangeKind.PRUNED, "1.0.0", None)]
    assert changes({"app": one}, {"app": release("1.0.0", "rebuilt")}) == [(ChangeKind.REBUILT, "1.0.0", "1.0.0")]
    adjusted = replace(one, properties=(("SITE", "x"),))
    assert changes({"app": one}, {"app": adjusted}) == [(ChangeKind.ADJUSTED, "1.0.0", "1.0.0")]
    assert changes({}, {"app": None}) == [(ChangeKind.REMOVED, None, None)]
    assert changes({"app": one}, {"app": one}) == []


def test_how_a_package_is_handled_is_a_change_where_it_is_wanted() -> None:
    wishes: Wishes = {"app": release("1.0.0"), "tool": None}
    plain = dict.fromkeys(("app", "tool", "other"), NO_PRACTICE)
    handled = dict.fromkeys(plain, Practice(after=("cmd /c echo done",)))
    (change,) = compare(
        [HostWishes("H1", "prod", wishes, practices=plain)], [HostWishes("H1", "prod", wishes, practices=handled)]
    )
    assert (change.package, change.kind) == ("app", ChangeKind.ADJUSTED)
    assert (
        compare(
            [HostWishes("H1", "prod", wishes, practices=plain)],
            [HostWishes("H1", "prod", wishes, practices=dict(plain))],
        )
        == ()
    )


def test_hosts_that_change_alike_make_one_entry() -> None:
    one, two = {"app": release("1.0.0")}, {"app": release("2.0.0")}
    names = [f"H{number:03}" for number in range(400)]
    (change,) = compare(
        [HostWishes(name, "prod", one) for name in ["", *names]],
        [HostWishes(name, "prod", two) for name in ["", *names]],
    )
    assert (change.kind, change.hosts) == (ChangeKind.UPGRADED, tuple(names))


def test_an_environment_without_hosts_is_compared_all_the_same() -> None:
    (change,) = compare(
        [HostWishes("", "prod", {"app": release("1.0.0")})], [HostWishes("", "prod", {"app": release("2.0.0")})]
    )
    assert change.hosts == ()


def test_a_file_that_vanished_is_an_omission_that_is_shown() -> None:
    wishes = {"app": release("1.0.0")}
    before = [HostWishes("", "prod", wishes), HostWishes("H1", "prod", wishes)]
    (change,) = compare(before, [])
    assert (change.kind, change.hosts) == (ChangeKind.DROPPED, ("H1",))


def test_a_host_that_moves_leaves_one_environment_and_enters_another() -> None:
    wishes = {"app": release("1.0.0")}
    found = compare([HostWishes("H1", "dev", wishes)], [HostWishes("H1", "uat", wishes)])
    assert [(c.environment, c.kind, c.hosts) for c in found] == [
        ("dev", ChangeKind.DROPPED, ("H1",)),
        ("uat", ChangeKind.ADDED, ("H1",)),
    ]


wishes = st.dictionaries(
    st.sampled_from(["app", "tool"]), st.none() | st.sampled_from(["1.0.0", "2.0.0"]).map(release)
)
states = st.dictionaries(st.tuples(st.sampled_from(["dev", "prod"]), st.sampled_from(["", "H1", "H2"])), wishes)


@given(states, states)
def test_nothing_goes_unsaid(before: dict[tuple[str, str], Wishes], after: dict[tuple[str, str], Wishes]) -> None:
    found = compare(
        [HostWishes(host, environment, w) for (environment, host), w in before.items()],
        [HostWishes(host, environment, w) for (environment, host), w in after.items()],
    )
    said = {(c.environment, host, c.package) for c in found for host in c.hosts or ("",)}
    for key in before.keys() | after.keys():
        was, will = before.get(key, {}), after.get(key, {})
        for package in was.keys() | will.keys():
            differs = (package in was) != (package in will) or was.get(package) != will.get(package)
            if differs and key[1]:
                assert (key[0], key[1], package) in said
            if not differs:
                assert (key[0], key[1], package) not in said or key[1] == ""
