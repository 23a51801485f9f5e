"""Accounts, the hosted repository's pushes, and the built-in review."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "accounts",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("mail", sa.Text, nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("password_at", sa.Float, nullable=False),
        sa.Column("removed_at", sa.Float),
    )
    op.create_table(
        "pushes",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("old", sa.Text, nullable=False),
        sa.Column("new", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_pushes_ref", "pushes", ["ref", "number"])
    op.create_index("ix_pushes_outcome", "pushes", ["outcome"])
    op.create_table(
        "changes",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("branch", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("described", sa.Boolean, nullable=False),
        sa.Column("requester", sa.Text, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("first_push", sa.Integer, nullable=False),
        sa.Column("last_push", sa.Integer, nullable=False),
        sa.Column("opened_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float),
        sa.Column("ended_by", sa.Text, nullable=False),
        sa.Column("merge_commit", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_changes_branch", "changes", ["branch"])
    op.create_index("ix_changes_state", "changes", ["state"])
    op.create_index("ix_changes_merge_commit", "changes", ["merge_commit"])
    op.create_table(
        "reviews",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("change", sa.Integer, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reviews_change", "reviews", ["change"])
    op.create_table(
        "change_notes",
        sa.Column("change", sa.Integer, primary_key=True),
        sa.Column("marker", sa.Text, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "commit_statuses",
        sa.Column("commit", sa.Text, primary_key=True),
        sa.Column("context", sa.Text, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
