"""Retries that people asked for, and which hosts have failed tries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add both; what hosts last said tells which of them have failed tries."""
    op.create_table(
        "retries",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("package", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("goal", sa.Text, nullable=False),
        sa.Column("failure", sa.Text),
    )
    op.add_column("hosts", sa.Column("failing", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("ix_hosts_failing", "hosts", ["failing"])
    op.execute(
        "UPDATE hosts SET failing = 1 WHERE EXISTS (SELECT 1 FROM json_each(hosts.observation, '$.tallies') "
        "AS tally WHERE json_extract(tally.value, '$.failures') > 0)"
    )
