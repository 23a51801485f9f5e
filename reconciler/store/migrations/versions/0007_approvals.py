"""How far environments have gone along the branch, and by whose approval."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "admissions",
        sa.Column("environment", sa.Text, primary_key=True),
        sa.Column("commit", sa.Text, nullable=False),
        sa.Column("examined", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("blocked", sa.Text, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
    )
    op.create_table(
        "decisions",
        sa.Column("commit", sa.Text, primary_key=True),
        sa.Column("environment", sa.Text, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "reviewed",
        sa.Column("commit", sa.Text, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("document", sa.Text),
    )
