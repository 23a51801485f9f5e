"""The example packages do on Windows Installer what real packages do: upgrade, update, refuse, fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from reconciler.lab import Finished, LabHost
from reconciler.lab.packages import BuiltPackage
from reconciler.testing.waiting import eventually

if TYPE_CHECKING:
    from tests.system.conftest import ExamplePackages, MisbehavingReleases

MakeHost = Callable[[str], LabHost]
Products = Callable[[LabHost], dict[str, tuple[str, str]]]
Install = Callable[..., Finished]

AGENT_PROGRAM = r"C:\Program Files\Contoso\Agent\agent.cmd"
ERROR_PRODUCT_VERSION = 1638
ERROR_INSTALL_FAILURE = 1603
ERROR_SUCCESS_REBOOT_REQUIRED = 3010


def facts(package: BuiltPackage) -> dict[str, tuple[str, str]]:
    source = package.source
    return {source.product_code: (source.version, source.package_code)}


def test_every_example_installs_and_is_removed(
    lab_host: MakeHost, example_packages: ExamplePackages, products: Products, install: Install
) -> None:
    host = lab_host("dev-01")
    for package in example_packages.built:
        assert install(host, package).exit_code == 0
        assert products(host) == facts(package)

        assert host.run(f"msiexec /x {package.source.product_code} /qn").exit_code == 0
        assert products(host) == {}
    folders = [host.unix_path(rf"C:\{name}") for name in ("Program Files", "Program Files (x86)")]
    assert not [file for folder in folders for file in folder.rglob("*.cmd")]


def test_a_public_property_is_kept(
    lab_host: MakeHost, example_packages: ExamplePackages, install: Install
) -> None:
    host = lab_host("dev-01")

    install(host, example_packages.get("contoso-agent", "2.0.0"), 'SITE="Helsinki 2"')

    assert "Helsinki 2" in host.run(r"reg query HKLM\Software\Contoso\Agent /v Site").stdout


def test_a_32_bit_package_lands_on_the_32_bit_side(
    lab_host: MakeHost, example_packages: ExamplePackages, install: Install
) -> None:
    host = lab_host("dev-01")

    install(host, example_packages.get("contoso-viewer", "1.3.0"))

    assert host.unix_path(r"C:\Program Files (x86)\Contoso\Viewer\viewer.cmd").exists()
    assert "1.3.0" in host.run(r"reg query HKLM\Software\WOW6432Node\Contoso\Viewer /v Version").stdout


def test_a_major_upgrade_replaces_the_older_product(
    lab_host: MakeHost, example_packages: ExamplePackages, products: Products, install: Install
) -> None:
    host = lab_host("dev-01")
    old, new = example_packages.get("contoso-agent", "2.0.0"), example_packages.get("contoso-agent", "2.1.0")
    install(host, old)

    assert install(host, new).exit_code == 0

    assert products(host) == facts(new)
    assert b"2.1.0" in host.read(AGENT_PROGRAM)


def test_a_minor_update_takes_reinstall(
    lab_host: MakeHost, example_packages: ExamplePackages, products: Products, install: Install
) -> None:
    host = lab_host("dev-01")
    old, new = example_packages.get("contoso-agent", "2.1.0"), example_packages.get("contoso-agent", "2.1.1")
    assert old.source.product_code == new.source.product_code
    install(host, old)

    assert install(host, new).exit_code == ERROR_PRODUCT_VERSION
    assert products(host) == facts(old)

    assert install(host, new, "REINSTALL=ALL REINSTALLMODE=vomus").exit_code == 0
    assert products(host) == facts(new)
    assert b"2.1.1" in host.read(AGENT_PROGRAM)


def test_a_downgrade_in_place_is_refused(
    lab_host: MakeHost, example_packages: ExamplePackages, products: Products, install: Install
) -> None:
    host = lab_host("dev-01")
    newer = example_packages.get("contoso-agent", "3.0.0")
    install(host, newer)

    refused = install(host, example_packages.get("contoso-agent", "2.1.0"))

    assert refused.exit_code == ERROR_INSTALL_FAILURE
    assert products(host) == facts(newer)


def test_releases_equal_in_three_fields_stand_side_by_side(
    lab_host: MakeHost, example_packages: ExamplePackages, products: Products, install: Install
) -> None:
    host = lab_host("dev-01")
    one = example_packages.get("contoso-viewer", "1.4.0.1")
    two = example_packages.get("contoso-viewer", "1.4.0.2")
    install(host, one)

    assert install(host, two).exit_code == 0

    assert products(host) == facts(one) | facts(two)


def test_a_launch_condition_fails_the_install(
    lab_host: MakeHost, misbehaving_releases: MisbehavingReleases, products: Products, install: Install
) -> None:
    host = lab_host("dev-01")

    assert install(host, misbehaving_releases.failing).exit_code == ERROR_INSTALL_FAILURE

    assert products(host) == {}


def test_a_package_may_ask_for_a_reboot(
    lab_host: MakeHost, misbehaving_releases: MisbehavingReleases, products: Products, install: Install
) -> None:
    host = lab_host("dev-01")

    assert install(host, misbehaving_releases.rebooting).exit_code == ERROR_SUCCESS_REBOOT_REQUIRED

    assert products(host) == facts(misbehaving_releases.rebooting)


def test_an_install_can_be_held_in_the_middle(
    lab_host: MakeHost, misbehaving_releases: MisbehavingReleases, products: Products
) -> None:
    host, slow = lab_host("dev-01"), misbehaving_releases
    host.copy_in(slow.slow.path, r"C:\slow.msi")
    installer = host.start(["msiexec", "/i", r"C:\slow.msi", "/qn"])
    eventually(lambda: host.unix_path(slow.started).exists() or not installer.running())
    assert installer.running()
    assert products(host) == {}

    host.unix_path(slow.proceed).touch()

    installer.wait(90)
    assert products(host) == facts(slow.slow)


def test_hosts_do_not_see_each_others_products(
    lab_host: MakeHost, example_packages: ExamplePackages, products: Products, install: Install
) -> None:
    one, two = lab_host("dev-01"), lab_host("dev-02")
    package = example_packages.get("northwind-sync", "5.1.0")

    install(one, package)

    assert products(one) == facts(package)
    assert products(two) == {}
    assert not two.unix_path(r"C:\Program Files\Northwind").exists()


def test_what_is_installed_survives_a_reboot(
    lab_host: MakeHost, example_packages: ExamplePackages, products: Products, install: Install
) -> None:
    host = lab_host("dev-01")
    package = example_packages.get("northwind-sync", "5.0.0")
    install(host, package)

    host.reboot()

    assert products(host) == facts(package)
