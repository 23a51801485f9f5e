"""A branch and its changes as a test plays them: commits are mappings of entries, and approvals are names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconciler.approval.admission import Admission, Decision, Line, Ruling, admit
from reconciler.approval.entries import ENVIRONMENT, POLICY, Entries, Key, Rules, differing, rules_of
from reconciler.approval.evidence import Approval, Change, Evidence
from reconciler.approval.policy import Judgement, judge
from reconciler.desired.approvals import ApprovalPolicy
from reconciler.desired.people import People

START = "start"
FRAME: Entries = {
    ENVIRONMENT: True,
    POLICY: ApprovalPolicy(1, ("managers",)),
    ("group", "managers"): ("@ann", "@ben"),
}


def key(name: str) -> Key:
    return ("setting", name)


@dataclass(frozen=True)
class Commit:
    """What a commit says; ``None`` where it does not validate."""

    entries: Entries | None
    parents: tuple[str, ...] = ()


@dataclass
class Branches:
    """Commits, the branch that is followed, and by which change each of its commits came."""

    commits: dict[str, Commit] = field(default_factory=dict)
    main: list[str] = field(default_factory=lambda: [START])
    came_by: dict[str, Change] = field(default_factory=dict)
    emergencies: set[str] = field(default_factory=set)
    away: bool = False
    now: Admission = field(default_factory=lambda: Admission("prod", START, START, catalog=START))
    decided: tuple[Decision, ...] = ()

    @classmethod
    def of(cls, **values: object) -> Branches:
        made = cls()
        made.commits[START] = Commit({**FRAME, **{key(name): value for name, value in values.items()}})
        return made

    def entries(self, commit: str) -> Entries | None:
        return self.commits[commit].entries

    def commit(self, entries: Entries | None, *parents: str) -> str:
        name = f"c{len(self.commits)}"
        self.commits[name] = Commit(entries, parents)
        return name

    def altered(self, parent: str, values: Mapping[Key, object], *more: str) -> str:
        """Commit on top of another, with these entries altered; ``None`` takes one away."""
        there = self.commits[parent].entries
        assert there is not None
        entries = {k: v for k, v in {**there, **values}.items() if v is not None}
        return self.commit(entries, parent, *more)

    def push(self, values: Mapping[Key, object] | None) -> str:
        """Push straight to the branch; ``None`` pushes what does not validate."""
        made = self.altered(self.main[-1], values) if values is not None else self.commit(None, self.main[-1])
        self.main.append(made)
        return made

    def merge(self, head: str, *approvers: str, besides: Mapping[Key, object] | None = None) -> str:
        """Merge a head into the branch, as git does it; ``besides`` is what neither side has."""
        (base,) = self.bases(self.main[-1], head)[:1]
        theirs, was = self.commits[head].entries, self.commits[base].entries
        assert theirs is not None
        assert was is not None
        values = {k: v if k in theirs else None for k, v in differing(was, theirs).items()}
        made = self.altered(self.main[-1], {**values, **(besides or {})}, head)
        self.main.append(made)
        self.came_by[made] = change(head, *approvers)
        return made

    def propose(self, values: Mapping[Key, object], base: str = "") -> str:
        return self.altered(base or self.main[-1], values)

    def look(self) -> Admission:
        """Go along the branch, as the daemon does."""
        line = self._line()
        self.now, self.decided = admit(self.now, line, self)
        return self.now

    def in_force(self) -> dict[Key, object]:
        found = dict(self.commits[self.now.commit].entries or {})
        for taken in self.now.taken:
            there = self.commits[taken.at].entries
            assert there is not None
            found.pop(taken.key, None)
            found |= {k: v for k, v in there.items() if k == taken.key}
        return found

    def value(self, name: str) -> object:
        return self.in_force().get(key(name))

    def _line(self) -> Line:
        begin, rewritten = self.now.begin, self.now.begin not in self.main
        commits = self.main if rewritten else self.main[self.main.index(begin) + 1 :]
        commits = list(commits)
        while rewritten and self.commits[commits[-1]].entries is None:
            commits.pop()
        rules = rules_of(self.commits[START].entries or {})
        return Line(commits, self.entries, lambda state: state, rules, rewritten)  # type: ignore[arg-type, return-value]

    def bases(self, one: str, other: str) -> list[str]:
        """Return the newest common ancestors."""
        common = self._ancestors(one) & self._ancestors(other)
        return [c for c in common if not any(c != d and c in self._ancestors(d) for d in common)]

    def _ancestors(self, commit: str) -> set[str]:
        found, left = set(), [commit]
        while left:
            here = left.pop()
            if here not in found:
                found.add(here)
                left += self.commits[here].parents
        return found

    def own(self, commit: str) -> Entries:
        """Return what the change of a commit alters."""
        head = self.came_by[commit].head
        theirs = self.commits[head].entries
        assert theirs is not None
        found = [
            differing(self.commits[b].entries or {}, theirs)
            for b in self.bases(self.commits[commit].parents[0], head)
        ]
        return {k: v for k, v in found[0].items() if all(k in other for other in found)}

    def judge(self, commit: str, environment: str, rules: Rules, keys: frozenset[Key]) -> Ruling | None:
        if self.away:
            judged = Judgement(approved=False, reasons=("away",))
            return Ruling(Decision(environment, commit, judged, known=False), {})
        known = self.came_by.get(commit)
        judged = judge(rules.policy, People(rules.people, rules.groups), "", Evidence(commit, known))
        return Ruling(Decision(environment, commit, judged), self.own(commit) if known else dict.fromkeys(keys))

    def emergency(self, commit: str, environment: str, _rules: Rules, *, replayed: bool) -> Ruling | None:
        if commit not in self.emergencies or (replayed and commit in {d.commit for d in self.decided}):
            return None
        parent, here = self.commits[self.commits[commit].parents[0]].entries, self.commits[commit].entries
        if parent is None or here is None:
            return None
        judged = Judgement(approved=True, emergency="now")
        return Ruling(Decision(environment, commit, judged), differing(parent, here))


def change(head: str, *approvers: str) -> Change:
    approvals = tuple(Approval(by, head) for by in approvers)
    return replace(Change("#1", "", "", "@dora", head, 0.0), approvals=approvals)
