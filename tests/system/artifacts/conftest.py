"""Real MSIs, and what stands in for transforms and patches, which no free tool builds."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from reconciler.lab import LabUnavailable
from reconciler.lab.packages import build, plain_package
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from tests.system.artifacts.vendor import serving
from tests.system.signing import SigningAuthority

_PACKAGE, _TRANSFORM, _PATCH = (
    bytes.fromhex(f"{first}100C0000000000C000000000000046") for first in ("84", "82", "86")
)
"""The class of the root storage, as it is stored."""

_METADATA = "Company\tProperty\tValue\r\nS72\ts72\tL255\r\nMsiPatchMetadata\tCompany\tProperty\r\n"
"""The head of the table in which a patch says what it is, as msibuild reads it."""


class InstallerFiles:
    """Makes files of the other kinds from an MSI: their summaries are real, and so is the class of their root."""

    def __init__(self, msi: Path) -> None:
        self.msi = msi

    def transform(self, file: Path, original: str, upgrade_code: str) -> Path:
        """Make a transform for a product, as its summary has it."""
        revision = f"{original}1.0.0;{original}1.0.0;{upgrade_code}"
        return self._make(file, _TRANSFORM, "x64;1033", revision)

    def patch(self, file: Path, patch_code: str, targets: str, metadata: Mapping[str, str] | None = None) -> Path:
        """Make a patch for products (a semicolon-delimited list); with metadata, such as AllowRemoval."""
        return self._make(file, _PATCH, targets, patch_code, metadata)

    def _make(
        self, file: Path, root: bytes, template: str, revision: str, metadata: Mapping[str, str] | None = None
    ) -> Path:
        file.write_bytes(self.msi.read_bytes())
        if metadata is not None:
            table = file.with_suffix(".idt")
            rows = "".join(f"\t{name}\t{value}\r\n" for name, value in metadata.items())
            table.write_text(_METADATA + rows, newline="")
            subprocess.run(["msibuild", file, "-i", table], check=True)
            table.unlink()
        subprocess.run(["msibuild", file, "-s", "made for a test", "Tests", template, revision], check=True)
        content = file.read_bytes()
        assert content.count(_PACKAGE) == 1
        file.write_bytes(content.replace(_PACKAGE, root))
        return file


@pytest.fixture
def installer_files(example_packages) -> InstallerFiles:  # type: ignore[no-untyped-def]
    return InstallerFiles(example_packages.get("northwind-sync", "5.0.0").path)


@pytest.fixture(scope="session")
def msi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MSI that is not signed."""
    try:
        return build(plain_package("tool", "1.2.0"), tmp_path_factory.mktemp("msi")).path
    except LabUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have a lab. {error}", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture
def signed(msi: Path, authority: SigningAuthority, tmp_path: Path) -> Path:
    """The same, signed by Contoso Ltd."""
    return authority.sign(msi, tmp_path / "signed.msi")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    settings = Settings(data=tmp_path / "data", repository=str(tmp_path / "fleet.git"))
    with open_site(settings) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty desired state."""
    made = tmp_path / "environments"
    made.mkdir()
    (made / "reconciler.yaml").write_text("version: 1\n")
    return made


def program(file: Path, product: str = "", version: str = "") -> Path:
    """Make a program of 64 bits that has a version resource and no code; without a version, none."""
    resources = _resource_section(_version_info(product, version)) if version else b""
    headers = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 1, 0, 0, 0, 240, 0x22)
    optional = struct.pack("<HBBIIIIIQIIHHHHHHIIIIHH", 0x20B, 0, 0, 0, 0, 0, 0, 0x1000, 0x400000, 0x1000, 0x200,
                           6, 0, 0, 0, 6, 0, 0, 0x2000, 0x200, 0, 3, 0)  # fmt: skip
    optional += struct.pack("<QQQQII", 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    directories = [(0, 0)] * 16
    directories[2] = (0x1000, len(resources))
    optional += b"".join(struct.pack("<II", *directory) for directory in directories)
    section = struct.pack("<8sIIIIIIHHI", b".rsrc", len(resources), 0x1000, _padded(len(resources)), 0x200, 0, 0,
                          0, 0, 0x40000040)  # fmt: skip
    start = struct.pack("<2s58xI", b"MZ", 64)
    content = (start + headers + optional + section).ljust(0x200, b"\0") + resources
    file.write_bytes(content.ljust(0x200 + _padded(len(resources)), b"\0"))
    return file


def _padded(size: int) -> int:
    return -(-size // 0x200) * 0x200


def _resource_section(info: bytes) -> bytes:
    """One resource of type 16 (RT_VERSION), name 1, language 1033."""
    levels = b"".join(
        struct.pack("<IIHHHHII", 0, 0, 0, 0, 0, 1, identifier, below)
        for identifier, below in ((16, 0x80000018), (1, 0x80000030), (1033, 0x48))
    )
    return levels + struct.pack("<IIII", 0x1000 + 0x58, len(info), 0, 0) + info


def _version_info(product: str, version: str) -> bytes:
    fields = ([int(part) for part in version.split(".") if part.isdecimal()] + [0] * 4)[:4]
    high, low = fields[0] << 16 | fields[1], fields[2] << 16 | fields[3]
    fixed = struct.pack("<13I", 0xFEEF04BD, 0x10000, high, low, high, low, 0x3F, 0, 0x40004, 1, 0, 0, 0)
    strings = [_block(name, 1, value) for name, value in (("ProductName", product), ("ProductVersion", version))]
    table = _block("StringFileInfo", 1, b"", _block("040904b0", 1, b"", *strings))
    return _block("VS_VERSION_INFO", 0, fixed, table)


def _block(key: str, kind: int, value: bytes | str, *children: bytes) -> bytes:
    data = f"{value}\0".encode("utf-16-le") if isinstance(value, str) else value
    head = _aligned(b"\0" * 6 + f"{key}\0".encode("utf-16-le"))
    body = b"".join(_aligned(part) for part in (head + data, *children))
    count = len(data) // 2 if kind else len(data)
    return struct.pack("<HHH", len(body), count, kind) + body[6:]


def _aligned(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


@pytest.fixture(scope="session", autouse=True)
def vendor() -> Iterator[None]:
    """A download server, which sources lead to."""
    with serving():
        yield
