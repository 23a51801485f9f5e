"""The example catalog names the very files that the example packages are built to."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from reconciler.desired.loading import load_folder
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.releases import MsiRelease
from reconciler.lab.packages import build_examples

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(
    shutil.which("wixl") is None and not os.environ.get("CI"), reason="needs wixl: apt-get install wixl msitools"
)
def test_the_catalog_is_what_the_builder_builds(tmp_path: Path) -> None:
    state = load_folder(ROOT / "environments").state
    assert state is not None
    listed = {
        (name, release.version): release
        for name, package in state.packages.items()
        for release in package.msi_releases
    }
    built = {}
    for package in build_examples(tmp_path):
        data, source = package.path.read_bytes(), package.source
        assert state.packages[source.package].upgrade_code == source.upgrade_code
        built[source.package, source.version] = MsiRelease(
            version=source.version,
            product_code=source.product_code,
            package_code=source.package_code,
            artifact=Artifact(hashlib.sha256(data).hexdigest(), len(data), package.path.name),
            properties=listed[source.package, source.version].properties,
        )
    assert built == listed
