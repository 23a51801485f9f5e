"""Reads WS-Management requests and writes answers and faults; knows the envelope, not what a request asks for.

Source: DSP0226 (WS-Management) and [MS-WSMV].
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from reconciler.lab.winrm.server.faults import Fault, WSManFault

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
CONFIG = "http://schemas.microsoft.com/wbem/wsman/1/config"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
WSMAN_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
WMI_ERROR = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError"
ANONYMOUS = f"{ADDRESSING}/role/anonymous"

_FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_DEFAULT_TIMEOUT = 60.0
_DEFAULT_ENVELOPE = 153600


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: ``timeout`` in seconds, ``max_envelope`` in bytes, ``body`` its content or none."""

    action: str
    message_id: str
    resource_uri: str
    selectors: Mapping[str, str]
    options: Mapping[str, str]
    timeout: float
    max_envelope: int
    body: ElementTree.Element | None

    @property
    def asks_for_identity(self) -> bool:
        """Whether this is ``wsmid:Identify``, which has no header."""
        return self.body is not None and self.body.tag == f"{{{IDENTITY}}}Identify"


def parse(data: bytes) -> Request:
    """Read a request.

    Raises:
        WSManFault: it is no SOAP envelope, or a duration or a number in it cannot be read.
    """
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - a lab's endpoint, on a loopback address
    except ElementTree.ParseError as error:
        raise WSManFault(Fault.SCHEMA) from error
    header = root.find(f"{{{SOAP}}}Header")
    body = root.find(f"{{{SOAP}}}Body")
    if root.tag != f"{{{SOAP}}}Envelope" or body is None:
        raise WSManFault(Fault.SCHEMA)
    if header is None:
        header = ElementTree.Element("none")
    timeout = _text(header, WSMAN, "OperationTimeout")
    envelope = _text(header, WSMAN, "MaxEnvelopeSize") or str(_DEFAULT_ENVELOPE)
    if not envelope.isdecimal():
        raise WSManFault(Fault.SCHEMA)
    return Request(
        action=_text(header, ADDRESSING, "Action"),
        message_id=_text(header, ADDRESSING, "MessageID"),
        resource_uri=_text(header, WSMAN, "ResourceURI"),
        selectors=_named(header, "SelectorSet", "Selector"),
        options={name.upper(): value for name, value in _named(header, "OptionSet", "Option").items()},
        timeout=seconds_of(timeout) if timeout else _DEFAULT_TIMEOUT,
        max_envelope=int(envelope),
        body=next(iter(body), None),
    )


def seconds_of(duration: str) -> float:
    """Return the seconds of an xs:duration without years and months.

    Raises:
        WSManFault: it is not one.
    """
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise WSManFault(Fault.INVALID_PARAMETER)
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def answer(action: str, relates_to: str, body: str) -> bytes:
    """Return the envelope of an answer; ``body`` is XML that uses the prefixes s, a, x, w, rsp and cfg."""
    return (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:x="{TRANSFER}" '
        f'xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}" xmlns:cfg="{CONFIG}"><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID><a:To>{ANONYMOUS}</a:To>"
        f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault_answer(fault: WSManFault, relates_to: str, machine: str) -> bytes:
    """Return the envelope that says why a request failed on ``machine``."""
    kind = fault.fault.value
    text = escape(f"{fault.text} ")
    body = (
        f"<s:Fault><s:Code><s:Value>{kind.side}</s:Value><s:Subcode><s:Value>{kind.subcode}</s:Value></s:Subcode>"
        f'</s:Code><s:Reason><s:Text xml:lang="en-US">{text}</s:Text></s:Reason>'
        f"<s:Detail>{_detail(fault, text, escape(machine))}</s:Detail></s:Fault>"
    )
    return answer(_FAULT_ACTION, relates_to, body)


def _detail(fault: WSManFault, text: str, machine: str) -> str:
    code = fault.code
    if fault.fault is Fault.TOO_MANY_OPERATIONS:
        # This one comes from the shell's plug-in, in the form that WMI gives its errors.
        return (
            f'<m:MSFT_WmiError xmlns:m="{WMI_ERROR}"><m:Message>{text}</m:Message>'
            f"<m:MessageID>HRESULT 0x{code:08x}</m:MessageID><m:error_Code>{code}</m:error_Code></m:MSFT_WmiError>"
        )
    return (
        f'<f:WSManFault xmlns:f="{WSMAN_FAULT}" Code="{code}" Machine="{machine}">'
        f"<f:Message>{text}</f:Message></f:WSManFault>"
    )


def _text(header: ElementTree.Element, namespace: str, name: str) -> str:
    return (header.findtext(f"{{{namespace}}}{name}") or "").strip()


def _named(header: ElementTree.Element, group: str, member: str) -> dict[str, str]:
    found = header.findall(f"{{{WSMAN}}}{group}/{{{WSMAN}}}{member}")
    return {element.get("Name", ""): element.text or "" for element in found}
