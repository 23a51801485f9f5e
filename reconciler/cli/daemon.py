"""The command that runs the server: daemon."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from reconciler.cli.options import BranchOption, DataOption, RepositoryOption, settings_from


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
                runner.run(server.run(lambda url: typer.echo(f"serving agents at {url}")))
        except OSError as error:
            raise ReconcilerError(
                f"cannot serve agents: {error.strerror or error}",
                where=f"{settings.address}:{settings.port}",
                hint="another process may hold the port: choose one with --port",
            ) from error


def configure_log() -> None:
    """Have the log written to the output, a line for each event, each by one call: threads write at the same time.

    Whoever waits for the line *serving agents at* would never see it in the midst of another.
    """
    import structlog

    from reconciler.daemon.log_limits import LimitRepeats

    structlog.configure(
        processors=[
            LimitRepeats(),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
    )


def _event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return how to make the faster event loop where there is one for this system."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
