"""Retries on a real host: when the next try comes is told, and somebody who asks need not wait for it."""

from __future__ import annotations

from reconciler.kernel.attempts import Cause, Outcome
from reconciler.kernel.status import Reason
from reconciler.operations.retry import Asking, retry_host
from tests.system.conftest import MisbehavingReleases
from tests.system.main_job.conftest import HOST, Fleet, eventually


def test_a_retry_comes_before_its_time_and_counts_afresh(
    fleet: Fleet, misbehaving_releases: MisbehavingReleases
) -> None:
    failing = misbehaving_releases.failing
    fleet.add(failing)
    fleet.publish("a release that cannot be installed", contoso_viewer=failing.source.version)
    fleet.start()
    standing = eventually(
        lambda: (s := fleet.standing("contoso-viewer")) and s.reason is Reason.RETRY_BACKOFF and s
    )
    assert standing.tries is not None
    assert (standing.tries.failed, standing.tries.most, standing.tries.exit_code) == (1, 8, 1603)
    assert standing.tries.cause is Cause.FAILED
    first = fleet.attempts()[0]
    assert first.ended_at is not None
    retry_host(fleet.site, HOST, "contoso-viewer", Asking("riley", "a look at it"))
    second = eventually(lambda: (found := fleet.attempts()) and len(found) == 2 and found[1].ended_at and found[1])
    assert second.outcome is Outcome.FAILED
    assert second.started_at - first.ended_at < 25.0, "its time would have been after 30 s"
    assert second.goal != first.goal
    again = eventually(lambda: (s := fleet.standing("contoso-viewer")) and s.tries)
    assert again.failed == 1
