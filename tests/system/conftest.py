"""A lab for system tests: hosts that are gone after each test, the example packages, and some that misbehave."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from reconciler.lab import Lab, LabHost, LabUnavailable, require
from reconciler.lab.packages import EXAMPLES, BuiltPackage, PackageSource, build, build_examples
from tests.system.signing import SigningAuthority, make_authority

SOURCES = Path(__file__).with_name("sources")


@dataclass(frozen=True, slots=True)
class ExamplePackages:
    """Every example release, built."""

    built: tuple[BuiltPackage, ...]

    def get(self, package: str, version: str) -> BuiltPackage:
        return next(b for b in self.built if (b.source.package, b.source.version) == (package, version))


@dataclass(frozen=True, slots=True)
class MisbehavingReleases:
    """Releases of the example packages that no catalogue should have."""

    failing: BuiltPackage
    """contoso-viewer 9.9.0: ends in 1603 through a launch condition."""
    rebooting: BuiltPackage
    """contoso-viewer 9.8.0: installs and ends in 3010."""
    slow: BuiltPackage
    """northwind-sync 5.9.0: in the middle of its install writes ``started``, then waits 60 s for ``proceed``."""

    started: str = r"C:\Lab Gate\started"
    proceed: str = r"C:\Lab Gate\proceed"


def _available() -> None:
    try:
        require()
    except LabUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have a lab. {error}", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> SigningAuthority:
    """Signs files."""
    if shutil.which("osslsigncode") is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have osslsigncode", pytrace=False)
        pytest.skip("needs osslsigncode")
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab without hosts; its template is built at the first host."""
    _available()
    lab = Lab(tmp_path_factory.mktemp("lab"))
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture
def lab_host(lab: Lab) -> Iterator[Callable[[str], LabHost]]:
    """Call it with a name for a new, booted host; it is removed after the test."""
    made: list[LabHost] = []

    def make(name: str) -> LabHost:
        (host,) = lab.up([name])
        made.append(host)
        return host

    yield make
    for host in made:
        if host.directory.exists():
            host.remove()


@pytest.fixture(scope="session")
def example_packages(tmp_path_factory: pytest.TempPathFactory) -> ExamplePackages:
    _available()
    return ExamplePackages(build_examples(tmp_path_factory.mktemp("packages")))


@pytest.fixture(scope="session")
def misbehaving_releases(tmp_path_factory: pytest.TempPathFactory) -> MisbehavingReleases:
    _available()
    target = tmp_path_factory.mktemp("misbehaving")
    return MisbehavingReleases(
        failing=build(
            _variant(
                "contoso-viewer",
                "9.9.0",
                "failing",
                ("{3299D375-5035-45F1-AFCE-8EF55EB8A342}", "{45FF4FB9-4B84-4E5D-B1A2-FC0FC153191A}"),
            ),
            target,
        ),
        rebooting=build(
            _variant(
                "contoso-viewer",
                "9.8.0",
                "rebooting",
                ("{EBEE343D-0716-4C89-9295-F67C6F54D6FD}", "{79B9465E-0693-4001-A88C-9939E3E838D7}"),
            ),
            target,
        ),
        slow=build(
            _variant(
                "northwind-sync",
                "5.9.0",
                "slow",
                ("{09D8C026-2ADD-4585-B995-80A647F8C194}", "{F094E1C4-5418-4BF5-A8E5-DD388E0E045C}"),
            ),
            target,
        ),
    )


def _variant(package: str, version: str, sources: str, codes: tuple[str, str]) -> PackageSource:
    """Return a release of an example package's family, with other sources and codes of its own."""
    base = next(source for source in EXAMPLES if source.package == package)
    product_code, package_code = codes
    return replace(
        base,
        version=version,
        product_code=product_code,
        package_code=package_code,
        sources=SOURCES / sources,
        file_name=f"{package}-{version}.msi",
    )
