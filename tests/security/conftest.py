"""A running daemon that holds its repository, and the people who attack it or approve."""

from __future__ import annotations

from tests.system.review.conftest import server

__all__ = ["server"]
