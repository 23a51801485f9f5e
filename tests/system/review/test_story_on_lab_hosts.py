"""The whole way on real Windows Installer: dev, uat, prod; a rejection, a push after an approval, an emergency."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.desired.editing import add_release, new_package
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.status import Reason
from reconciler.lab.products import registered_products
from reconciler.operations.audit import verify_audit
from reconciler.operations.lab import lab_of, lab_up
from reconciler.operations.promote import Fate, Promotion, PromotionRequest, promote
from reconciler.operations.promotion.choice import NotVerified
from reconciler.operations.status import site_status
from reconciler.operations.trace import Trace, trace
from reconciler.site import Site
from reconciler.testing.waiting import eventually
from tests.system.conftest import ExamplePackages
from tests.system.review.conftest import HostedServer, Person

PACKAGE = "contoso-agent"
HOSTS = {"dev": "DEV-01", "uat": "UAT-01", "prod": "PROD-01"}
UPSTREAM = {"uat": "promotesFrom: dev\n", "prod": "promotesFrom: uat\n"}
POLICIES = {
    "uat": "approvals: {required: 1, from: [managers]}\n",
    "prod": "approvals: {required: 2, from: [managers]}\n",
}


@dataclass
class Company:
    """A daemon that holds its repository, a host in each environment, and the people."""

    server: HostedServer
    site: Site
    riley: Person
    ann: Person
    ben: Person
    cara: Person
    key: Path
    codes: dict[str, str]

    def environment(self, name: str, version: str) -> dict[str, str]:
        text = UPSTREAM.get(name, "") + POLICIES.get(name, "") + f"packages:\n  {PACKAGE}: {version}\n"
        return {f"environments/{name}/environment.yaml": text}

    def installed(self, environment: str) -> list[str]:
        """Look at a host past its agent, from its Uninstall keys."""
        found = registered_products(lab_of(self.site).host(HOSTS[environment]))
        return [version for code, version in found.items() if self.codes.get(version) == code]

    def await_version(self, environment: str, version: str) -> None:
        def there() -> bool:
            host = next(h for h in site_status(self.site).hosts if h.host == HOSTS[environment])
            standing = next((s for s in host.packages if s.package == PACKAGE), None)
            return host.reason is Reason.UP_TO_DATE and standing is not None and standing.installed == version

        eventually(there, 100)
        assert self.installed(environment) == [version]

    def promoted(self, source: str, target: str) -> int:
        """Propose what is verified upstream, as Riley; return the change's number."""
        request = PromotionRequest(target, source, author="Riley <riley@example.com>")
        done = eventually(lambda: _unless_unverified(self.site, request), 60)
        assert done.fate in (Fate.OPENED, Fate.UPDATED, Fate.UNCHANGED)
        return next(c["number"] for c in self.ann.change("list") if c["branch"] == done.branch)

    def trace(self, environment: str) -> Trace:
        return trace(self.site, HOSTS[environment], PACKAGE)


def _unless_unverified(site: Site, request: PromotionRequest) -> Promotion | None:
    try:
        return promote(site, request)
    except NotVerified:
        return None


@pytest.fixture
def company(
    server: HostedServer,
    example_packages: ExamplePackages,
    tmp_path: Path,
    ssh_keygen: str,
) -> Iterator[Company]:
    with ExitStack() as after:
        site = after.enter_context(server.site())
        after.callback(lambda: lab_of(site).down())
        people = {name: server.person(name) for name in ("riley", "ann", "ben", "cara")}
        key = tmp_path / "ben-key"
        subprocess.run([ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        built = [example_packages.get(PACKAGE, version) for version in ("2.0.0", "2.1.0")]
        catalog = ""
        for item in built:
            source = item.source
            release = MsiRelease(
                source.version, source.product_code, source.package_code, site.artifacts.add(item.path)
            )
            catalog = add_release(catalog, release) if catalog else new_package(source.upgrade_code, release)
        codes = {item.source.version: item.source.product_code for item in built}
        made = Company(server, site, **people, key=key, codes=codes)
        files = {
            "environments/reconciler.yaml": (
                'version: 1\ngroups:\n  managers: ["@ann", "@ben", "@cara"]\n  on-call: ["@ben"]\n'
                "people:\n  ben:\n    knownAs: ['@ben', ben@example.com]\n"
                f'    keys: ["{key.with_suffix(".pub").read_text().strip()}"]\n'
                "emergency: {group: on-call}\n"
            ),
            f"environments/catalog/{PACKAGE}.yaml": catalog,
            **{f"environments/{name}/hosts/{host}.yaml": "labels: {}\n" for name, host in HOSTS.items()},
        }
        for name in HOSTS:
            files |= made.environment(name, "2.0.0")
        made.ann.clone()
        first = made.ann.commit(files, "The fleet as it is")
        made.ann.git("push", "-q", "origin", "main")
        for person in (made.riley, made.ben, made.cara):
            person.clone()
        eventually(lambda: site.revisions.in_force() == first)
        lab_up(site, (), 0.5)
        for name in HOSTS:
            made.await_version(name, "2.0.0")
        yield made


@pytest.mark.timeout(400)
def test_from_dev_to_prod_with_all_that_can_happen_on_the_way(company: Company) -> None:
    riley, ann, ben, cara = company.riley, company.ann, company.ben, company.cara

    # dev asks for no approval; who proposed it merges it.
    riley.propose("agent-2.1", company.environment("dev", "2.1.0"), "dev: contoso-agent 2.1.0")
    riley.change("merge", "1")
    company.await_version("dev", "2.1.0")
    assert company.installed("uat") == company.installed("prod") == ["2.0.0"]

    # uat asks for one, by somebody else than who promotes it.
    number = str(company.promoted("dev", "uat"))
    assert riley.ask("merge", number).returncode == 1
    ann.change("approve", number)
    ann.change("merge", number)
    company.await_version("uat", "2.1.0")

    # prod asks for two. Cara rejects it, and then takes that back.
    number = str(company.promoted("uat", "prod"))
    ann.change("approve", number)
    ben.change("approve", number)
    cara.change("reject", number, "--comment", "not in the closing week")
    refused = ann.ask("merge", number)
    assert refused.returncode == 1
    assert "cara rejects it" in refused.stderr
    cara.change("approve", number, "--comment", "it is over")

    # Riley pushes once more: what was approved was another commit.
    branch = ann.change("show", number)["detail"]["change"]["branch"]
    riley.git("fetch", "-q", "origin")
    riley.git("checkout", "-q", "-B", branch, f"origin/{branch}")
    riley.commit({"notes.txt": "one more thing\n"}, "One more thing")
    riley.git("push", "-q", "origin", branch)
    refused = ann.ask("merge", number)
    assert refused.returncode == 1
    assert "0 given" in refused.stderr
    assert company.installed("prod") == ["2.0.0"]
    for person in (ann, ben):
        person.change("approve", number)
    ann.change("merge", number)
    company.await_version("prod", "2.1.0")
    approved = company.trace("prod").approved
    assert approved is not None
    assert sorted(approved.decision.judgement.approvers) == ["@ann", "ben"]
    assert approved.change is not None
    assert approved.change.requester == "@riley"

    # An emergency: Ben, who is on call, takes it back with no approval, signed.
    ben.git("fetch", "-q", "origin")
    ben.git("checkout", "-q", "-B", "main", "origin/main")
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={company.key}")
    path = ben.folder / "environments/prod/environment.yaml"
    path.write_text(next(iter(company.environment("prod", "2.0.0").values())), "utf-8")
    message = "prod: back to 2.0.0\n\nEmergency: 2.1.0 corrupts the till's database\n"
    ben.git(*signing, "commit", "-q", "-a", "-S", "-m", message)
    ben.git("push", "-q", "origin", "main")
    company.await_version("prod", "2.0.0")
    approved = company.trace("prod").approved
    assert approved is not None
    assert approved.decision.judgement.emergency == "2.1.0 corrupts the till's database"
    assert approved.decision.judgement.approvers == ("ben",)
    assert company.installed("dev") == company.installed("uat") == ["2.1.0"]
    assert verify_audit(company.site).intact


@pytest.mark.timeout(400)
def test_what_gets_onto_the_branch_past_the_review_reaches_no_host(company: Company) -> None:
    """Somebody with the server's files moves the branch itself: the policy holds all the same."""
    riley = company.riley
    commit = riley.commit(company.environment("prod", "2.1.0"), "prod: straight there")
    dev = riley.commit(company.environment("dev", "2.1.0"), "dev: as well")
    subprocess.run(
        ["git", "-C", str(company.server.repository), "fetch", "-q", str(riley.folder), "HEAD"], check=True
    )
    subprocess.run(["git", "-C", str(company.server.repository), "update-ref", "refs/heads/main", dev], check=True)
    company.await_version("dev", "2.1.0")
    (waiting,) = site_status(company.site).waiting
    assert (waiting.environment, waiting.status, waiting.blocked) == ("prod", Reason.UNAPPROVED, commit)
    assert waiting.reasons == (
        "package contoso-agent: it was pushed straight to the branch: no change, so nobody approved it",
    )
    assert company.installed("prod") == ["2.0.0"]
