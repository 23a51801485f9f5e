"""What tests of signatures need: OpenSSH itself, to agree with."""

from __future__ import annotations

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def ssh_keygen() -> str:
    found = shutil.which("ssh-keygen")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have ssh-keygen (Debian: openssh-client)", pytrace=False)
        pytest.skip("needs ssh-keygen (Debian: openssh-client)")
    return found
