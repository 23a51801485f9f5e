"""The faults that a WS-Management service answers with, as Windows words them; decides nothing about when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class _Kind:
    code: int
    side: str
    subcode: str
    text: str


class Fault(Enum):
    """One member for each fault; ``{}`` in a text is filled in where the fault is raised.

    Source: codes from wsmerror.h of the Windows SDK; subcodes and texts from answers of Windows hosts.
    """

    TIMED_OUT = _Kind(
        2150858793,
        "s:Receiver",
        "w:TimedOut",
        "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.",
    )
    SHELL_NOT_FOUND = _Kind(
        2150858843,
        "s:Sender",
        "w:InvalidSelectors",
        "The request for the Windows Remote Shell with ShellId {} failed because the shell was not found on the "
        "server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the "
        "server. Provide the correct ShellId or create a new shell and retry the operation.",
    )
    TOO_MANY_SHELLS = _Kind(
        2150859173,
        "s:Receiver",
        "w:QuotaLimit",
        "The WS-Management service cannot process the request. This user is allowed a maximum number of {} "
        "concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user.",
    )
    TOO_MANY_OPERATIONS = _Kind(
        2150859174,
        "s:Receiver",
        "w:InternalError",
        "The WS-Management service cannot process the request. This user is allowed a maximum number of {} "
        "concurrent operations, which has been exceeded. Close existing operations for this user, or raise the "
        "quota for this user.",
    )
    IDLE_TIMEOUT_OUT_OF_BOUNDS = _Kind(
        2150859250,
        "s:Sender",
        "w:InvalidParameter",
        "The WS-Management service cannot process the request. The requested IdleTimeout is outside the allowed "
        "range.",
    )
    CANNOT_START = _Kind(2147942402, "s:Receiver", "w:InternalError", "{}")
    ABORTED = _Kind(
        995,
        "s:Receiver",
        "w:InternalError",
        "The I/O operation has been aborted because of either a thread exit or an application request.",
    )
    INVALID_PARAMETER = _Kind(87, "s:Sender", "w:InvalidParameter", "The parameter is incorrect.")
    UNKNOWN_RESOURCE = _Kind(
        2150858752,
        "s:Sender",
        "a:DestinationUnreachable",
        "The resource URI is not known to this endpoint: {}",
    )
    UNKNOWN_ACTION = _Kind(
        2150858759,
        "s:Sender",
        "a:ActionNotSupported",
        "The action is not known to this endpoint: {}",
    )
    SCHEMA = _Kind(
        2150858817,
        "s:Sender",
        "w:SchemaValidationError",
        "The SOAP XML in the message does not match the corresponding XML schema definition.",
    )


class WSManFault(Exception):
    """A request is answered by ``fault``; ``detail`` fills the gap in its text, ``code`` replaces its code."""

    def __init__(self, fault: Fault, detail: object = "", code: int | None = None) -> None:
        super().__init__(fault.name)
        self.fault = fault
        self.code: int = fault.value.code if code is None else code
        self.text = fault.value.text.format(detail)
