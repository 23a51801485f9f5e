"""The proposal in words: few lines for many hosts, trouble first, a waiver in plain sight, no foreign markup."""

from __future__ import annotations

from dataclasses import replace

from reconciler.planning.plan import Plan
from reconciler.planning.proposal import Promoted, Proposal, Reviewers
from reconciler.planning.proposal_report import as_message, as_text
from reconciler.planning.verification import Failure, HostEvidence, Verification, Witnessed

GOOD = HostEvidence("UAT-01", Witnessed.HEALTHY, 100.0, (), "healthy for 3 d")
FOUND = Verification("uat", "app", "2.0.0", 3 * 86_400, 1000.0, (GOOD,))
APP = Promoted("app", "1.0.0", "2.0.0", FOUND)
PROPOSAL = Proposal("uat", "prod", (APP,), "", (), (), Plan("c", (), (), 0), (Reviewers("managers", ("@sam",)),))


def moment(seconds: float) -> str:
    return f"t{seconds:.0f}"


def judged(*hosts: HostEvidence) -> Proposal:
    return replace(PROPOSAL, promoted=(replace(APP, verification=replace(FOUND, hosts=hosts)),))


def test_titles_name_few_packages_and_count_many() -> None:
    several = [replace(APP, package=name) for name in ("a", "b", "c", "d")]
    assert replace(PROPOSAL, promoted=tuple(several[:3])).title == "prod: a 2.0.0, b 2.0.0, c 2.0.0"
    assert replace(PROPOSAL, promoted=tuple(several)).title == "prod: 4 packages"


def test_a_waiver_stands_in_title_text_and_trailer() -> None:
    message = as_message(replace(PROPOSAL, waiver="it burns"), moment)
    assert message.splitlines()[0] == "prod: app 2.0.0 (UNVERIFIED: it burns)"
    assert "UNVERIFIED, and proposed all the same: it burns" in message
    assert message.endswith("\nPromotes: uat -> prod\nUnverified: it burns\n")


def test_many_hosts_are_counted_and_trouble_comes_first() -> None:
    many = [replace(GOOD, host=f"UAT-{number:03}") for number in range(400)]
    failed = replace(GOOD, host="UAT-998", failures=(Failure(50.0, "exit code 1603"),))
    soaking = replace(GOOD, host="UAT-999", witnessed=Witnessed.SOAKING, message="healthy for 1 h of 3 d")
    lines = as_text(judged(*many, failed, soaking), moment).splitlines()
    rows = [line for line in lines if line.startswith("UAT-")]
    assert [row.split()[0] for row in rows[:3]] == ["UAT-999", "UAT-998", "UAT-000"]
    assert "t50 exit code 1603" in rows[1]
    assert len(rows) == 20
    assert "and 382 more" in lines
    assert "401 of 402 hosts that can be reached have it, healthy for 3 d or longer." in lines


def test_nobody_is_called_and_nothing_is_marked_up_by_a_hosts_words() -> None:
    message = as_message(judged(replace(GOOD, message="@all | <img> [x](y)")), moment)
    assert "@all" not in message
    assert "<img>" not in message
    assert "\\|" in message
    assert "@sam" not in message


def test_no_line_of_the_message_is_a_comment_to_git() -> None:
    assert not any(line.startswith("#") for line in as_message(PROPOSAL, moment).splitlines())
