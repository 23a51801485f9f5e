"""Why a host that the server reaches itself could not be reached."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    op.add_column("hosts", sa.Column("trouble", sa.Text, nullable=False, server_default=""))
