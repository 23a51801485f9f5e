"""Following the branch: what comes into force, what does not, and what survives."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

from reconciler.kernel import protocol
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.attempts import Attempt, Outcome
from reconciler.kernel.observation import Observation
from reconciler.kernel.protocol import assignment_digest
from reconciler.kernel.status import Reason
from reconciler.kernel.steps import StepKind
from reconciler.kernel.wire import decode
from reconciler.operations.status import site_status
from reconciler.store.revisions import Verdict
from reconciler.testing import preloaded
from tests.daemon.conftest import Server, eventually


def test_a_commit_that_does_not_validate_leaves_the_last_good_one_in_force(server: Server) -> None:
    good = server.workspace.head
    host = server.enrolled("DEV-07")
    assignment = host.assigned()
    bad = server.publish({"environments/dev/environment.yaml": "packages:\n  app: 9.9.9\n"}, "typo")
    status = site_status(server.site)
    assert status.in_force is not None
    assert status.in_force.commit == good
    assert status.rejected is not None
    assert status.rejected.commit == bad
    (finding,) = status.rejected.findings
    assert (finding["path"], finding["line"]) == ("environments/dev/environment.yaml", 2)
    assert host.check_in(assignment_digest(assignment)).json.get("assignment") is None

    shown = preloaded.run(["status", "--data", str(server.site.settings.data)]).stdout
    assert "environments/dev/environment.yaml:2:8" in shown

    fixed = server.publish({"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"}, "mended")
    assert site_status(server.site).rejected is None
    eventually(lambda: host.assigned().revision == fixed)


def test_a_force_push_is_followed_and_marked(server: Server) -> None:
    first = server.workspace.head
    dropped = server.publish({"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"}, "dropped")
    server.workspace.reset(first)
    server.workspace.write({"environments/dev/environment.yaml": "packages:\n  app: absent\n"})
    rewritten = server.workspace.commit("instead")
    server.workspace.push(force=True)
    eventually(lambda: server.site.revisions.in_force() == rewritten)
    newest, before, _ = server.site.revisions.newest(3)
    assert (newest.commit, newest.rewritten) == (rewritten, True)
    assert (before.commit, before.rewritten) == (dropped, False)


def test_after_a_force_push_and_a_restart_what_was_in_force_can_still_be_read(server: Server) -> None:
    first = server.workspace.head
    good = server.publish({"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"}, "good")
    server.workspace.reset(first)
    server.workspace.write({"environments/dev/environment.yaml": "packages: []\n"})
    server.workspace.commit("broken, and on another line of history")
    server.workspace.push(force=True)
    eventually(lambda: server.site.revisions.newest()[0].verdict is Verdict.INVALID)
    server.process.kill()
    subprocess.run(
        ["git", "-C", str(server.site.settings.data / "repository.git"), "gc", "--quiet", "--prune=now"],
        check=True,
    )
    server.start()
    assert server.site.revisions.in_force() == good
    assert server.enrolled("DEV-07").assigned().revision == good


def test_a_repository_that_is_away_is_said_so_and_followed_again(server: Server) -> None:
    away = server.workspace.bare.with_name("away.git")
    server.process.stop()
    server.workspace.bare.rename(away)
    server.start()
    trouble = eventually(lambda: site_status(server.site).fetch_trouble)
    assert "cannot fetch" in trouble
    assert server.enrolled("DEV-07").assigned(), "the last good revision stays in force"
    away.rename(server.workspace.bare)
    server.process.stop()
    server.start()
    eventually(lambda: not site_status(server.site).fetch_trouble)


def test_a_kill_between_assignment_and_report_loses_nothing(server: Server) -> None:
    host = server.enrolled("DEV-07")
    assignment = host.assigned()
    done = Attempt(
        "11111111-1", "app", StepKind.INSTALL, "g", assignment.revision, 1.0, None, "1.0.0", 2.0, Outcome.SUCCEEDED
    )
    server.process.kill()
    server.start()
    assert host.send(protocol.Report(Observation(), assignment_digest(assignment), (done,))).status == 204
    server.process.kill()
    server.start()
    assert [record.attempt for record in server.site.attempts.newest()] == [done]
    assert host.check_in().status == 204, "the server knows the report and the assignment after its restart"
    lost = host.check_in(assignment="").json["assignment"]
    assert decode(Assignment, lost) == assignment, "and can give out in full what it assigned before"


def test_a_host_that_falls_silent_is_named_once_and_again_when_it_speaks(server: Server) -> None:
    server.process.stop()
    server.process = type(server.process)(
        server.site.settings.data, server.workspace.bare, {"silent_seconds": "0.5"}
    )
    server.start()
    host = server.enrolled("DEV-07")
    host.send(protocol.Report(Observation()))

    def reasons() -> list[str]:
        changes = server.site.standings.transitions(host="DEV-07", package="")
        return [change.after.rsplit("/", 1)[-1] for change in reversed(changes)]

    eventually(lambda: reasons()[-1:] == [Reason.HOST_SILENT])
    host.check_in()
    eventually(lambda: reasons()[-1:] != [Reason.HOST_SILENT])
    assert reasons().count(Reason.HOST_SILENT) == 1


def test_ending_the_daemon_in_order_exits_0(server: Server) -> None:
    server.enrolled("DEV-07").check_in()
    assert server.process.stop() == 0
    (record,) = [r for r in server.site.hosts.all() if r.name == "DEV-07"]
    assert record.last_seen > record.enrolled_at, "who was seen when is written before the end"


def test_listings_are_json_for_programs(server: Server) -> None:
    server.enrolled("DEV-07")
    for command in (["status"], ["history"], ["plan"], ["host", "dev-07"], ["trace", "dev-07", "app"]):
        environment = {"RECONCILER_DATA": str(server.site.settings.data), "PATH": ""}
        shown = preloaded.run([*command, "--format", "json"], environment)
        assert shown.returncode == 0, shown.stderr
        assert json.loads(shown.stdout)


def test_a_lost_mirror_is_fetched_again_and_what_was_in_force_stays(server: Server) -> None:
    host = server.enrolled("DEV-07")
    assignment = host.assigned()
    server.process.kill()
    shutil.rmtree(server.site.settings.data / "repository.git")
    server.start()
    eventually((server.site.settings.data / "repository.git" / "refs" / "reconciler").exists)

    def given_again() -> bool:
        answer = host.check_in(assignment="")
        return answer.json.get("assignment", {}).get("goals") is not None

    eventually(given_again)
    assert decode(Assignment, host.check_in(assignment="").json["assignment"]) == assignment
    assert server.site.revisions.in_force() == assignment.revision


def test_a_second_daemon_on_the_same_installation_is_refused(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reconciler.cli.main", "daemon", "--port", "0"],
        env={"RECONCILER_DATA": str(server.site.settings.data), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "another daemon runs on this installation" in done.stderr
