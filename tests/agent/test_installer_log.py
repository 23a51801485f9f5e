"""The line that tells why an installer failed is found in its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.agent.installer_log import LONGEST_LINE, read_end, telling_line

LAUNCH_CONDITION = """\
MSI (s) (A4:B8) [10:00:00:000]: Doing action: LaunchConditions
Action start 10:00:00: LaunchConditions.
MSI (s) (A4:B8) [10:00:00:100]: Product: Contoso Agent -- This product needs Windows 11.

This product needs Windows 11.
Action ended 10:00:00: LaunchConditions. Return value 3.
Action ended 10:00:00: INSTALL. Return value 3.
MSI (s) (A4:B8) [10:00:01:000]: MainEngineThread is returning 1603
"""
CUSTOM_ACTION = """\
Action start 10:00:00: InstallFinalize.
CustomAction Configure returned actual error code 1 (note this may not be 100% accurate)
Error 1722. There is a problem with this Windows Installer package. A program run as part of the setup failed.
Action ended 10:00:05: InstallFinalize. Return value 3.
Error 1234. Later ones are consequences.
"""
NOTHING_SAID = """\
Action start 10:00:00: CheckLicence.
Action ended 10:00:05: CheckLicence. Return value 3.
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (LAUNCH_CONDITION, "This product needs Windows 11."),
        (CUSTOM_ACTION, CUSTOM_ACTION.splitlines()[2]),
        (NOTHING_SAID, "the action CheckLicence failed"),
        ("MSI (s): MainEngineThread is returning 1618\n", "MSI (s): MainEngineThread is returning 1618"),
        ("all is well\n", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_the_first_cause_is_told(text, line):
    assert telling_line(text) == line


LOGS = sorted(Path(__file__).with_name("logs").glob("*.log"))


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_a_log_tells_what_is_to_be_done(log, encoding, tmp_path):
    """The cases are pairs of files: a log as Windows writes it, wide or in 8 bit, and what is told of it."""
    written = tmp_path / "install.log"
    written.write_bytes(log.read_text("utf-8").replace("\n", "\r\n").encode(encoding))
    assert telling_line(read_end(written)) + "\n" == log.with_suffix(".txt").read_text("utf-8")


def test_a_long_line_is_shortened():
    assert len(telling_line("Error 1603. " + "x" * 2000)) == LONGEST_LINE


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "cp1252"])
def test_wide_and_8_bit_logs_are_read(tmp_path, encoding):
    log = tmp_path / "install.log"
    log.write_bytes("Fehler 1603. Größe\r\n".encode(encoding))
    assert read_end(log) == "Fehler 1603. Größe\r\n"


@pytest.mark.parametrize("longest", range(10, 16))
def test_of_a_long_log_the_end_is_read_whole_characters_only(tmp_path, longest):
    log = tmp_path / "install.log"
    log.write_bytes("a long log with ünïcode".encode("utf-16"))
    assert "ünïcode".endswith(read_end(log, longest))
    assert len(read_end(log, longest)) >= longest // 2 - 1


def test_no_log_is_an_empty_one(tmp_path):
    assert read_end(tmp_path / "none.log") == ""
