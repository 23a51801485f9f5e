"""What the installer writes: properties go first, then what a person has set, then what the MSI brings."""

from __future__ import annotations

import json

import pytest

from reconciler.agent.placing import SiteDefaults, configure, parse_properties, read_site, remove_data, write_site
from reconciler.agent.settings import SETTINGS_NAME, InvalidSettings

SITE = SiteDefaults({"server": "https://first:8443", "pollSeconds": 30}, "-- the authority --")


def settings(data):
    return json.loads((data / SETTINGS_NAME).read_text())


def test_a_first_install_takes_what_the_msi_brings_and_is_given(tmp_path):
    configure(tmp_path, SITE, {"token": "t"}, "PC-7")
    assert settings(tmp_path) == {
        "host": "PC-7", "server": "https://first:8443", "pollSeconds": 30, "ca": "ca.pem", "token": "t"
    }  # fmt: skip
    assert (tmp_path / "ca.pem").read_text() == "-- the authority --"


def test_what_a_person_has_set_outlives_an_upgrade_and_what_the_msi_brought_follows_the_next(tmp_path):
    configure(tmp_path, SITE, {"token": "t", "host": "OTHER"}, "PC-7")
    edited = settings(tmp_path) | {"downloadWindow": "22:00-06:00"}
    edited.pop("token")
    (tmp_path / SETTINGS_NAME).write_text(json.dumps(edited))
    configure(tmp_path, SiteDefaults({"server": "https://second:8443"}, "-- another --"), {}, "PC-7")
    assert settings(tmp_path) == {
        "host": "OTHER", "server": "https://second:8443", "ca": "ca.pem", "downloadWindow": "22:00-06:00"
    }  # fmt: skip
    assert (tmp_path / "ca.pem").read_text() == "-- another --"


def test_a_server_given_at_the_install_is_not_moved_by_an_upgrade(tmp_path):
    configure(tmp_path, SITE, {"server": "https://mine:8443"}, "PC-7")
    configure(tmp_path, SiteDefaults({"server": "https://second:8443"}), {}, "PC-7")
    assert settings(tmp_path)["server"] == "https://mine:8443"


def test_settings_that_cannot_be_used_leave_the_former_ones(tmp_path):
    with pytest.raises(InvalidSettings, match="clear text"):
        configure(tmp_path, SITE, {"server": "http://far:80"}, "PC-7")
    assert not (tmp_path / SETTINGS_NAME).exists()
    configure(tmp_path, SITE, {}, "PC-7")
    before = settings(tmp_path)
    with pytest.raises(InvalidSettings, match="clear text"):
        configure(tmp_path, SITE, {"server": "http://far:80", "token": "t"}, "PC-7")
    assert settings(tmp_path) == before


def test_an_empty_property_says_nothing_and_an_unknown_one_is_refused():
    assert parse_properties(["SERVER=", "HOST= ", "TOKEN=a=b", "PROXY="]) == {"token": "a=b"}
    for word in ("POLL=5", "TOKEN"):
        with pytest.raises(InvalidSettings, match="no property of the agent"):
            parse_properties([word])


def test_what_an_msi_brings_can_be_read_back_and_a_damaged_file_is_told(tmp_path):
    path = tmp_path / "site.json"
    assert read_site(path) == SiteDefaults({})
    write_site(path, SITE)
    assert read_site(path) == SITE
    path.write_text("[]")
    with pytest.raises(InvalidSettings, match="settings of the MSI"):
        read_site(path)


def test_removing_the_data_leaves_the_logs(tmp_path):
    (tmp_path / "logs" / "attempts").mkdir(parents=True)
    (tmp_path / "logs" / "agent.log").touch()
    (tmp_path / "artifacts" / "abc").mkdir(parents=True)
    (tmp_path / "artifacts" / "abc" / "x.msi").touch()
    (tmp_path / "key").touch()
    remove_data(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["logs"]
    remove_data(tmp_path / "none")


def test_what_is_given_at_this_install_goes_before_what_was_given_at_an_earlier_one(tmp_path):
    configure(tmp_path, SITE, {"server": "https://mine:8443", "host": "FIRST"}, "PC-7")
    configure(tmp_path, SITE, {"host": "SECOND", "token": "another"}, "PC-7")
    found = settings(tmp_path)
    assert (found["server"], found["host"], found["token"]) == ("https://mine:8443", "SECOND", "another")
