"""A stand-in for net.exe on lab hosts, whose Wine has one without ``/y``: it knows start and stop of a service.

Source: learn.microsoft.com/windows-server/administration/windows-commands/net-start and …/net-stop
"""

from __future__ import annotations

import ctypes
import sys
import time

from reconciler.lab.winrm.stand_ins import windows_services as services
from reconciler.lab.winrm.stand_ins.windows_services import ServiceError

_FAILED = 2
_LOOK_AGAIN = 0.1
_LONGEST = 60.0
_NO_SUCH_SERVICE, _ALREADY_RUNNING, _NOT_ACTIVE = 1060, 1056, 1062


class _Refused(Exception):
    pass


def main(words: list[str]) -> int:
    """Do as net does and return its exit code."""
    yes = "/y" in [word.lower() for word in words]
    rest = [word for word in words if word.lower() != "/y"]
    try:
        if len(rest) != 2 or rest[0].lower() not in ("start", "stop"):
            raise _Refused("This stand-in of the lab for net knows start and stop of a service only.")
        if rest[0].lower() == "start":
            _start(rest[1])
        else:
            _stop(rest[1], yes)
    except _Refused as refused:
        print(f"{refused}\n", file=sys.stderr)
        return _FAILED
    except ServiceError as error:
        print(f"{_told(error.code, rest[1])}\n", file=sys.stderr)
        return _FAILED
    return 0


def _start(name: str) -> None:
    with services.service(name, services.START | services.QUERY_STATUS | services.QUERY_CONFIG) as service:
        shown = _shown(service, name)
        services.start(service, ())
        print(f"The {shown} service is starting.")
        if _settled(service, services.START_PENDING) != services.RUNNING:
            raise _Refused(f"The {shown} service could not be started.")
    print(f"The {shown} service was started successfully.\n")


def _stop(name: str, yes: bool) -> None:
    depending = [each for each in services.dependents(name) if each[2].state != services.STOPPED]
    if depending and not yes:
        listed = "".join(f"   {shown}\n" for _, shown, _ in depending)
        print(f"The following services are dependent on the {name} service.")
        print(f"Stopping the {name} service will also stop these services.\n\n{listed}")
        raise _Refused("No valid response was provided.")
    for each in (*(each[0] for each in depending), name):
        with services.service(each, services.STOP | services.QUERY_STATUS | services.QUERY_CONFIG) as service:
            shown = _shown(service, each)
            services.stop(service)
            print(f"The {shown} service is stopping.")
            if _settled(service, services.STOP_PENDING) != services.STOPPED:
                raise _Refused(f"The {shown} service could not be stopped.")
        print(f"The {shown} service was stopped successfully.\n")


def _shown(service: int, name: str) -> str:
    found, _memory = services.config(service)
    return found.display_name or name


def _settled(service: int, pending: int) -> int:
    """Return the state that a service gets into."""
    deadline = time.monotonic() + _LONGEST
    while (state := int(services.status(service).state)) == pending and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN)
    return state


def _told(code: int, name: str) -> str:
    known = {
        _NO_SUCH_SERVICE: ("The service name is invalid.", 2185),
        _ALREADY_RUNNING: ("The requested service has already been started.", 2182),
        _NOT_ACTIVE: (f"The {name} service is not started.", 3521),
    }
    if code in known:
        text, number = known[code]
        return f"{text}\n\nMore help is available by typing NET HELPMSG {number}."
    if sys.platform == "win32":
        return f"System error {code} has occurred.\n\n{ctypes.FormatError(code)}"
    raise OSError("net is a thing of Windows")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
