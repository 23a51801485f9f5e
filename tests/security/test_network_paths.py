"""Git leads no host and no server to a network share."""

from __future__ import annotations

import pytest

from reconciler.kernel.network_paths import network_path_in


@pytest.mark.parametrize(
    "text",
    [
        r"\\mallory\share",
        r'"\\mallory\x.exe" /s',
        r"/source:\\mallory\x",
        r"copy \\mallory\a b",
        r"SOURCE=\\mallory\a",
        "//mallory/share/x",
        "copy //mallory/a b",
        r"\/mallory\a",
        r"\\?\UNC\mallory\s",
        r"\\.\pipe\x",
        r"\^\mallory\s",
        r"file://mallory/share",
        r"file:\\mallory\share",
        r"a,\\mallory\s",
        r"(\\mallory\s)",
        r"net view \\mallory",
        r"\\10.0.0.1\x",
        r"\\[::1]\s",
        r"\\mallory@SSL\DavWWWRoot\x",
        r"<\\mallory\x",
    ],
)
def test_a_path_to_the_network_is_seen(text: str) -> None:
    assert network_path_in(text)


@pytest.mark.parametrize(
    "text",
    [
        r"C:\Program Files\x.exe",
        r"C:\\dir\\x",
        "http://host/a/b",
        "https://host/x//y",
        "cscript //nologo x.vbs",
        r"dir\\sub",
        "file:///C:/x",
        r"HKLM\SOFTWARE\X",
        "/silent /install",
        "--url=https://host/x",
        r"(\d+)\\w",
        "north // south",
    ],
)
def test_a_path_on_the_host_is_not(text: str) -> None:
    assert network_path_in(text) is None
