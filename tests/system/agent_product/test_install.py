"""The agent's MSI: installs a service that enrols, keeps no token anywhere, and leaves nothing but logs."""

from __future__ import annotations

import subprocess

from reconciler import __version__
from reconciler.kernel.identity import pack_guid
from tests.system.agent_product.conftest import DATA, PROGRAM, TOKEN, registry_of

PROXY = "http://user:a-password-to-hide@proxy.example.com:3128"


def files_below(host, folder):
    root = host.unix_path(folder)
    return {path.relative_to(root).as_posix() for path in root.rglob("*")} if root.exists() else set()


def test_it_installs_a_service_that_enrols(product):
    assert product.install(product.build()) == 0
    product.await_report(lambda s: s.reports[-1].observation.products)
    (found,) = product.server.reports[-1].observation.products
    assert (found.name, found.version) == ("Reconciler Agent", __version__)
    assert product.server.enrolments[0].host.upper() == "PRODUCT-01"
    assert product.service_state() == "RUNNING"


def test_the_token_is_nowhere_once_the_host_has_enrolled(product):
    assert product.install(product.build()) == 0
    product.await_report(lambda s: True)
    assert "token" not in product.settings()
    for path in product.host.unix_path("C:\\").rglob("*"):
        if path.is_file() and not path.is_symlink() and path.name != "install.log":
            assert TOKEN.encode() not in path.read_bytes(), path
            assert TOKEN.encode("utf-16-le") not in path.read_bytes(), path
    # Wine does not know MsiHiddenProperties and lists every property at the end: nothing else may show it.
    log = product.host.read(r"C:\Setup\install.log").decode("utf-8", "replace")
    assert [line for line in log.splitlines() if TOKEN in line] == [f"Property(S): TOKEN = {TOKEN}"]
    assert TOKEN not in registry_of(product.host)


def test_the_msi_says_that_its_secrets_are_hidden(product):
    built = product.build()

    def ask(*words):
        said = subprocess.run(["msiinfo", *words], check=True, capture_output=True, text=True).stdout
        return said.replace("\r", "").splitlines()

    def rows(table):
        return {line.split("\t")[0]: line.split("\t")[1:] for line in ask("export", built.path, table)}

    assert rows("Property")["MsiHiddenProperties"] == ["PROXY;TOKEN"]
    assert set(rows("Property")["SecureCustomProperties"][0].split(";")) >= {"HOST", "PROXY", "SERVER", "TOKEN"}
    kind, _program, target, *_ = rows("CustomAction")["Configure"]
    hide_target, no_impersonation, deferred = 0x2000, 0x800, 0x400
    assert int(kind) == hide_target | no_impersonation | deferred | 18
    assert "[TOKEN]" in target
    # Windows Installer writes what goes into registry values and .ini files into verbose logs.
    named = [table for table in ask("tables", built.path) if "[TOKEN]" in str(rows(table)) and table[0] != "_"]
    assert named == ["CustomAction"]


def test_properties_go_before_what_the_msi_brings(product):
    built = product.build(pollSeconds=60)
    assert product.install(built, f'TOKEN={TOKEN} HOST=other-01 PROXY="{PROXY}"') == 0
    settings = product.settings()
    assert (settings["host"], settings["proxy"], settings["pollSeconds"]) == ("other-01", PROXY, 60)
    assert "a-password-to-hide" not in product.read(r"logs\agent.log")


def test_settings_that_cannot_be_used_fail_the_install_and_say_why(product):
    assert product.install(product.build(), f"TOKEN={TOKEN} SERVER=http://server.example.com") != 0
    assert "would send the host's key in clear text" in product.read(r"logs\agent.log")
    assert product.service_state() == ""
    assert not product.host.unix_path(rf"{DATA}\agent.json").exists()


def test_an_uninstall_leaves_nothing_but_logs(product):
    built = product.build()
    assert product.install(built) == 0
    product.await_report(lambda s: True)
    assert product.uninstall(built) == 0
    assert product.service_state() == ""
    assert files_below(product.host, DATA) == {"logs", "logs/agent.log"}
    assert files_below(product.host, PROGRAM) == set()
    assert not product.host.unix_path(PROGRAM).exists()
    left = registry_of(product.host)
    for trace in ("Reconciler Agent", "ReconcilerAgent", built.product_code, pack_guid(built.product_code)):
        assert trace.lower() not in left.lower()


def test_installing_the_same_file_again_enrols_anew_and_keeps_the_key(product):
    built = product.build()
    assert product.install(built) == 0
    product.await_report(lambda s: True)
    key = product.read("key")
    assert product.install(built, f"TOKEN={TOKEN} REINSTALL=ALL") == 0
    product.server.wait_for(lambda s: len(s.enrolments) == 2)
    assert product.read("key") == key
    assert product.service_state() == "RUNNING"


def test_another_build_of_the_same_version_takes_the_place_of_the_first(product):
    first, second = product.build(), product.build(pollSeconds=1)
    assert (first.version, first.product_code == second.product_code) == (second.version, False)
    assert product.install(first) == 0
    product.await_report(lambda s: True)
    assert product.install(second) == 0
    product.await_report(
        lambda s: [p.product_code for p in s.reports[-1].observation.products] == [second.product_code]
    )
