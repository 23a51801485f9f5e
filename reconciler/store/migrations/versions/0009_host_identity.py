"""Replacements of hosts' keys, and the machines that speak with them. Times that no calendar has are put right."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add them."""
    op.add_column("enrolment_tokens", sa.Column("host", sa.Text))
    op.create_table(
        "replacements",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("key_sha256", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("old_key_sha256", sa.Text, nullable=False),
        sa.Column("old_environment", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("asked_at", sa.Float, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("decided_at", sa.Float),
        sa.Column("decided_by", sa.Text, nullable=False, server_default=""),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_replacements_host", "replacements", ["host"])
    op.create_index("ix_replacements_state", "replacements", ["state"])
    op.create_table(
        "machines",
        sa.Column("host", sa.Text, primary_key=True),
        sa.Column("run", sa.Text, primary_key=True),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("first_seen", sa.Float, nullable=False),
        sa.Column("came_back", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("ix_machines_state", "machines", ["state"])
    # A host could once report any time: such an attempt would stay the newest for ever.
    op.execute("UPDATE attempts SET started_at = 0 WHERE NOT started_at BETWEEN 0 AND 32503680000")
