"""The outbox of notifications. What happened before it is not told of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add it, and let it begin with what comes."""
    op.create_table(
        "situations",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "letters",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("message", sa.Text),
        sa.Column("sent_at", sa.Float),
        sa.Column("given_up_at", sa.Float),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_letters_lane", "letters", ["channel", "recipient", "number"])
    op.create_table(
        "lanes",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("recipient", sa.Text, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", sa.Float, nullable=False),
        sa.Column("next_at", sa.Float, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.add_column("standings", sa.Column("message", sa.Text, nullable=False, server_default=""))
    op.create_index("ix_standings_health", "standings", ["health"])
    op.execute(
        "INSERT INTO facts (name, value) SELECT 'toldRevision', CAST(max(sequence) AS TEXT) FROM revisions "
        "HAVING max(sequence) IS NOT NULL"
    )
