"""Promotions: proposed by what is on record, on a branch of their own, and never twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pygit2
import pytest

from reconciler.desired.commits import Person, read_text, write_commit
from reconciler.desired.repository import GitRepository
from reconciler.kernel.attempts import Attempt, Outcome
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.status import Health, Reason, Sync
from reconciler.kernel.steps import StepKind
from reconciler.operations.desired import state_in_force
from reconciler.operations.fleet import known_hosts
from reconciler.operations.promote import Fate, Promotion, PromotionRequest, promote
from reconciler.operations.promotion.basis import CannotPromote
from reconciler.operations.promotion.choice import NotVerified
from reconciler.operations.standing import record_standing
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.store.standings import PackageStanding
from reconciler.testing.workspace import AUTHOR
from tests.operations.conftest import APP, TOOL, Installation, catalog, package_code, product_code

HOUR = 3600.0
APP_1 = InstalledProduct(product_code(1), "1.0.0", "App", package_code(1), APP)
APP_2 = InstalledProduct(product_code(2), "2.0.0", "App", package_code(2), APP)
APP_3 = InstalledProduct(product_code(3), "3.0.0", "App", package_code(3), APP)
TOOL_6 = InstalledProduct(product_code(6), "6.0.0", "Tool", package_code(6), TOOL)
UAT, PROD = "environments/uat/environment.yaml", "environments/prod/environment.yaml"
PROD_TEXT = "# ours\npromotesFrom: uat\nsoak: 4h\nowners: [managers]\npackages:\n  app: 1.0.0 # since May\n"
FILES = {
    "environments/reconciler.yaml": 'version: 1\ngroups: {managers: ["@sam", "@kim"]}\n',
    "environments/catalog/app.yaml": catalog(APP, v1_0_0=1, v2_0_0=2, v3_0_0=3).replace(
        "  - version: 2.0.0\n", "  - version: 2.0.0\n    issue: OPS-7\n    notes: Mends the clock.\n"
    ),
    "environments/catalog/tool.yaml": catalog(TOOL, v5_0_0=5, v6_0_0=6),
    UAT: "packages:\n  app: 2.0.0\n",
    PROD: PROD_TEXT,
    "environments/uat/hosts/UAT-01.yaml": "",
    "environments/prod/hosts/PROD-01.yaml": "",
}


class Story:
    """A site with a clock of its own: a host in uat and one in prod, that say what the test has them say."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.now = site.clock()
        self.site = replace(site, clock=lambda: self.now)
        self.installation = Installation(folder, self.site)
        self.workspace = self.installation.workspace
        self.bare = GitRepository(self.workspace.bare)
        self.installation.publish(FILES)
        self.installation.enrol("UAT-01", "uat")
        self.installation.enrol("PROD-01", "prod")
        self.say("PROD-01", APP_1)
        self.say("UAT-01", APP_2)

    def say(self, name: str, *products: InstalledProduct) -> None:
        """Have a host report, and its standing recorded as the daemon does."""
        self.site.hosts.record_report(name, Observation(products), "digest", "", self.now)
        known = next(h for h in known_hosts(self.site, state_in_force(self.site)) if h.name == name)
        record_standing(self.site, known)

    def later(self, seconds: float) -> None:
        """Let time pass in which both hosts keep in touch."""
        self.now += seconds
        self.site.hosts.record_seen([("UAT-01", self.now, None), ("PROD-01", self.now, None)])

    def publish(self, files: dict[str, str]) -> str:
        return self.installation.publish(files)

    def promote(self, *packages: str, unverified: str | None = None, source: str | None = None) -> Promotion:
        author = "Riley Release <riley@example.com>"
        return promote(self.site, PromotionRequest("prod", source, packages, unverified, author))

    def fails(self, seconds_ago: float) -> None:
        ended = self.now - seconds_ago
        failed = Attempt(
            f"a{ended}",
            "app",
            StepKind.INSTALL,
            "g",
            "c",
            ended - 1,
            "1.0.0",
            "2.0.0",
            ended,
            Outcome.FAILED,
            "1603",
        )
        self.site.attempts.record("UAT-01", [failed], self.now)

    def branches(self) -> set[str]:
        return set(self.bare.branches("promote/"))


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with open_site(Settings(data=tmp_path / "data", repository=str(tmp_path / "fleet.git"))) as site:
        yield Story(tmp_path, site)


def test_what_is_verified_is_proposed_with_its_evidence(story: Story) -> None:
    story.later(5 * HOUR)
    done = story.promote("app")
    assert (done.fate, done.source, done.branch) == (Fate.OPENED, "uat", "promote/prod/app")
    assert story.bare.head(done.branch) == done.commit
    assert story.bare.changed_paths(story.workspace.head, done.commit) == (PROD,)
    assert read_text(story.bare, done.commit, PROD) == PROD_TEXT.replace("1.0.0", "2.0.0")
    made = story.bare.commit(done.commit)
    assert (made.subject, made.author, made.parents) == (
        "prod: app 2.0.0",
        "Riley Release",
        (story.workspace.head,),
    )
    message = story.bare.message(done.commit)
    assert message == done.message
    assert "| app | 1.0.0 | 2.0.0 | yes |" in message
    assert "1 of 1 hosts that can be reached have it, healthy for 4 h or longer." in message
    assert "| UAT-01 | healthy for 5 h |" in message
    assert "- app 2.0.0 (OPS-7): Mends the clock." in message
    assert "| prod | app | majorUpgrade | 1.0.0 -> 2.0.0 | 1 | PROD-01 | 5 B | now |" in message
    assert "- managers: @&#8203;sam, @&#8203;kim" in message
    assert message.endswith("\n\nPromotes: uat -> prod\n")
    assert "UNVERIFIED" not in message


def test_too_early_is_refused_with_the_reason_and_nothing_is_pushed(story: Story) -> None:
    story.later(3 * HOUR)
    with pytest.raises(NotVerified, match=r"app 2\.0\.0 is not verified in uat\n  UAT-01: healthy for 3 h of 4 h"):
        story.promote("app")
    with pytest.raises(NotVerified, match="UAT-01"):
        story.promote()
    assert story.branches() == set()


def test_a_failed_attempt_takes_verified_away_until_time_has_passed_again(story: Story) -> None:
    story.later(5 * HOUR)
    open_one = story.promote("app").branch
    story.fails(seconds_ago=HOUR)
    with pytest.raises(
        NotVerified, match=f"healthy for 1 h of 4 h, since it failed: 1603\n.*{open_one}: do not merge"
    ):
        story.promote("app")
    story.later(3 * HOUR)
    assert "1603" in story.promote("app").message


def test_a_health_check_that_failed_is_told_and_the_time_starts_anew(story: Story) -> None:
    story.fails(seconds_ago=0)
    story.later(5 * HOUR)
    sick = PackageStanding(
        "UAT-01", "app", Sync.SYNCED, Health.DEGRADED, Reason.CHECK_FAILED, "2.0.0", "2.0.0", "service stopped"
    )
    story.site.standings.update("UAT-01", [sick], story.now)
    with pytest.raises(NotVerified, match="UAT-01: that it has it, healthy, is not on record yet"):
        story.promote("app")
    story.later(60)
    story.say("UAT-01", APP_2)
    story.later(HOUR)
    with pytest.raises(NotVerified, match="healthy for 1 h of 4 h, since it failed: service stopped"):
        story.promote("app")
    story.later(3 * HOUR)
    assert "UTC service stopped" in story.promote("app").message


def test_a_host_that_lost_it_takes_verified_away_and_the_time_starts_anew(story: Story) -> None:
    story.later(5 * HOUR)
    story.say("UAT-01")
    with pytest.raises(NotVerified, match="UAT-01: OutOfSync, Missing"):
        story.promote("app")
    story.say("UAT-01", APP_2)
    with pytest.raises(NotVerified, match="healthy for 0 s of 4 h"):
        story.promote("app")
    story.later(4 * HOUR)
    assert story.promote("app").fate is Fate.OPENED


def test_time_with_the_version_before_does_not_count(story: Story) -> None:
    story.later(5 * HOUR)
    story.publish({UAT: "packages:\n  app: 3.0.0\n"})
    story.say("UAT-01", APP_3)  # it was quick: no standing in between is on record
    with pytest.raises(NotVerified, match="healthy for 0 s of 4 h"):
        story.promote("app")


def test_a_release_that_is_only_just_asked_for_has_no_time_yet(story: Story) -> None:
    story.later(5 * HOUR)
    story.workspace.publish({UAT: "packages:\n  app: 3.0.0\n"}, "not in force yet")
    story.site.hosts.record_report("UAT-01", Observation((APP_3,)), "digest", "", story.now)
    with pytest.raises(NotVerified, match="UAT-01: that it has it, healthy, is not on record yet"):
        story.promote("app")


def test_hosts_that_cannot_be_reached_are_named(story: Story) -> None:
    story.publish({"environments/uat/hosts/UAT-02.yaml": ""})
    story.later(5 * HOUR)
    assert "Nothing is known of 1 host(s): UAT-02 (it has never reported)" in story.promote("app").message
    story.now += 10 * HOUR
    with pytest.raises(NotVerified, match=r"no host of uat that can be reached has it: UAT-01 \(it is silent\)"):
        story.promote("app")


def test_without_a_host_upstream_nothing_is_verified(story: Story) -> None:
    story.publish({"environments/uat/hosts/UAT-01.yaml": "packages: {app: 1.0.0}\n"})
    with pytest.raises(NotVerified, match="uat has no host that should have it"):
        story.promote("app")


def test_unverified_goes_on_for_a_reason_that_shows(story: Story) -> None:
    done = story.promote("app", unverified="the outage cannot wait")
    assert story.bare.commit(done.commit).subject == "prod: app 2.0.0 (UNVERIFIED: the outage cannot wait)"
    assert "| app | 1.0.0 | 2.0.0 | NO |" in done.message
    assert "UNVERIFIED, and proposed all the same: the outage cannot wait" in done.message
    assert "Unverified: the outage cannot wait\n" in done.message
    (on_record,) = [r.facts for r in story.installation.site.audit.records() if r.kind == "overridden"]
    assert "the outage cannot wait" in on_record
    story.later(4 * HOUR)
    again = story.promote("app", unverified="the outage cannot wait")
    assert (again.fate, story.bare.commit(again.commit).subject) == (Fate.UPDATED, "prod: app 2.0.0"), (
        "no need now"
    )


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 201])
def test_a_reason_is_a_line_of_text(story: Story, reason: str) -> None:
    with pytest.raises(CannotPromote, match="no reason"):
        story.promote("app", unverified=reason)


def test_the_same_again_pushes_nothing_though_the_branch_that_is_followed_goes_on(story: Story) -> None:
    story.later(5 * HOUR)
    first = story.promote("app")
    story.publish({UAT: "packages:\n  app: 2.0.0\n  tool: 5.0.0\n"})
    story.later(HOUR)
    again = story.promote("app")
    assert (again.fate, again.commit) == (Fate.UNCHANGED, first.commit)
    assert story.bare.head("promote/prod/app") == first.commit
    conflicting = PROD_TEXT.replace("1.0.0 # since May", "1.0.0 # since June")
    story.publish({PROD: conflicting})
    made_anew = story.promote("app")
    assert made_anew.fate is Fate.UPDATED
    assert read_text(story.bare, made_anew.commit, PROD) == conflicting.replace("1.0.0", "2.0.0")


def test_a_newer_version_replaces_the_proposal(story: Story) -> None:
    story.later(5 * HOUR)
    story.promote("app")
    story.publish({UAT: "packages:\n  app: 3.0.0\n"})
    story.say("UAT-01", APP_3)
    story.later(4 * HOUR)
    done = story.promote("app")
    assert done.fate is Fate.UPDATED
    assert story.branches() == {"promote/prod/app"}
    assert story.bare.commit(done.commit).parents == (story.workspace.head,)
    assert "app 2.0.0 (OPS-7)" in done.message, "passed over, and told of all the same"


def test_what_others_added_to_the_branch_is_not_replaced(story: Story) -> None:
    story.later(5 * HOUR)
    story.promote("app")
    theirs = story.workspace.publish({PROD: PROD_TEXT}, "mine", to="promote/other")
    story.bare.handle().references["refs/heads/promote/prod/app"].set_target(theirs)
    with pytest.raises(CannotPromote, match="promote/prod/app holds commits"):
        story.promote("app")
    assert story.bare.head("promote/prod/app") == theirs


@pytest.mark.parametrize("on_top", [True, False], ids=["a commit on top", "an amended commit"])
def test_a_proposal_that_somebody_added_to_is_not_replaced(story: Story, on_top: bool) -> None:
    story.later(5 * HOUR)
    first = story.promote("app")
    parent = first.commit if on_top else story.workspace.head
    edited = {PROD: PROD_TEXT.replace("1.0.0", "3.0.0")}
    if not on_top:
        edited["environments/uat/hosts/UAT-02.yaml"] = "labels: {}\n"
    theirs = write_commit(story.bare, parent, edited, Person("Sam", "sam@example.com"), first.message)
    story.bare.handle().references["refs/heads/promote/prod/app"].set_target(theirs)
    with pytest.raises(CannotPromote, match="promote/prod/app holds commits"):
        story.promote("app")
    assert story.bare.head("promote/prod/app") == theirs


def test_a_branch_that_a_reviewer_brought_up_to_date_is_left_alone(story: Story) -> None:
    story.later(5 * HOUR)
    first = story.promote("app")
    head = story.publish({"environments/uat/hosts/UAT-02.yaml": ""})
    git = story.bare.handle()
    tree = git.merge_commits(git[head].peel(pygit2.Commit), git[first.commit].peel(pygit2.Commit)).write_tree(git)
    parents = [git[first.commit].id, git[head].id]
    merge = str(git.create_commit("refs/heads/promote/prod/app", AUTHOR, AUTHOR, "Merge main", tree, parents))
    done = story.promote("app")
    assert (done.fate, done.commit) == (Fate.UNCHANGED, merge)
    story.fails(seconds_ago=60)
    with pytest.raises(CannotPromote, match="promote/prod/app holds commits"):
        story.promote("app", unverified="now")


def test_a_merged_branch_is_told_and_used_again(story: Story) -> None:
    story.later(5 * HOUR)
    first = story.promote("app")
    story.bare.handle().references["refs/heads/main"].set_target(first.commit)
    story.installation.follow()
    done = story.promote("app")
    assert (done.fate, done.merged) == (Fate.NOTHING, ("promote/prod/app",))


def test_a_squashed_branch_counts_as_merged(story: Story) -> None:
    story.later(5 * HOUR)
    story.promote("app")
    story.publish({PROD: PROD_TEXT.replace("1.0.0", "2.0.0")})
    done = story.promote()
    assert (done.fate, done.merged) == (Fate.NOTHING, ("promote/prod/app",))


def test_all_that_is_verified_goes_together_and_the_rest_is_told(story: Story) -> None:
    story.publish(
        {
            UAT: "packages:\n  app: 2.0.0\n  tool: 6.0.0\n",
            PROD: PROD_TEXT + "  tool: 5.0.0\n",
        }
    )
    story.say("UAT-01", APP_2)
    story.later(5 * HOUR)
    some = story.promote()
    assert some.branch == "promote/prod/app"
    (tool,) = some.left_out
    assert tool.package == "tool"
    assert "UAT-01: OutOfSync, Missing" in tool.reasons[0]
    story.say("UAT-01", APP_2, TOOL_6)
    story.later(5 * HOUR)
    both = story.promote()
    assert (both.branch, both.also_on) == ("promote/prod/_several", ("promote/prod/app",))
    assert story.bare.commit(both.commit).subject == "prod: app 2.0.0, tool 6.0.0"
    assert story.promote("tool", "app").fate is Fate.UNCHANGED


def test_what_a_target_does_not_name_or_is_ahead_in_takes_a_name(story: Story) -> None:
    story.publish({UAT: "packages:\n  app: 2.0.0\n  tool: 5.0.0\n", PROD: PROD_TEXT.replace("1.0.0", "3.0.0")})
    done = story.promote()
    assert done.fate is Fate.NOTHING
    assert {item.package: item.reasons for item in done.left_out} == {
        "app": ("prod is ahead of uat: ask for it by name",),
        "tool": ("prod does not name it: ask for it by name",),
    }
    story.later(5 * HOUR)
    assert story.promote("app").message.startswith("prod: app 2.0.0\n")


def test_an_absence_is_promoted_like_a_version(story: Story) -> None:
    story.publish({UAT: "packages:\n  app: absent\n"})
    story.say("UAT-01")
    story.later(5 * HOUR)
    assert story.promote().fate is Fate.NOTHING
    done = story.promote("app")
    assert "app: absent # since May" in (read_text(story.bare, done.commit, PROD) or "")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (PromotionRequest("prd"), "there is no environment prd"),
        (PromotionRequest("uat"), "uat names no environment"),
        (PromotionRequest("prod", "dev"), "prod takes its versions from uat, not from dev"),
        (PromotionRequest("prod", None, ("ap",)), "uat says nothing of ap"),
    ],
)
def test_what_makes_no_sense_is_refused(story: Story, request_: PromotionRequest, message: str) -> None:
    with pytest.raises(CannotPromote, match=message):
        promote(story.site, replace(request_, author="Riley <riley@example.com>"))


def test_a_tenants_environment_is_named_as_its_file_may_name_it(story: Story) -> None:
    story.publish(
        {
            "environments/acme/tenant.yaml": "owners: [managers]\n",
            "environments/acme/uat/environment.yaml": "packages: {app: 2.0.0}\n",
            "environments/acme/uat/hosts/ACME-1.yaml": "",
            "environments/acme/prod/environment.yaml": "promotesFrom: uat\npackages: {app: 1.0.0}\n",
        }
    )
    story.installation.enrol("ACME-1", "acme/uat")
    story.say("ACME-1", APP_2)
    for source in ("uat", "acme/uat"):
        done = promote(story.site, PromotionRequest("acme/prod", source, (), None, "Riley <riley@example.com>"))
        assert (done.source, done.branch) == ("acme/uat", "promote/acme/prod/app")
        assert "- managers: " in done.message
