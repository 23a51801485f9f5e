"""An agent with settings it cannot use says which, where, and what to do; it does not start."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from reconciler.agent.settings import SETTINGS_NAME, InvalidSettings, forget_token, load_settings

GOOD = {"server": "https://server:8443", "host": "HOST7", "token": "t", "pollSeconds": 5}


def write(folder, content):
    (folder / SETTINGS_NAME).write_text(content if isinstance(content, str) else json.dumps(content))


def test_good_settings_are_read(tmp_path):
    (tmp_path / "ca.pem").write_text("")
    write(tmp_path, {**GOOD, "ca": "ca.pem"})
    settings = load_settings(tmp_path)
    assert (settings.server, settings.host, settings.token, settings.poll_seconds) == (
        "https://server:8443", "HOST7", "t", 5.0
    )  # fmt: skip
    assert settings.ca == tmp_path / "ca.pem"


def test_every_setting_is_read(tmp_path):
    write(
        tmp_path,
        {
            **GOOD,
            "proxy": "http://proxy:3128",
            "noProxy": ["example.com"],
            "bandwidthKilobytesPerSecond": 500,
            "downloadWindow": "22:00-06:00",
            "cacheMegabytes": 2000,
        },
    )
    settings = load_settings(tmp_path)
    assert settings.proxy == "http://proxy:3128"
    assert (settings.bytes_per_second, settings.cache_bytes) == (500_000, 2_000_000_000)
    assert str(settings.download_window) == "22:00-06:00"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "cannot be read"),
        ("[]", "not a JSON object"),
        ({"host": "H"}, "'server' is missing"),
        ({**GOOD, "host": "a host"}, "not a host name"),
        ({**GOOD, "server": "server:8443"}, "not an address"),
        ({**GOOD, "server": "https://server:99999"}, "not an address"),
        ({**GOOD, "server": "http://server:8443"}, "clear text"),
        ({**GOOD, "pollSeconds": 0}, "pollSeconds"),
        ({**GOOD, "pollSeconds": True}, "pollSeconds"),
        ({**GOOD, "token": 7}, "'token' is not a text"),
        ({**GOOD, "ca": "none.pem"}, "no file"),
        ({**GOOD, "pollSecond": 1}, "unknown setting pollSecond"),
        ({**GOOD, "proxy": "proxy:3128"}, "'proxy' 'proxy:3128' is not an address"),
        ({**GOOD, "proxy": "https://proxy:3128"}, "not the address of an HTTP proxy"),
        ({**GOOD, "proxy": "http://proxy:3128/path"}, "not the address of an HTTP proxy"),
        ({**GOOD, "proxy": "http://p", "noProxy": "example.com"}, "'noProxy' is not a list of host names"),
        ({**GOOD, "proxy": "http://p", "noProxy": ["a b"]}, "'noProxy' is not a list of host names"),
        ({**GOOD, "downloadWindow": "22-6"}, "'downloadWindow' '22-6' is not a time of day to another"),
        ({**GOOD, "downloadWindow": 22}, "'downloadWindow' is not a text"),
        ({**GOOD, "bandwidthKilobytesPerSecond": 0}, "'bandwidthKilobytesPerSecond' is not a number from 1 to"),
        ({**GOOD, "bandwidthKilobytesPerSecond": "fast"}, "'bandwidthKilobytesPerSecond' is not a number"),
        ({**GOOD, "cacheMegabytes": 0.5}, "'cacheMegabytes' is not a number from 1 to 100,000,000"),
    ],
)
def test_bad_settings_are_refused(tmp_path, content, told):
    write(tmp_path, content)
    with pytest.raises(InvalidSettings, match=told) as caught:
        load_settings(tmp_path)
    assert caught.value.where == str(tmp_path / SETTINGS_NAME)


def test_a_used_token_is_taken_out_and_all_else_stays(tmp_path):
    write(tmp_path, GOOD)
    forget_token(tmp_path)
    assert json.loads((tmp_path / SETTINGS_NAME).read_text()) == {k: v for k, v in GOOD.items() if k != "token"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["run"], "usage:"), (["run", "--data", "{folder}"], "there are no settings")],
)
def test_the_process_says_why_it_does_not_start(tmp_path, arguments, told):
    command = [sys.executable, "-m", "reconciler.testing.simulated_host"]
    command += [argument.format(folder=tmp_path) for argument in arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert told in done.stderr
