"""Answers requests that fail for a shortage (503, try again), or whose client is gone."""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from reconciler.store.shortages import RETRY_SECONDS, shortage_of

_log = structlog.get_logger("reconciler.shortage")


async def _short(request: Request, error: Exception) -> Response:
    shortage = shortage_of(error)
    if shortage is None:
        raise error
    _log.error("request failed for a shortage", path=request.url.path, shortage=shortage, why=str(error)[:300])
    told = {"error": f"the server cannot do this now: {shortage}; try again later"}
    return JSONResponse(told, 503, {"Retry-After": f"{RETRY_SECONDS:.0f}"})


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


FAILURE_ANSWERS: dict[Any, Any] = {
    DBAPIError: _short,
    OSError: _short,
    MemoryError: _short,
    RuntimeError: _short,
    ClientDisconnect: _gone,
}
"""Exception handlers for every Starlette application of the daemon. Any other error passes through them."""
