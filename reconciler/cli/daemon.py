"""The command that runs the server: daemon."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.options import BranchOption, DataOption, RepositoryOption, settings_from
from reconciler.kernel.visible_text import visible
from reconciler.presentation.terminal import shortened

if TYPE_CHECKING:
    from structlog.typing import Processor

LONGEST_LOGGED = 10_000
"""Characters of one value in the log: a traceback fits."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("daemon", epilog="Example: `reconciler daemon --repository /srv/git/fleet.git`")(daemon)


def daemon(
    repository: RepositoryOption = None,
    host_repository: Annotated[
        bool, typer.Option("--host-repository", help="Hold the repository here, with the built-in review.")
    ] = False,
    branch: BranchOption = None,
    data: DataOption = None,
    address: Annotated[str | None, typer.Option("--address", help="Address to serve agents on.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to serve agents on; 0 for any.")] = None,
) -> None:
    """Follow the repository and serve agents, until it is ended by SIGTERM or Ctrl-C."""
    from reconciler.cli.output import print_document
    from reconciler.daemon.server import Daemon
    from reconciler.kernel.errors import ReconcilerError
    from reconciler.site import open_site

    configure_log()
    settings = settings_from(
        repository=repository,
        host_repository=host_repository or None,
        branch=branch,
        data=data,
        address=address,
        port=port,
    )
    with open_site(settings) as site:
        server = Daemon(site)
        try:
            with asyncio.Runner(loop_factory=_event_loop()) as runner:
                runner.run(server.run(lambda url: print_document(f"serving agents at {url}")))
        except OSError as error:
            raise ReconcilerError(
                f"cannot serve agents: {error.strerror or error}",
                where=f"{settings.address}:{settings.port}",
                hint="another process may hold the port: choose one with --port",
            ) from error


def configure_log() -> None:
    """Have the log written to the output, a line for each event, each by one call: threads write at the same time.

    Whoever waits for the line *serving agents at* would never see it in the midst of another. What libraries log
    goes the same way. So text of others is a quoted value in a line of ours, and begins no line of its own.
    """
    import structlog

    from reconciler.daemon.log_limits import LimitRecords, LimitRepeats

    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
    ]
    rendering: list[Processor] = [
        _bound,
        structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        lambda _logger, _name, line: visible(str(line)),
    ]
    structlog.configure(
        processors=[LimitRepeats(), *shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    handler.addFilter(LimitRecords())
    logging.getLogger().handlers = [handler]


def _bound(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut values, so that nobody fills the log by one long text."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = shortened(value, LONGEST_LOGGED)
    return event


def _event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return how to make the faster event loop where there is one for this system."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
