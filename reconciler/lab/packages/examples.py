"""The example packages: which there are and in which releases; ``build`` makes files of them."""

from __future__ import annotations

from pathlib import Path

from reconciler.lab.packages.build import build
from reconciler.lab.packages.declarations import SOURCES, BuiltPackage, PackageSource


def _contoso_agent(version: str, product_code: str, package_code: str) -> PackageSource:
    return PackageSource(
        package="contoso-agent",
        product_name="Contoso Agent",
        manufacturer="Contoso",
        version=version,
        product_code=product_code,
        package_code=package_code,
        upgrade_code="{FD34C729-3425-4227-A650-67E900D97658}",
        sources=SOURCES / "contoso-agent",
        file_name="contoso-agent.msi",  # one name for all: 2.1.1 updates 2.1.0 in place
    )


def _contoso_viewer(version: str, product_code: str, package_code: str) -> PackageSource:
    return PackageSource(
        package="contoso-viewer",
        product_name="Contoso Viewer",
        manufacturer="Contoso",
        version=version,
        product_code=product_code,
        package_code=package_code,
        upgrade_code="{E934472D-A98A-4705-A172-96242F0967A5}",
        sources=SOURCES / "contoso-viewer",
        file_name=f"contoso-viewer-{version}.msi",
    )


def _northwind_sync(version: str, product_code: str, package_code: str) -> PackageSource:
    return PackageSource(
        package="northwind-sync",
        product_name="Northwind Sync",
        manufacturer="Northwind",
        version=version,
        product_code=product_code,
        package_code=package_code,
        upgrade_code="{286CDC24-97E4-4805-9D8B-DE731AF8F168}",
        sources=SOURCES / "northwind-sync",
        file_name=f"northwind-sync-{version}.msi",
    )


EXAMPLES: tuple[PackageSource, ...] = (
    _contoso_agent("2.0.0", "{996EF96A-22CD-41FD-9DA8-0FCDC4FB4188}", "{DD3F83E4-9206-45C6-AB84-6C729879CDE4}"),
    _contoso_agent("2.1.0", "{6505A677-144D-4850-9A93-4ECA59FA6BEE}", "{9604F647-088D-490B-B958-CE432DB4A2D6}"),
    # A minor update: the ProductCode of 2.1.0 in another file.
    _contoso_agent("2.1.1", "{6505A677-144D-4850-9A93-4ECA59FA6BEE}", "{265C0E60-0661-439D-957F-CED5AAEDD801}"),
    _contoso_agent("3.0.0", "{337C301B-7495-41C3-839B-35743F073408}", "{58490476-5C24-4DC8-9929-D5267B5AF14D}"),
    _contoso_viewer("1.3.0", "{B0676B8E-269C-478F-B4F8-378D8A0F1249}", "{4861A15B-DFAC-4725-A917-9B983D066C0E}"),
    # Equal to Windows, which compares three fields, but two products.
    _contoso_viewer("1.4.0.1", "{BED0DF61-CA26-4031-9351-CCB34EEFF68C}", "{ED28A2B5-A980-4B27-8153-B286334BD914}"),
    _contoso_viewer("1.4.0.2", "{63C67BC3-19AE-4BBD-B49F-F81D932A0186}", "{B1F1FE81-2D82-4653-9EEA-4001336B9BF3}"),
    _northwind_sync("5.0.0", "{CCFF1048-6401-46DC-95BE-88A39F18780D}", "{3C266CA0-E791-4BDF-A770-0463C66ED041}"),
    _northwind_sync("5.1.0", "{1CA5D733-71D0-4F04-BEB3-1F94225EAD74}", "{DC6E49C6-8DBF-45FE-96FA-DF43E67A9DA2}"),
    _northwind_sync("5.2.0", "{DC73B7C1-ABBD-48BD-86AF-DDA669346FC1}", "{F6286991-995E-461B-82B3-F5A09F76B720}"),
)
"""Every release of every example package, oldest first within a package."""


def build_examples(target: Path) -> tuple[BuiltPackage, ...]:
    """Build every example release below ``target``, in the order of `EXAMPLES`.

    Raises:
        PackagingUnavailable: wixl or msitools are missing.
        PackageBuildFailed: one could not be built as declared.
    """
    return tuple(build(source, target) for source in EXAMPLES)
