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
    found = shutil.which("ssh-keygen")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have ssh-keygen (Debian: openssh-client)", pytrace=False)
        pytest.skip("needs ssh-keygen (Debian: openssh-client)")
    return found


@pytest.fixture(scope="session")
def gpg() -> str:
    found = shutil.which("gpg")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have gpg (Debian: gnupg)", pytrace=False)
        pytest.skip("needs gpg (Debian: gnupg)")
    return found
