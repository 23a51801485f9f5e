"""What people may do to changes, and what counts afterwards."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from reconciler.approval.ssh_signatures import sign
from reconciler.operations.review import open_forge
from reconciler.testing.waiting import eventually
from tests.system.review.conftest import PROD, HostedServer, Person, prod


def git(server: HostedServer, *arguments: str, stdin: bytes = b"") -> str:
    command = ["git", "-C", str(server.repository), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout.decode().strip()


def merged_change(server: HostedServer, commit: str):
    with server.site() as site:
        return open_forge(site).merged_change(commit)


@pytest.mark.parametrize("number", ["99", "9223372036854775808", "9" * 40])
def test_a_change_that_does_not_exist_is_an_error_without_a_traceback(
    server: HostedServer, ann: Person, number: str
) -> None:
    asked = ann.ask("show", number)
    assert asked.returncode == 1
    assert "change" in asked.stderr
    assert "Traceback" not in asked.stderr + server.daemon.log.read_text()


def test_a_merge_is_evidence_of_who_approved_what(server: HostedServer, ann: Person, ben: Person) -> None:
    head = ann.propose("one", prod("2.0.0"), "One")
    ben.change("approve", "1")
    commit = ben.change("merge", "1")["detail"]["merge_commit"]
    change = merged_change(server, commit)
    assert (change.name, change.requester, change.pushers, change.authors) == ("#1", "@ann", ("@ann",), ("@ann",))
    assert [(a.by, a.commit) for a in change.approvals] == [("@ben", head)]
    assert (change.merged_by, change.head) == ("@ben", head)
    assert merged_change(server, head) is None
    assert merged_change(server, git(server, "rev-parse", f"{commit}^1")) is None
    (told,) = server.audit("changeMerged")
    assert told["approvals"] == [["ben", head]]


@pytest.mark.usefixtures("ssh_keygen")
def test_git_itself_agrees_that_the_daemon_signed_the_merge(server: HostedServer, ann: Person) -> None:
    ann.propose("one", prod("2.0.0"), "One")
    commit = ann.change("merge", "1")["detail"]["merge_commit"]
    allowed = server.folder / "allowed"
    allowed.write_text("reconciler@localhost " + (server.data / "review-key.pub").read_text())
    option = f"gpg.ssh.allowedSignersFile={allowed}"
    verify = ["git", "-C", str(server.repository), "-c", option, "verify-commit", commit]
    done = subprocess.run(verify, capture_output=True, check=True)
    assert b'Good "git" signature for reconciler@localhost' in done.stderr
    assert (server.data / "review-key").stat().st_mode & 0o077 == 0


def test_a_commit_that_only_says_that_it_was_approved_does_not_count(
    server: HostedServer, ann: Person, ben: Person
) -> None:
    head = ann.propose("one", prod("2.0.0"), "One")
    ben.change("approve", "1")
    commit = ann.change("merge", "1")["detail"]["merge_commit"]
    assert merged_change(server, commit) is not None
    raw = git(server, "cat-file", "commit", commit)
    # The same words without the signature, with the signature of other words, and with another parent's.
    lines = raw.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("gpgsig"))
    end = next(i for i, line in enumerate(lines) if line.endswith("END SSH SIGNATURE-----"))
    unsigned = "\n".join(lines[:start] + lines[end + 1 :]) + "\n"
    reworded = raw.replace("Approved-by: ben", "Approved-by: eve") + "\n"
    for text in (unsigned, reworded):
        forged = git(server, "hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode())
        git(server, "update-ref", "refs/heads/main", forged)
        assert merged_change(server, forged) is None
    assert head in unsigned


def test_not_even_with_a_database_that_says_the_same(server: HostedServer, ann: Person, ben: Person) -> None:
    """Who can write to the database cannot sign: unsigned, signed by another, or of other content, it is none."""
    ann.propose("one", prod("2.0.0"), "One")
    ben.change("approve", "1")
    commit = ann.change("merge", "1")["detail"]["merge_commit"]
    raw = git(server, "cat-file", "commit", commit)
    other = git(server, "rev-parse", f"{commit}^1^{{tree}}")
    lines = raw.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("gpgsig"))
    end = next(i for i, line in enumerate(lines) if line.endswith("END SSH SIGNATURE-----"))
    unsigned = "\n".join(lines[:start] + lines[end + 1 :]) + "\n"
    stranger = sign(unsigned.encode(), Ed25519PrivateKey.generate()).replace("\n", "\n ")
    by_another = "\n".join([*lines[:start], f"gpgsig {stranger}", *lines[end + 1 :]]) + "\n"
    for text in (unsigned, by_another, raw.replace(lines[0], f"tree {other}") + "\n"):
        forged = git(server, "hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode())
        with server.site() as site, site.changes._database.write() as connection:
            connection.exec_driver_sql(f"UPDATE changes SET merge_commit = '{forged}'")
        assert merged_change(server, forged) is None
    with server.site() as site, site.changes._database.write() as connection:
        connection.exec_driver_sql(f"UPDATE changes SET merge_commit = '{commit}'")
    assert merged_change(server, commit) is not None


def test_what_the_store_says_counts_only_with_the_signature(
    server: HostedServer, ann: Person, ben: Person
) -> None:
    ann.propose("one", prod("2.0.0"), "One")
    commit = ann.change("merge", "1")["detail"]["merge_commit"]
    with server.site() as site, site.changes._database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO reviews (change, at, account, verdict, head, comment) "
            "SELECT 1, 0, 'ben', 'approved', head, '' FROM changes"
        )
    assert merged_change(server, commit) is None


def test_a_push_makes_an_approval_one_of_an_earlier_head(server: HostedServer, ann: Person, ben: Person) -> None:
    first = ann.propose("one", prod("2.0.0"), "One")
    ben.change("approve", "1")
    second = ann.propose("one", {**prod("2.0.0"), "note.txt": "more"}, "One, and more")
    detail = ben.change("show", "1")["detail"]
    assert detail["change"]["head"] == second
    assert detail["change"]["title"] == "One, and more"
    assert [review["head"] for review in detail["reviews"]] == [first]
    assert "an earlier head" in ben.ask("show", "1").stdout
    commit = ann.change("merge", "1")["detail"]["merge_commit"]
    (approval,) = merged_change(server, commit).approvals
    assert approval.commit == first


def test_a_head_that_moved_is_neither_approved_nor_merged(server: HostedServer, ann: Person, ben: Person) -> None:
    first = ann.propose("one", prod("2.0.0"), "One")
    second = ann.propose("one", prod("1.0.0") | {"note.txt": "x"}, "Another")
    for command in ("approve", "reject", "merge"):
        refused = ben.ask(command, "1", "--head", first)
        assert refused.returncode == 1
        assert f"change 1 is at {second[:10]} now, not at {first[:10]}" in refused.stderr
    ben.change("approve", "1", "--head", second[:9])


def test_the_last_word_of_each_counts(server: HostedServer, ann: Person, ben: Person) -> None:
    ann.propose("one", prod("2.0.0"), "One")
    ben.change("approve", "1")
    ben.change("reject", "1", "--comment", "not on a Friday")
    (listed,) = ann.change("list")
    assert (listed["approved_by"], listed["rejected_by"]) == ([], ["ben"])
    assert "ben rejected: not on a Friday" in ann.ask("show", "1").stdout
    ben.change("approve", "1")
    assert ann.change("list")[0]["approved_by"] == ["ben"]


def test_an_approval_of_ones_own_push_is_kept_and_told_not_to_count(server: HostedServer, ann: Person) -> None:
    ann.propose("one", prod("2.0.0"), "One")
    said = ann.ask("approve", "1")
    assert "ann pushed to this change, so the approval is kept but does not count" in said.stdout


def test_what_does_not_validate_cannot_be_merged(server: HostedServer, ann: Person) -> None:
    ann.propose("one", prod("9.9.9"), "No such release")
    detail = ann.change("show", "1")["detail"]
    assert not detail["mergeable"]
    assert detail["findings"][0]["path"] == PROD
    refused = ann.ask("merge", "1")
    assert "cannot be merged: it does not validate: 1 error(s)" in refused.stderr
    assert f"{PROD}:3:" in ann.ask("show", "1").stdout


def test_what_conflicts_cannot_be_merged(server: HostedServer, ann: Person, ben: Person) -> None:
    ben.clone()
    ann.propose("one", prod("2.0.0"), "One")
    ben.propose("two", {PROD: "promotesFrom: dev\npackages: {}\n"}, "Two")
    ann.change("merge", "1")
    detail = ben.change("show", "2")["detail"]
    assert detail["missing"] == [f"the change conflicts with main in {PROD}"]
    assert f"conflicts with main in {PROD}" in ben.ask("merge", "2").stderr
    ben.propose("two", {PROD: "promotesFrom: dev\npackages: {}\n"}, "Two again, on what is there")
    assert ben.change("show", "2")["detail"]["mergeable"]


def test_of_two_merges_at_once_each_counts_or_is_refused(server: HostedServer, ann: Person, ben: Person) -> None:
    """The same change is merged once, and two changes both get in, one on top of the other."""
    ann.propose("one", prod("2.0.0"), "One")
    ann.propose("two", {"environments/dev/hosts/DEV-09.yaml": "labels: {}\n"}, "Two")
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda who: who[0].ask("merge", who[1]), [(ann, "1"), (ben, "1"), (ben, "2")]))
    assert sorted(answer.returncode for answer in done[:2]) == [0, 1]
    assert done[2].returncode == 0
    assert any("change 1 was merged already" in answer.stderr for answer in done[:2])
    merges = git(server, "log", "--first-parent", "--format=%s", "main").splitlines()
    assert sorted(merges[:2]) == ["Merge change 1: One", "Merge change 2: Two"]
    assert len(merges) == 3


def test_a_closed_change_stays_closed_until_its_branch_is_pushed_again(
    server: HostedServer, ann: Person, ben: Person
) -> None:
    ann.propose("one", prod("2.0.0"), "One")
    ben.change("close", "1", "--comment", "not now")
    assert ann.change("list") == []
    assert "change 1 was closed already" in ann.ask("merge", "1").stderr
    ben.clone()
    ben.git("checkout", "-q", "one")
    ben.commit({"note.txt": "x"}, "On top")
    ben.git("push", "-q", "origin", "one")
    (again,) = ann.change("list")
    assert (again["number"], again["requester"]) == (2, "ann")
    assert ann.change("show", "2")["detail"]["pushers"] == ["ben", "ann"]
    assert [told["why"] for told in server.audit("changeClosed")] == ["not now"]


def test_a_change_whose_branch_is_deleted_is_closed(server: HostedServer, ann: Person) -> None:
    ann.propose("one", prod("2.0.0"), "One")
    ann.git("push", "-q", "origin", ":one")
    assert ann.change("list") == []
    (closed,) = ann.change("list", "--state", "closed")
    assert closed["branch"] == "one"


def test_a_merge_that_a_crash_interrupted_is_found_or_forgotten(server: HostedServer, ann: Person) -> None:
    """Killed after the branch moved: it is merged. Killed before: it is open, as if nothing had been asked."""
    ann.propose("one", prod("2.0.0"), "One")
    commit = ann.change("merge", "1")["detail"]["merge_commit"]
    server.daemon.kill()
    with server.site() as site, site.changes._database.write() as connection:
        connection.exec_driver_sql("UPDATE changes SET state = 'open'")
    server.daemon.start()
    (found,) = ann.change("list", "--state", "merged")
    assert found["number"] == 1
    assert merged_change(server, commit) is not None
    ann.propose("two", {"environments/dev/hosts/DEV-09.yaml": "labels: {}\n"}, "Two")
    server.daemon.kill()
    with server.site() as site:
        site.changes.will_merge(2, git(server, "rev-parse", "refs/heads/two"), "ann", 1.0)
    server.daemon.start()
    assert [item["number"] for item in ann.change("list")] == [2]
    eventually(lambda: ann.change("merge", "2"))
