"""What plan and status go by is what the daemon has assigned."""

from __future__ import annotations

from reconciler.hosts.roster import Roster
from reconciler.kernel.observation import InstalledProduct
from reconciler.operations.desired import state_in_force
from reconciler.operations.fleet import assign_all, known_hosts
from tests.operations.conftest import APP, FILES, Installation, package_code, product_code

INSTALLED = InstalledProduct(product_code(1), "1.0.0", "App", package_code(1), APP)


def test_hosts_that_have_yet_to_enrol_do_not_make_a_removal_look_small(installation: Installation) -> None:
    files = {f"environments/dev/hosts/LATER-{number}.yaml": "" for number in range(12)}
    for number in range(4):
        installation.enrol(f"HOST-{number}")
        installation.report(f"HOST-{number}", INSTALLED)
    installation.publish(files)
    removed = FILES["environments/dev/environment.yaml"].replace("1.0.0", "absent")
    installation.publish({"environments/dev/environment.yaml": removed})
    site = installation.site
    desired = state_in_force(site)

    assign_all(site, Roster(site.hosts.all()), desired)

    assigned = {record.name: record.assigned for record in site.hosts.all()}
    shown = {host.name: host for host in known_hosts(site, desired)}
    assert len(assigned) == 4
    assert {name: shown[name].assigned for name in assigned} == assigned
    assert shown["HOST-0"].assignment.goals[0].awaits.startswith("4 of 4 hosts of dev would lose app at once")
