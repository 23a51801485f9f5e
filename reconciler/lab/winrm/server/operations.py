"""What each WS-Management action does with the shells; knows nothing of HTTP, users or encryption."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from reconciler.lab.winrm.server import soap
from reconciler.lab.winrm.server.faults import Fault, WSManFault
from reconciler.lab.winrm.server.running import STDERR, STDOUT, End, Output
from reconciler.lab.winrm.server.shells import DEFAULT_CODE_PAGE, Shell, ShellOptions, Shells

CMD_SHELL = f"{soap.SHELL}/cmd"

_ENVELOPE_OVERHEAD = 4096
"""Room in an answer for everything but the output, in bytes; Base64 makes four of three."""

_STATE = f"{soap.SHELL}/CommandState"
_SIGNALS = {"terminate": End.TERMINATED, "ctrl_c": End.CONTROL_C, "ctrl_break": End.CONTROL_C}


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: ``listens`` says whether its connection still stands."""

    user: str
    address: str
    endpoint: str
    listens: Callable[[], bool]


class Service:
    """Carries out requests."""

    def __init__(self, shells: Shells) -> None:
        self._shells = shells
        self._actions: dict[str, Callable[[soap.Request, Client], bytes]] = {
            f"{soap.TRANSFER}/Create": self._create,
            f"{soap.TRANSFER}/Delete": self._delete,
            f"{soap.TRANSFER}/Get": self._get,
            f"{soap.SHELL}/Command": self._command,
            f"{soap.SHELL}/Send": self._send,
            f"{soap.SHELL}/Receive": self._receive,
            f"{soap.SHELL}/Signal": self._signal,
        }

    def carry_out(self, request: soap.Request, client: Client) -> bytes:
        """Carry out a request and return the envelope that answers it.

        Raises:
            WSManFault: it cannot be carried out.
        """
        action = self._actions.get(request.action)
        if action is None:
            raise WSManFault(Fault.UNKNOWN_ACTION, request.action)
        if request.resource_uri != CMD_SHELL and action != self._get:
            raise WSManFault(Fault.UNKNOWN_RESOURCE, request.resource_uri)
        return action(request, client)

    def _create(self, request: soap.Request, client: Client) -> bytes:
        body = _body(request, "Shell")
        shell = self._shells.create(self._options(request, body), body.get("ShellId"))
        parts = {
            "ShellId": shell.id,
            "ResourceUri": CMD_SHELL,
            "Owner": client.user,
            "ClientIP": client.address,
            "IdleTimeOut": f"PT{shell.options.idle_timeout:.3f}S",
            "InputStreams": shell.options.input_streams,
            "OutputStreams": shell.options.output_streams,
            "ShellRunTime": "P0DT0H0M0S",
            "ShellInactivity": "P0DT0H0M0S",
        }
        described = "".join(f"<rsp:{name}>{escape(value)}</rsp:{name}>" for name, value in parts.items())
        return _answer(
            request,
            f"<x:ResourceCreated><a:Address>{escape(client.endpoint)}</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{CMD_SHELL}</w:ResourceURI><w:SelectorSet>"
            f'<w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
            f"</x:ResourceCreated><rsp:Shell>{described}</rsp:Shell>",
        )

    def _options(self, request: soap.Request, body: ElementTree.Element) -> ShellOptions:
        idle = _child(body, "IdleTimeOut")
        variables = body.findall(f"{{{soap.SHELL}}}Environment/{{{soap.SHELL}}}Variable")
        try:
            code_page = int(request.options.get("WINRS_CODEPAGE", DEFAULT_CODE_PAGE))
        except ValueError as error:
            raise WSManFault(Fault.INVALID_PARAMETER) from error
        return ShellOptions(
            environment={variable.get("Name", ""): variable.text or "" for variable in variables},
            working_directory=_child(body, "WorkingDirectory") or None,
            code_page=code_page,
            idle_timeout=soap.seconds_of(idle) if idle else self._shells.limits.idle_timeout_ms / 1000,
            input_streams=_child(body, "InputStreams") or "stdin",
            output_streams=_child(body, "OutputStreams") or f"{STDOUT} {STDERR}",
        )

    def _delete(self, request: soap.Request, client: Client) -> bytes:
        self._shells.remove(_shell_id(request))
        return _answer(request, "")

    def _command(self, request: soap.Request, client: Client) -> bytes:
        body = _body(request, "CommandLine")
        words = [element.text or "" for element in body if element.tag == f"{{{soap.SHELL}}}Arguments"]
        command_line = " ".join([_child(body, "Command"), *words]).strip()
        if not command_line:
            raise WSManFault(Fault.INVALID_PARAMETER)
        skip_cmd = request.options.get("WINRS_SKIP_CMD_SHELL", "").upper() == "TRUE"
        with self._shells.using(_shell_id(request)) as shell:
            command_id = self._shells.start(
                shell, command_line, skip_cmd=skip_cmd, wanted_id=body.get("CommandId")
            )
        return _answer(
            request,
            f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>",
        )

    def _send(self, request: soap.Request, client: Client) -> bytes:
        body = _body(request, "Send")
        with self._shells.using(_shell_id(request)) as shell:
            for stream in body.findall(f"{{{soap.SHELL}}}Stream"):
                try:
                    data = base64.b64decode(stream.text or "", validate=False)
                except binascii.Error as error:
                    raise WSManFault(Fault.INVALID_PARAMETER) from error
                command = self._shells.command(shell, stream.get("CommandId", ""))
                command.send(data, stream.get("End", "").lower() in ("true", "1"))
        return _answer(request, "<rsp:SendResponse/>")

    def _receive(self, request: soap.Request, client: Client) -> bytes:
        desired = _body(request, "Receive").find(f"{{{soap.SHELL}}}DesiredStream")
        command_id = desired.get("CommandId", "") if desired is not None else ""
        with self._shells.using(_shell_id(request)) as shell:
            command = self._shells.command(shell, command_id)
            output = command.receive(
                request.message_id, self._wait_of(request), self._room(request), client.listens
            )
        return _answer(request, _received(command_id, output))

    def _signal(self, request: soap.Request, client: Client) -> bytes:
        body = _body(request, "Signal")
        signal = _SIGNALS.get(_child(body, "Code").rpartition("/")[2].lower())
        command_id = body.get("CommandId", "")
        with self._shells.using(_shell_id(request)) as shell:
            self._end(shell, command_id, signal)
        return _answer(request, "<rsp:SignalResponse/>")

    def _end(self, shell: Shell, command_id: str, signal: End | None) -> None:
        match signal:
            case None:
                raise WSManFault(Fault.INVALID_PARAMETER)
            case End.TERMINATED:
                self._shells.drop(shell, command_id)
            case _:
                self._shells.command(shell, command_id).end(signal)

    def _get(self, request: soap.Request, client: Client) -> bytes:
        if not request.resource_uri.startswith(soap.CONFIG):
            raise WSManFault(Fault.UNKNOWN_RESOURCE, request.resource_uri)
        limits = self._shells.limits
        return _answer(
            request,
            f"<cfg:Config><cfg:MaxEnvelopeSizekb>{limits.max_envelope_size_kb}</cfg:MaxEnvelopeSizekb>"
            f"<cfg:MaxTimeoutms>{limits.max_timeout_ms}</cfg:MaxTimeoutms><cfg:Service>"
            f"<cfg:MaxConcurrentOperationsPerUser>{limits.max_concurrent_operations_per_user}"
            f"</cfg:MaxConcurrentOperationsPerUser></cfg:Service><cfg:Winrs>"
            f"<cfg:IdleTimeout>{limits.idle_timeout_ms}</cfg:IdleTimeout>"
            f"<cfg:MaxShellsPerUser>{limits.max_shells_per_user}</cfg:MaxShellsPerUser></cfg:Winrs></cfg:Config>",
        )

    def _wait_of(self, request: soap.Request) -> float:
        return min(request.timeout, self._shells.limits.max_timeout_ms / 1000)

    def _room(self, request: soap.Request) -> int:
        envelope = min(request.max_envelope, self._shells.limits.max_envelope_size_kb * 1024)
        return max((envelope - _ENVELOPE_OVERHEAD) // 4 * 3, 1)


def _received(command_id: str, output: Output) -> str:
    named = f"CommandId={quoteattr(command_id)}"
    parts = [
        f'<rsp:Stream Name="{stream}" {named}>{base64.b64encode(data).decode()}</rsp:Stream>'
        for stream, data in output.streams
    ]
    if output.exit_code is None:
        state = f'<rsp:CommandState {named} State="{_STATE}/Running"/>'
    else:
        parts += [f'<rsp:Stream Name="{stream}" {named} End="true"/>' for stream in (STDOUT, STDERR)]
        state = (
            f'<rsp:CommandState {named} State="{_STATE}/Done">'
            f"<rsp:ExitCode>{output.exit_code}</rsp:ExitCode></rsp:CommandState>"
        )
    return f"<rsp:ReceiveResponse>{''.join(parts)}{state}</rsp:ReceiveResponse>"


def _answer(request: soap.Request, body: str) -> bytes:
    return soap.answer(f"{request.action}Response", request.message_id, body)


def _body(request: soap.Request, name: str) -> ElementTree.Element:
    if request.body is None or request.body.tag != f"{{{soap.SHELL}}}{name}":
        raise WSManFault(Fault.SCHEMA)
    return request.body


def _child(body: ElementTree.Element, name: str) -> str:
    return body.findtext(f"{{{soap.SHELL}}}{name}") or ""


def _shell_id(request: soap.Request) -> str:
    found = request.selectors.get("ShellId")
    if found is None:
        raise WSManFault(Fault.INVALID_PARAMETER)
    return found
