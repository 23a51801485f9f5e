"""A release that pins its signer is installed from a file of that signer only; a mended pin begins anew."""

from __future__ import annotations

from dataclasses import replace

from reconciler.kernel.attempts import Outcome
from reconciler.kernel.signatures import Signature, Subject, Trust

VENDOR = Signature(Trust.HOLDS, Subject((("O", "Contoso"), ("CN", "Contoso Ltd"))))


def pinned(release, signer):
    return replace(release, artifact=replace(release.artifact, signer=signer))


def ended(count):
    return lambda server: len(server.attempts()) >= count


def test_a_file_of_another_signer_is_never_run(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    machine.windows.sign(release.artifact.file_name, VENDOR)
    server.assign(catalog.assignment(pinned(release, "CN=Northwind Ltd")))
    start()
    server.wait_for(ended(1))
    (attempt,) = server.attempts()
    assert (attempt.outcome, attempt.actions) == (Outcome.ARTIFACT_REFUSED, ())
    assert "CN=Northwind Ltd should have signed the file" in attempt.message
    assert "signed by O=Contoso, CN=Contoso Ltd; nothing was run" in attempt.message
    assert machine.windows.state().products == ()
    server.wait_for(lambda s: s.reports[-1].observation.tallies)
    assert server.reports[-1].observation.tallies[0].failures == 1


def test_a_mended_pin_is_another_goal_so_that_former_failures_do_not_hold_it_up(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    machine.windows.sign(release.artifact.file_name, VENDOR)
    server.assign(catalog.assignment(pinned(release, "CN=Northwind Ltd")))
    start()
    server.wait_for(ended(1))
    server.assign(catalog.assignment(pinned(release, "CN=Contoso Ltd")))
    server.wait_for(ended(2))
    assert [attempt.outcome for attempt in server.attempts()] == [Outcome.ARTIFACT_REFUSED, Outcome.SUCCEEDED]
    assert [product.version for product in machine.windows.state().products] == ["1.0.0"]


def test_a_pin_is_no_reason_to_install_again(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    server.assign(catalog.assignment(release))
    start()
    server.wait_for(ended(1))
    server.assign(catalog.assignment(pinned(release, "CN=Contoso Ltd")))
    reports = len(server.reports)
    server.wait_for(lambda s: len(s.reports) > reports)
    assert len(server.attempts()) == 1
    assert server.reports[-1].observation.tallies == ()
