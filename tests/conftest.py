"""What all tests share: how Hypothesis behaves on a machine that others use as well, and tools to agree with."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("shared-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared-machine")


@pytest.fixture(scope="session")
def ssh_keygen() -> str:
    return _tool("ssh-keygen", "openssh-client")


@pytest.fixture(scope="session")
def gpg() -> str:
    return _tool("gpg", "gnupg")


def _tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have {name} (Debian: {package})", pytrace=False)
        pytest.skip(f"needs {name} (Debian: {package})")
    return found
