"""How a host's file says where the server reaches the host, as a pydantic model. Looks at one file only.

How the server signs in there is no part of Git: the file names a grant of the server's own configuration.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from reconciler.desired.fields import GrantName, refuse, text_schema
from reconciler.desired.host_addresses import is_number_in_disguise
from reconciler.desired.manifest_model import Manifest, Moved

_ADDRESS_PATTERN = (
    r"^(https?://)?([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?$"
)
_ADDRESS = re.compile(_ADDRESS_PATTERN)


def _address(text: str) -> str:
    port = text.rpartition(":")[2]
    if _ADDRESS.fullmatch(text) is None or (port.isdigit() and int(port) > 65535):
        hint = "write a name or address, with or without http:// or https:// before and a port after"
        raise refuse(f"{text[:60]!r} is not where a host can be reached", hint)
    if is_number_in_disguise(text):
        hint = "write an IPv4 address as four decimal numbers, such as 10.0.0.7, and an IPv6 address in brackets"
        raise refuse(f"{text[:60]!r} is neither a name nor an address in its usual form", hint)
    return text


HostAddress = Annotated[str, AfterValidator(_address), text_schema(_ADDRESS_PATTERN)]

_SERVER_SIDE = Moved(
    "how the server signs in to a host is a setting of the server, not of Git",
    "write winrm: {grant: NAME}; in the file that RECONCILER_GRANTS names on the server, write "
    "winrm: {NAME: {environments: […], networks: […], user: …, password: env:VARIABLE}}",
)


class WinRMManifest(Manifest):
    """Which of the server's WinRM grants is used for a host."""

    moved: ClassVar[dict[str, Moved]] = dict.fromkeys(
        ("transport", "user", "password", "certificate", "key", "authority"), _SERVER_SIDE
    )

    grant: GrantName = Field(
        description="The grant of the server's configuration by which the server signs in to the host: an entry "
        "under winrm in its grants file. It says which account is used, for which environments and networks."
    )
