"""Probes of a host that is reached by WinRM: what its tools write, and the answer that it is.

The texts are in the shape of Windows' own output, German where Windows translates.
"""

from __future__ import annotations

import pytest

from reconciler.hosts.winrm.questions import Questions
from reconciler.kernel.probes import FAILED, Answer, Probe, ProbeKind

SERVICE = """
SERVICE_NAME: Spooler
        TYP                : 110  WIN32_OWN_PROCESS  (interactive)
        STATUS             : 4  RUNNING
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_PRESHUTDOWN)
        WIN32_BEENDIGUNGSCODE : 0  (0x0)

HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Spooler
    Start    REG_DWORD    0x2
"""
NO_SERVICE = """[SC] EnumQueryServicesStatus:OpenService FEHLER 1060:

Der angegebene Dienst ist kein installierter Dienst.
"""
HASH = """SHA256-Hash von C:\\x.ini:
{}
CertUtil: -hashfile-Befehl wurde erfolgreich ausgeführt.
"""
DIGITS = "c5306f113b3ade71ace1b60a0c73bfa7af075b499187c2278949ab38d299ba57"
NO_FILE = "CertUtil: -hashfile-Befehl ist fehlgeschlagen: 0x80070002 (WIN32: 2 ERROR_FILE_NOT_FOUND)\n"
VALUE = "\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Contoso\n    {}    {}    {}\n"
NO_VALUE = "FEHLER: Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden.\n"
NETSTAT = """
Aktive Verbindungen

  Proto  Lokale Adresse         Remoteadresse          Status
  TCP    0.0.0.0:135            0.0.0.0:0              ABHÖREN
  TCP    10.0.0.7:52110         10.0.0.9:8080          HERGESTELLT
  TCP    [::]:8443              [::]:0                 ABHÖREN
"""
PORT = ProbeKind.PORT


@pytest.mark.parametrize(
    ("probe", "written", "answer"),
    [
        (Probe(ProbeKind.SERVICE, "Spooler"), SERVICE, "running automatic"),
        (Probe(ProbeKind.SERVICE, "Spooler"), SERVICE.replace("4  RUNNING", "1  STOPPED"), "stopped automatic"),
        (Probe(ProbeKind.SERVICE, "Spooler"), SERVICE.replace("0x2", "0x4"), "running disabled"),
        (Probe(ProbeKind.SERVICE, "Nope"), NO_SERVICE, "absent"),
        (Probe(ProbeKind.SERVICE, "Spooler"), "", FAILED),
        (Probe(ProbeKind.FILE_HASH, r"C:\x.ini"), HASH.format(DIGITS), DIGITS),
        (
            Probe(ProbeKind.FILE_HASH, r"C:\x.ini"),
            HASH.format(" ".join(DIGITS[i : i + 2] for i in range(0, 64, 2))),
            DIGITS,
        ),
        (Probe(ProbeKind.FILE_HASH, r"C:\x.ini"), NO_FILE, "absent"),
        (Probe(ProbeKind.FILE_HASH, r"C:\x.ini"), "", FAILED),
        (Probe(ProbeKind.FILE_VERSION, r"C:\x.exe"), "version 2.1.0.7\n", "2.1.0.7"),
        (Probe(ProbeKind.FILE_VERSION, r"C:\x.exe"), "version none\n", "none"),
        (Probe(ProbeKind.FILE_VERSION, r"C:\x.exe"), "absent\n", "absent"),
        (Probe(ProbeKind.FILE_VERSION, r"C:\x.exe"), "", FAILED),
        (Probe(ProbeKind.REGISTRY, r"HKLM\S", "N"), VALUE.format("N", "REG_DWORD", "0x37"), "REG_DWORD:55"),
        (Probe(ProbeKind.REGISTRY, r"HKLM\S", "N"), VALUE.format("N", "REG_SZ", "a    b"), "REG_SZ:a    b"),
        (
            Probe(ProbeKind.REGISTRY, r"HKLM\S", "M"),
            VALUE.format("M", "REG_MULTI_SZ", r"a\0b"),
            "REG_MULTI_SZ:a\nb",
        ),
        (Probe(ProbeKind.REGISTRY, r"HKLM\S"), VALUE.format("(Standard)", "REG_SZ", "x"), "REG_SZ:x"),
        (Probe(ProbeKind.REGISTRY, r"HKLM\S", "N"), NO_VALUE, "absent"),
        (Probe(ProbeKind.REGISTRY, r"HKLM\S", "N"), "", FAILED),
        (Probe(PORT, "135"), NETSTAT, "open"),
        (Probe(PORT, "8443"), NETSTAT, "open"),
        (Probe(PORT, "8080"), NETSTAT, "closed"),
        (Probe(PORT, "8080"), "", FAILED),
        (Probe(ProbeKind.HTTP, "http://localhost/"), "200\n", "200"),
        (Probe(ProbeKind.HTTP, "http://localhost/"), "000\n", "unreachable"),
        (Probe(ProbeKind.HTTP, "http://localhost/"), "no such program\n", FAILED),
    ],
)
def test_what_a_tool_writes_is_understood(probe: Probe, written: str, answer: str) -> None:
    text = f"===end\r\n===probe 0\r\n{written}".replace("\n", "\r\n") + "\r\n===asked\r\n"
    assert Questions([probe]).answers(text) == (Answer(probe.key, answer),)


def test_each_probe_gets_its_own_answer() -> None:
    probes = [Probe(PORT, "135"), Probe(ProbeKind.REGISTRY, r"HKLM\S", "N"), Probe(ProbeKind.SERVICE, "Spooler")]
    text = f"===probe 2\n{SERVICE}\n===probe 0\n{NETSTAT}\n===probe 1\n{NO_VALUE}===asked\n"
    assert [answer.text for answer in Questions(probes).answers(text)] == ["open", "absent", "running automatic"]


def test_answers_that_were_cut_off_are_no_answers() -> None:
    probes = [Probe(ProbeKind.REGISTRY, r"HKLM\S", "N"), Probe(ProbeKind.SERVICE, "Spooler")]
    text = f"===probe 0\n{NO_VALUE}===probe 1\n"
    assert {answer.text for answer in Questions(probes).answers(text)} == {FAILED}


def test_a_probe_that_is_a_command_is_no_question() -> None:
    assert Questions([Probe(ProbeKind.COMMAND, "exit 1")]).commands() == []


def test_a_probe_that_would_break_out_of_its_quotes_is_not_asked() -> None:
    probe = Probe(ProbeKind.SERVICE, 'x" & del /q C:\\ & "')
    questions = Questions([probe])
    assert not any("del" in command for command in questions.commands())
    assert questions.answers("===asked\n") == (Answer(probe.key, FAILED),)
