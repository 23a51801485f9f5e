"""The words of answers, versions of files, and secrets that stand nowhere."""

from __future__ import annotations

import pytest

from reconciler.kernel.practice import HealthCheck
from reconciler.kernel.probes import Probe, ProbeKind, same_version, version_order
from reconciler.kernel.redaction import HIDDEN, is_secret, redact


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("2.1", "2.1.0.0", True),
        ("2.1.0.1", "2.1", False),
        ("02.1", "2.1", True),
        ("build 7", "build 7", True),
        ("build 7", "build 8", False),
        ("absent", "none", False),
        ("", "2", False),
    ],
)
def test_versions_that_are_the_same(left: str, right: str, same: bool) -> None:
    assert same_version(left, right) is same
    assert same_version(right, left) is same


def test_versions_are_in_the_order_of_their_numbers() -> None:
    assert sorted(["10.0", "9.1", "none", "9.1.0.1"], key=version_order) == ["none", "9.1", "9.1.0.1", "10.0"]


def test_a_probe_s_key_names_it() -> None:
    assert Probe(ProbeKind.REGISTRY, r"HKLM\SOFTWARE\X", "Level").key == r"registry:HKLM\SOFTWARE\X|Level"
    assert Probe(ProbeKind.PORT, "443").key == "port:443"


def test_checks_compare_as_their_kind_does() -> None:
    assert HealthCheck(Probe(ProbeKind.SERVICE, "S"), "running").passes("running manual")
    assert not HealthCheck(Probe(ProbeKind.SERVICE, "S"), "running").passes("absent")
    assert HealthCheck(Probe(ProbeKind.FILE_VERSION, "F"), "2.1").passes("2.1.0.0")
    assert not HealthCheck(Probe(ProbeKind.HTTP, "http://localhost/"), "200").passes("2000")


@pytest.mark.parametrize(
    "line",
    [
        'Command Line: DB_PASSWORD="open ""se"" same" SITE=x',
        "Property(S): DB_PASSWORD = open se same",
        "Property(C): AdminToken = open se same",
        "MSI (s) (1C:30): PROPERTY CHANGE: Adding DB_PASSWORD property. Its value is 'open se same'.",
        "connecting with Password=open; Server=x",
        "msiexec /i x.msi API_KEY=open-se-same",
    ],
)
def test_a_secret_is_known_by_its_property_s_name(line: str) -> None:
    told = redact(line)
    assert HIDDEN in told
    assert "open" not in told
    assert told[:12] == line[:12]


def test_a_secret_s_value_is_hidden_wherever_it_stands() -> None:
    assert redact("C:\\x\\sesame7\\y and sesame7", ["sesame7"]) == f"C:\\x\\{HIDDEN}\\y and {HIDDEN}"
    assert redact("on and on", ["on"]) == "on and on"


def test_what_is_no_secret_stays() -> None:
    line = "Property(S): INSTALLDIR = C:\\Program Files\\Contoso"
    assert redact(line) == line
    assert not is_secret("SITE")
    assert is_secret("SQL_SA_PASSWORD")
