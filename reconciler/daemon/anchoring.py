"""Has the audit chain anchored, in a separate engine: a witness that does not answer keeps nobody else waiting."""

from __future__ import annotations

import structlog

from reconciler.engine.handlers import Key, Registry
from reconciler.operations.anchor import TROUBLE, Anchor
from reconciler.site import Site

LOOK_SECONDS = 5.0
"""Seconds between looks for records that no checkpoint covers."""

_log = structlog.get_logger("reconciler.audit")


class Anchoring:
    """The handler that signs checkpoints and has witnesses take them.

    Args:
        site: the installation.

    Raises:
        BadWitness, CredentialMissing, CheckpointKeyUnusable: as `Anchor`.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._anchor = Anchor(site)
        self._logged = ""

    def registry(self) -> Registry:
        """Return the handler, for an engine to run."""
        registry = Registry()
        registry.on_timer("anchor", LOOK_SECONDS)(self._on_look)
        return registry

    def _on_look(self, _key: Key) -> None:
        for state in self._anchor.look():
            if state.error:
                _log.warning("checkpoint not taken", witness=state.name, error=state.error)
            else:
                _log.info("checkpoint taken", witness=state.name, records=state.size)
        trouble = self._site.revisions.fact(TROUBLE) or ""
        if trouble and trouble != self._logged:
            _log.error("audit chain not anchored", trouble=trouble)
        self._logged = trouble
