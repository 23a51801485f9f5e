"""What tests of signatures need: OpenSSH and GnuPG themselves, to agree with."""

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


@pytest.fixture(scope="session")
def gpg() -> str:
    found = shutil.which("gpg")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have gpg (Debian: gnupg)", pytrace=False)
        pytest.skip("needs gpg (Debian: gnupg)")
    return found
