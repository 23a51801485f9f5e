"""A stand-in for sc.exe on lab hosts, whose Wine has one without config, queryex, qc and true exit codes.

It knows query and queryex (of one service; ``state=`` and ``type= service`` of all), qc, enumdepend, config,
create, delete, start and stop, on this machine alone, and does them through the service manager.

Source: learn.microsoft.com/windows-server/administration/windows-commands/sc-query (sc-config, sc-create,
sc-delete); learn.microsoft.com/windows/win32/services/controlling-a-service-using-sc
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

from reconciler.lab.winrm.stand_ins import windows_services as services
from reconciler.lab.winrm.stand_ins.windows_services import NO_CHANGE, ServiceError, Setup, Status

_STATES = (
    "STOPPED",
    "START_PENDING",
    "STOP_PENDING",
    "RUNNING",
    "CONTINUE_PENDING",
    "PAUSE_PENDING",
    "PAUSED",
)
_TYPES = {0x1: "KERNEL_DRIVER", 0x2: "FILE_SYSTEM_DRIVER", 0x10: "WIN32_OWN_PROCESS", 0x20: "WIN32_SHARE_PROCESS"}
_INTERACTIVE = 0x100
_STARTS = ("BOOT_START", "SYSTEM_START", "AUTO_START", "DEMAND_START", "DISABLED")
_ERRORS = ("IGNORE", "NORMAL", "SEVERE", "CRITICAL")
_ACCEPTS = (
    (0x1, "STOPPABLE", "NOT_STOPPABLE"),
    (0x2, "PAUSABLE", "NOT_PAUSABLE"),
)
_SHUTDOWN, _PRESHUTDOWN = 0x4, 0x100

_WORDS = {
    "type=": {"own": 0x10, "share": 0x20},
    "start=": {"boot": 0, "system": 1, "auto": 2, "demand": 3, "disabled": 4},
    "error=": {"ignore": 0, "normal": 1, "severe": 2, "critical": 3},
}
_TEXTS = ("binpath=", "depend=", "obj=", "displayname=")

_UNCHANGED = Setup(NO_CHANGE, NO_CHANGE, NO_CHANGE)
_NEW = Setup(_WORDS["type="]["own"], _WORDS["start="]["demand"], _WORDS["error="]["normal"])

_BAD_COMMAND_LINE = 1639
"""ERROR_INVALID_COMMAND_LINE."""


class _Refused(Exception):
    pass


def main(words: list[str]) -> int:
    """Do as sc does and return its exit code."""
    verbs: dict[str, Callable[[list[str]], None]] = {
        "query": lambda rest: _query(rest, extended=False),
        "queryex": lambda rest: _query(rest, extended=True),
        "qc": _qc,
        "enumdepend": _enumdepend,
        "config": _config,
        "create": _create,
        "delete": _delete,
        "start": _start,
        "stop": _stop,
    }
    verb = words[0].lower() if words else ""
    try:
        if verb not in verbs:
            raise _Refused(f"{', '.join(verbs)} only")
        verbs[verb](words[1:])
    except _Refused as refused:
        print(f"ERROR: this stand-in of the lab for sc knows {refused}")
        return _BAD_COMMAND_LINE
    except ServiceError as error:
        told = {
            "query": f"EnumQueryServicesStatus:{error.function}",
            "queryex": f"EnumQueryServicesStatus:{error.function}",
            "start": "StartService: OpenService" if error.function == "OpenService" else error.function,
        }.get(verb, error.function)
        print(f"[SC] {told} FAILED {error.code}:\n\n{_message(error.code)}\n")
        return error.code
    return 0


def _query(words: list[str], extended: bool) -> None:
    if words and not words[0].endswith("="):
        with services.service(_name(words[:1]), services.QUERY_STATUS) as service:
            _print_status(words[0], services.status(service), extended=extended)
        return
    options = _pairs(words)
    state = options.pop("state=", "active").lower()
    if (
        state not in ("active", "inactive", "all")
        or options.pop("type=", "service").lower() != "service"
        or options
    ):
        raise _Refused("of query no other options than state= and type= service")
    for name, display_name, status in services.listed():
        if state == "all" or (status.state == services.STOPPED) == (state == "inactive"):
            _print_status(name, status, display_name, extended)


def _print_status(name: str, status: Status, display_name: str | None = None, extended: bool = False) -> None:
    print(f"\nSERVICE_NAME: {name}")
    if display_name is not None:
        print(f"DISPLAY_NAME: {display_name}")
    _print_field("TYPE", f"{status.type:x}  {_type(status.type, '  ')}")
    _print_field("STATE", f"{status.state}  {_STATES[status.state - 1]} ")
    print(f"{'':32}({_accepted(status)})")
    _print_field("WIN32_EXIT_CODE", f"{status.win32}  (0x{status.win32:x})")
    _print_field("SERVICE_EXIT_CODE", f"{status.own}  (0x{status.own:x})")
    _print_field("CHECKPOINT", f"0x{status.check_point:x}")
    _print_field("WAIT_HINT", f"0x{status.wait_hint:x}")
    if extended:
        _print_field("PID", str(status.pid))
        _print_field("FLAGS", "")


def _print_field(name: str, value: str) -> None:
    print(f"{'':8}{name:<19}: {value}")


def _type(number: int, space: str) -> str:
    name = _TYPES.get(number & ~_INTERACTIVE, "")
    return f"{name}{space}(interactive)" if number & _INTERACTIVE else f"{name}{space}".rstrip(" ") + "  "


def _accepted(status: Status) -> str:
    told = [yes if status.accepts & bit else no for bit, yes, no in _ACCEPTS]
    if status.accepts & _PRESHUTDOWN:
        return ", ".join([*told, "ACCEPTS_PRESHUTDOWN"])
    return ", ".join([*told, "ACCEPTS_SHUTDOWN" if status.accepts & _SHUTDOWN else "IGNORES_SHUTDOWN"])


def _qc(words: list[str]) -> None:
    name = _name(words[:1])  # the size of a buffer may follow
    with services.service(name, services.QUERY_CONFIG) as service:
        found, _memory = services.config(service)
        print(f"[SC] QueryServiceConfig SUCCESS\n\nSERVICE_NAME: {name}")
        _print_field("TYPE", f"{found.type:x}  {_type(found.type, ' ')}")
        _print_field("START_TYPE", f"{found.start}   {_STARTS[found.start]}")
        _print_field("ERROR_CONTROL", f"{found.error}   {_ERRORS[found.error]}")
        _print_field("BINARY_PATH_NAME", found.path or "")
        _print_field("LOAD_ORDER_GROUP", found.group or "")
        _print_field("TAG", str(found.tag))
        _print_field("DISPLAY_NAME", found.display_name or "")
        for i, dependency in enumerate(services.depends_on(name) or [""]):
            _print_field("" if i else "DEPENDENCIES", dependency)
        _print_field("SERVICE_START_NAME", found.account or "")


def _enumdepend(words: list[str]) -> None:
    name = _name(words[:1])  # the size of a buffer may follow
    found = services.dependents(name)
    print(f"[SC] EnumDependentServices: entriesread = {len(found)}")
    for each, display_name, status in found:
        _print_status(each, status, display_name)


def _config(words: list[str]) -> None:
    name, setup = _name(words[:1]), _setup(words[1:], _UNCHANGED)
    with services.service(name, services.CHANGE_CONFIG) as service:
        services.change(service, setup)
    print("[SC] ChangeServiceConfig SUCCESS")


def _create(words: list[str]) -> None:
    name, setup = _name(words[:1]), _setup(words[1:], _NEW)
    if setup.path is None:
        raise _Refused("create with binpath= only")
    services.create(name, setup)
    print("[SC] CreateService SUCCESS")


def _setup(words: list[str], default: Setup) -> Setup:
    options = _pairs(words)
    numbers = {option: _number(option, options.pop(option, None)) for option in _WORDS}
    path, depends_on, account, display_name = (options.pop(option, None) for option in _TEXTS)
    if options:
        raise _Refused(f"no option {', '.join(options)}")
    return Setup(
        type=_either(numbers["type="], default.type),
        start=_either(numbers["start="], default.start),
        error=_either(numbers["error="], default.error),
        path=path,
        depends_on=None if depends_on is None else depends_on.replace("/", "\0") + "\0",
        account=account,
        display_name=display_name,
    )


def _number(option: str, word: str | None) -> int | None:
    if word is None:
        return None
    if word.lower() not in _WORDS[option]:
        raise _Refused(f"of {option} {', '.join(_WORDS[option])} only")
    return _WORDS[option][word.lower()]


def _either(number: int | None, otherwise: int) -> int:
    return otherwise if number is None else number


def _delete(words: list[str]) -> None:
    with services.service(_name(words), services.DELETE) as service:
        services.delete(service)
    print("[SC] DeleteService SUCCESS")


def _start(words: list[str]) -> None:
    with services.service(_name(words[:1]), services.START | services.QUERY_STATUS) as service:
        services.start(service, words[1:])
        _print_status(words[0], services.status(service), extended=True)


def _stop(words: list[str]) -> None:
    with services.service(_name(words[:1]), services.STOP | services.QUERY_STATUS) as service:
        services.stop(service)
        _print_status(words[0], services.status(service))


def _name(words: list[str]) -> str:
    if len(words) != 1 or words[0].startswith("\\\\"):
        raise _Refused("commands about one service of this machine")
    return words[0]


def _pairs(words: list[str]) -> dict[str, str]:
    """Return options and values, which sc wants as words of their own: ``start= auto``."""
    if len(words) % 2 or not all(word.endswith("=") for word in words[::2]):
        raise _Refused("options only that are followed by a blank and a value")
    return {option.lower(): value for option, value in zip(words[::2], words[1::2], strict=True)}


def _message(code: int) -> str:
    if sys.platform == "win32":
        return ctypes.FormatError(code)
    raise OSError("sc is a thing of Windows")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
