"""Tickets of hosts that the server reaches itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "tickets",
        sa.Column("ticket_sha256", sa.Text, primary_key=True),
        sa.Column("artifact", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
