"""What all tests share: the same environment on every machine, Hypothesis' settings, and other tools."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from pytest_httpserver import HTTPServer

# Git reads no configuration of this machine or user, and makes up no identity from the host name: a test that
# commits names the author itself. Everywhere, not only where nothing is configured.
os.environ.update(
    {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "user.useConfigOnly",
        "GIT_CONFIG_VALUE_0": "true",
    }
)

for name, examples in (("short", 20), ("thorough", 100)):
    # No deadline: the machine may be busy with something else.
    settings.register_profile(
        name,
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Try every example only where every test runs (`make test-all`); a fifth of them elsewhere."""
    settings.load_profile("short" if config.option.markexpr else "thorough")


@pytest.fixture(scope="session")
def make_httpserver() -> Iterator[HTTPServer]:
    """Serve HTTP at loopback's address: not every machine knows the name localhost.

    Each connection has a thread, as one on which nothing is said must not keep the others waiting.
    """
    with HTTPServer("127.0.0.1", 0, threaded=True) as server:
        yield server


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
