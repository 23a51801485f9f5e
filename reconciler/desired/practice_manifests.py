"""The keys by which a package says how it wants to be handled on a host, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from reconciler.desired.fields import Duration, refuse
from reconciler.desired.manifest_model import Manifest
from reconciler.desired.windows_fields import (
    BRIEF,
    RUNNING,
    SETTLING,
    CommandLine,
    ExitCode,
    FileVersion,
    HttpAddress,
    ImageName,
    Port,
    ServiceName,
    WindowsPath,
)

MOST_CHECKS = 20
"""Health checks that a package may have: each is asked at every look at a host."""

_GOES_WITH = {"state": "service", "version": "fileVersion", "status": "http", "exitCode": "command"}
"""The keys of a check that say what is wanted, each with the one that it says it of."""

_CHECKED = ("service", "fileVersion", "port", "http", "command")


def one_of(*keys: str) -> dict[str, Any]:
    """Return the part of a JSON Schema that asks for exactly one of ``keys``."""
    return {"oneOf": [{"required": [key]} for key in keys]}


class StopManifest(Manifest):
    """What must not run while the package is worked on."""

    services: list[ServiceName] = Field(
        default_factory=list,
        description="Services that are stopped before a step, and those of them that ran started again after it.",
    )
    processes: list[ImageName] = Field(
        default_factory=list,
        description="Programs that are ended before a step, by their file names. They are not started again.",
    )


class CheckManifest(Manifest):
    """One thing that must hold of a host that has the package."""

    model_config = ConfigDict(
        json_schema_extra=one_of(*_CHECKED) | {"dependentRequired": {key: [of] for key, of in _GOES_WITH.items()}}
    )

    service: ServiceName | None = Field(default=None, description="A service that must be in a state.")
    state: Literal["running", "stopped"] | None = Field(
        default=None, description="The state of the service: running where nothing is said."
    )
    file_version: WindowsPath | None = Field(
        default=None, description="The full path of a file that must have a version."
    )
    version: FileVersion | None = Field(
        default=None, description="The version of the file: that of the release where nothing is said."
    )
    port: Port | None = Field(default=None, description="A TCP port of the host that must be open.")
    http: HttpAddress | None = Field(
        default=None, description="An address that must answer a GET from the host itself."
    )
    status: Annotated[int, Field(ge=100, le=599)] | None = Field(
        default=None, description="The status that the address must answer with: 200 where nothing is said."
    )
    command: CommandLine | None = Field(default=None, description="A command line that is run on the host.")
    exit_code: ExitCode | None = Field(
        default=None, description="The exit code of the command: 0 where nothing is said."
    )
    timeout: Annotated[Duration, BRIEF] = Field(
        default="5s", description="How long the answer may take, a minute at most."
    )

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        given = {key for key in (*_CHECKED, *_GOES_WITH) if getattr(self, _attribute(key)) is not None}
        checked = [key for key in _CHECKED if key in given]
        if len(checked) != 1:
            found = " and ".join(checked) or "none"
            message = f"expected one of {', '.join(_CHECKED)}, found {found}"
            raise refuse(message, "make an item of the list for each thing that is checked")
        for key, of in _GOES_WITH.items():
            if key in given and of not in given:
                raise refuse(f"{key} goes with {of}, and this is a check of {checked[0]}", f"leave {key} out")
        return self


def _attribute(key: str) -> str:
    return {"fileVersion": "file_version", "exitCode": "exit_code"}.get(key, key)


class PractisedManifest(Manifest):
    """How a package wants to be handled. All of it is optional."""

    stop: StopManifest = Field(
        default=StopManifest(), description="Services and processes that must not run during a step."
    )
    before: list[CommandLine] = Field(
        default_factory=list,
        description="Command lines run before a step, in this order. Where one fails, nothing is installed.",
    )
    after: list[CommandLine] = Field(
        default_factory=list,
        description="Command lines run after a step, in this order. Where one fails, they are run again later.",
    )
    checks: list[CheckManifest] = Field(
        default_factory=list,
        max_length=MOST_CHECKS,
        description="What must hold of a host that has the package, after a step and ever after.",
    )
    settle: Annotated[Duration, SETTLING] = Field(
        default="60s", description="How long after a step the checks may take to hold, such as 90s or 5m."
    )
    install_while_reboot_pending: bool = Field(
        default=False, description="Whether a step may start while the host waits for a reboot."
    )
    timeout: Annotated[Duration, RUNNING] = Field(
        default="1h", description="How long each run of an installer or command may take before it is ended."
    )
