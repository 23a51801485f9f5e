"""The story that the demonstration tells, scene by scene, and what came of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from reconciler.demo.colleagues import REQUESTER, REVIEWERS
from reconciler.demo.hosts import Installed
from reconciler.demo.stage import Stage
from reconciler.desired.editing import set_version
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.releases import MsiRelease
from reconciler.operations.desired import state_in_force

PACKAGE = "contoso-agent"
FROM_VERSION = "2.0.0"
TO_VERSION = "2.1.0"


class MergedUnapproved(ReconcilerError):
    """A change was merged that nobody had approved: the demonstration shows that this cannot be."""

    reference = "merged-unapproved"


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """What a host had before and after a scene, and what it should have: versions by package."""

    before: Installed
    after: Installed
    wanted: Installed
    matched: bool


@dataclass(frozen=True, slots=True)
class SceneOutcome:
    """What came of a scene. ``seconds`` is the time from its cause to the last host's match."""

    name: str
    title: str
    commit: str
    seconds: float
    hosts: dict[str, HostOutcome]

    @property
    def matched(self) -> bool:
        """Whether every host matched, by a look past its agent."""
        return bool(self.hosts) and all(outcome.matched for outcome in self.hosts.values())


@dataclass(slots=True)
class Story:
    """The scenes, played in order on a stage."""

    stage: Stage
    announce: Callable[[str, str], None]
    """Called with a scene's title and what is done in it, before it is played."""

    say: Callable[[str], None]
    """Called with what people do in it, as they do it."""

    def play(self) -> Iterator[SceneOutcome]:
        """Play every scene, yielding what came of each.

        Raises:
            DidNotSettle: hosts did not come to match in time.
            MergedUnapproved: something was merged that should not have been.
        """
        yield self._first()
        yield self._set("upgrade-dev", f"A change upgrades {PACKAGE} in dev to {TO_VERSION}", "dev", ())
        yield self._set("promote-uat", f"{PACKAGE} {TO_VERSION} goes on to uat", "uat", REVIEWERS[:1])
        promoted = self._set("promote-prod", f"{PACKAGE} {TO_VERSION} goes on to prod", "prod", REVIEWERS)
        yield promoted
        yield self._revert(promoted.commit)
        yield self._by_hand()

    def _first(self) -> SceneOutcome:
        title = "Agents enrol, and every host gets what the first commit says"
        self.announce(title, "nothing is done but starting the hosts")
        return self._scene("first", title, {}, lambda: self.stage.colleagues.head)

    def _set(self, name: str, title: str, environment: str, approvers: Sequence[str]) -> SceneOutcome:
        path = f"environments/{environment}/environment.yaml"
        self.announce(title, f"{path}: {PACKAGE}: {TO_VERSION}")
        colleagues, before = self.stage.colleagues, self.stage.look()
        text = set_version(colleagues.path(path).read_text("utf-8"), PACKAGE, TO_VERSION)
        number = colleagues.propose(name, {path: text}, f"{environment}: {PACKAGE} {TO_VERSION}")
        self._have_approved(number, name, approvers)
        return self._scene(name, title, before, lambda: self._merge(number))

    def _revert(self, commit: str) -> SceneOutcome:
        title = f"Reverting the promotion rolls prod back to {FROM_VERSION}"
        self.announce(title, f"git revert --mainline 1 {commit[:10]}")
        before = self.stage.look()
        number = self.stage.colleagues.propose_undoing("revert", commit)
        self._have_approved(number, "revert", REVIEWERS)
        return self._scene("revert", title, before, lambda: self._merge(number))

    def _have_approved(self, number: int, branch: str, approvers: Sequence[str]) -> None:
        """Have a change approved, with a try at merging it before: the server lets nothing in too early."""
        self.say(f"{REQUESTER} pushes the branch {branch} with git: change {number}")
        if not approvers:
            return
        refusal = self.stage.colleagues.why_not(number)
        if not refusal:
            raise MergedUnapproved(f"change {number} was merged though nobody had approved it")
        self.say(f"{REQUESTER} tries to merge it: {refusal}")
        for approver in approvers:
            self.stage.colleagues.approve(approver, number)
            self.say(f"{approver} approves it")

    def _merge(self, number: int) -> str:
        merged = self.stage.colleagues.merge(number)
        self.say(f"{REQUESTER} merges it: {merged[:10]}, signed by the daemon")
        return merged

    def _by_hand(self) -> SceneOutcome:
        desired = state_in_force(self.stage.site)
        host = next(h.name for h in desired.hosts.values() if h.environment == "prod")
        release = desired.wanted("prod", host)[PACKAGE]
        assert isinstance(release, MsiRelease)
        title = f"Somebody removes {PACKAGE} from {host} by hand, and it comes back"
        self.announce(title, f"msiexec /x {release.product_code} on {host}")
        before = self.stage.look()
        before[host] = self.stage.packages_of(host, self.stage.hosts.remove_by_hand(host, release.product_code))

        def back() -> bool:
            return release.product_code in self.stage.hosts.installed(host)

        return self._scene("by-hand", title, before, lambda: self.stage.colleagues.head, back)

    def _scene(
        self,
        name: str,
        title: str,
        before: dict[str, Installed],
        cause: Callable[[], str],
        when: Callable[[], bool] = lambda: True,
    ) -> SceneOutcome:
        started = time.monotonic()
        commit = cause()
        self.stage.await_match(commit, when)
        seconds = time.monotonic() - started
        after, wanted = self.stage.look(), self.stage.wanted()
        hosts = {
            host: HostOutcome(before.get(host, {}), after[host], wanted[host], after[host] == wanted[host])
            for host in wanted
        }
        return SceneOutcome(name, title, commit, round(seconds, 2), hosts)
