"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "facts",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "revisions",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("commit", sa.Text, nullable=False, index=True),
        sa.Column("seen_at", sa.Float, nullable=False),
        sa.Column("committed_at", sa.Float, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("findings", sa.Text, nullable=False),
        sa.Column("rewritten", sa.Boolean, nullable=False),
    )
    op.create_table(
        "enrolment_tokens",
        sa.Column("token_sha256", sa.Text, primary_key=True),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("used_by", sa.Text),
        sa.Column("used_key_sha256", sa.Text),
        sa.Column("used_at", sa.Float),
    )
    op.create_table(
        "hosts",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("key_sha256", sa.Text, nullable=False),
        sa.Column("enrolled_at", sa.Float, nullable=False),
        sa.Column("last_seen", sa.Float, nullable=False),
        sa.Column("busy", sa.Text),
        sa.Column("reported_at", sa.Float),
        sa.Column("report_digest", sa.Text, nullable=False, server_default=""),
        sa.Column("acknowledged", sa.Text, nullable=False, server_default=""),
        sa.Column("observation", sa.Text),
        sa.Column("assigned", sa.Text, nullable=False, server_default=""),
        sa.Column("assigned_revision", sa.Text, nullable=False, server_default=""),
        sa.Column("assigned_at", sa.Float),
    )
    op.create_table(
        "managed",
        sa.Column("host", sa.Text, primary_key=True),
        sa.Column("package", sa.Text, primary_key=True),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("package", sa.Text, nullable=False),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float),
        sa.Column("outcome", sa.Text),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("ix_attempts_host_package", "attempts", ["host", "package", "started_at"])
    op.create_index("ix_attempts_started_at", "attempts", ["started_at"])
    op.create_table(
        "standings",
        sa.Column("host", sa.Text, primary_key=True),
        sa.Column("package", sa.Text, primary_key=True),
        sa.Column("sync", sa.Text, nullable=False),
        sa.Column("health", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("installed", sa.Text),
        sa.Column("wanted", sa.Text),
    )
    op.create_table(
        "transitions",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False, index=True),
        sa.Column("host", sa.Text, nullable=False, index=True),
        sa.Column("package", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
    )
